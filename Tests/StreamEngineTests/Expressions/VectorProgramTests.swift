import TestSupport
import Testing

@testable import StreamEngine

/// Column programs against row-by-row evaluation, bit for bit.
@Suite struct VectorProgramTests {
    struct Data {
        let allSeries: [SeriesLabels]
        let series: [UInt32]
        let values: [Double]
        let timestamps: [Int64]
        let offsets: [Int64]

        init(rows: Int, _ random: inout SeededRandom) {
            allSeries = (0..<7).map { index in
                SeriesLabels(
                    name: index.isMultiple(of: 2) ? "up" : "down",
                    labels: [
                        Label("instance", ByteString("node-\(index)")),
                        Label("cores", ["1", "8", "", "x", "-2.5", "NaN", "0"][index]),
                        Label("mode", index > 3 ? "idle" : ""),
                    ])
            }
            var series: [UInt32] = []
            var values: [Double] = []
            for _ in 0..<rows {
                series.append(UInt32.random(in: 0..<7, using: &random))
                values.append(
                    [0, 1, -1, 2.5, .nan, .infinity, -.infinity, -0.0, 1e300, 1e-300, 7.5, -7.5].randomElement(
                        using: &random) ?? 0)
            }
            self.series = series
            self.values = values
            timestamps = (0..<rows).map { Int64($0) * 15_000 }
            offsets = (0..<rows).map { Int64($0) }
        }
    }

    /// Each row's number, or null's bits: by the program, and by scalar evaluation.
    static func both(_ compiled: CompiledExpression, _ program: VectorProgram, _ scope: SampleScope, _ data: Data) -> (
        [UInt64], [UInt64], [UInt32]
    ) {
        func row(_ index: Int) -> SampleRow {
            SampleRow(
                series: data.allSeries[Int(data.series[index])], sampleValue: data.values[index],
                timestampMs: data.timestamps[index], offset: data.offsets[index], scope: scope)
        }
        let tables = (0..<program.hoistedCount).map { hoisted in
            let table = UnsafeMutablePointer<Double>.allocate(capacity: data.allSeries.count)
            for (index, series) in data.allSeries.enumerated() {
                table[index] = program.hoistedValue(
                    hoisted, row: SampleRow(series: series, sampleValue: .nan, scope: scope))
            }
            return table
        }
        defer { for table in tables { table.deallocate() } }
        let count = data.values.count
        let out = UnsafeMutablePointer<Double>.allocate(capacity: max(count, 1))
        let indices = UnsafeMutablePointer<UInt32>.allocate(capacity: max(count, 1))
        defer {
            out.deallocate()
            indices.deallocate()
        }
        var kept = 0
        data.values.withUnsafeBufferPointer { values in
            data.timestamps.withUnsafeBufferPointer { timestamps in
                data.offsets.withUnsafeBufferPointer { offsets in
                    data.series.withUnsafeBufferPointer { series in
                        guard let values = values.baseAddress, let timestamps = timestamps.baseAddress,
                            let offsets = offsets.baseAddress
                        else { return }
                        let columns = program.inputSlots.map { slot -> NumericColumn in
                            switch slot {
                            case SampleScope.Slot.value: .doubles(values)
                            case SampleScope.Slot.timestamp: .integers(timestamps)
                            default: .integers(offsets)
                            }
                        }
                        let scratch = VectorScratch()
                        columns.withUnsafeBufferPointer { columns in
                            tables.map { UnsafePointer($0) }.withUnsafeBufferPointer { tables in
                                program.run(
                                    rows: count, columns: columns, series: series.baseAddress, tables: tables,
                                    scratch: scratch, into: out)
                                kept = program.select(
                                    rows: count, columns: columns, series: series.baseAddress, tables: tables,
                                    scratch: scratch,
                                    into: indices)
                            }
                        }
                    }
                }
            }
        }
        func bits(_ value: Double?) -> UInt64 {
            guard let value else { return NullNumber.bits }
            // NaN has many bits; only null's are told apart.
            return value.isNaN && !NullNumber.isNull(value) ? Double.nan.bitPattern : value.bitPattern
        }
        return (
            (0..<count).map { bits(out[$0]) }, (0..<count).map { bits(compiled.number(row($0))) },
            (0..<kept).map { indices[$0] }
        )
    }

    static func check(_ text: String, _ data: Data) throws -> Bool {
        var scope = SampleScope()
        let compiled = try CompiledExpression(ExpressionParser.parse(text), in: &scope)
        guard let program = compiled.vectorProgram else { return false }
        let (vector, scalar, kept) = both(compiled, program, scope, data)
        #expect(vector == scalar, "\(text)")
        if !compiled.isNullable { #expect(!vector.contains(NullNumber.bits), "\(text)") }
        if compiled.type == .boolean {
            let expected = scalar.indices.filter { scalar[$0] == 1.0.bitPattern }.map { UInt32($0) }
            #expect(kept == expected, "\(text)")
        }
        return true
    }

    @Test(arguments: [
        "value", "value >= 2.5", "value == 0", "value * 8", "value / number(cores)", "number(cores) * value + offset",
        "-value % 3",
        "value > number(cores) and mode == 'idle'", "if(mode == 'idle', value, null)",
        "coalesce(if(value > 0, value, null), 7, value)",
        "min(value, number(cores), 1)", "max(number(cores), value, null)", "value in (1, 2.5, null)",
        "number(cores) + value not in (1, 2)",
        "(number(cores) + value) == null", "not (value > 1) or number(cores) != value",
        "abs(floor(value / 2) + ceil(value) + round(value))",
        "ln(value) + log2(value) + log10(value) + exp(value) + sqrt(value)",
        "timestamp / 1000 % 60 + offset * partition",
        "(value > 0) + (value < 0)", "if(value > 0, mode == 'idle', null) and value < 2",
        "if(value > 0, 1, 2) * if(offset > 3, value, -value)",
        "1 - (2 - (3 - (4 - (5 - value))))", "value + null", "not if(value > 0, value > 1, null)",
    ])
    func `programs and rows agree`(text: String) throws {
        for rows in [0, 1, 1023, 1024, 1025, 3000] {
            var random = SeededRandom(seed: UInt64(rows))
            #expect(try Self.check(text, Data(rows: rows, &random)))
        }
    }

    @Test func `random programs and rows agree`() throws {
        var random = SeededRandom(seed: 99)
        let data = Data(rows: 300, &random)
        var ran = 0
        for seed in 0..<1500 {
            var random = SeededRandom(seed: UInt64(seed))
            let text = Self.number(depth: Int.random(in: 1...5, using: &random), &random)
            if try Self.check(text, data) { ran += 1 }
        }
        #expect(ran > 500)
    }

    static func number(depth: Int, _ random: inout SeededRandom) -> String {
        guard depth > 0 else {
            return ["value", "value", "timestamp", "offset", "1", "0", "2.5", "number(cores)", "null", "partition"]
                .randomElement(using: &random) ?? "1"
        }
        func n(_ random: inout SeededRandom) -> String {
            number(depth: Int.random(in: 0..<depth, using: &random), &random)
        }
        func c(_ random: inout SeededRandom) -> String {
            condition(depth: Int.random(in: 0..<depth, using: &random), &random)
        }
        return switch Int.random(in: 0...6, using: &random) {
        case 0: "(-\(n(&random)))"
        case 1: "coalesce(\(n(&random)), \(n(&random)))"
        case 2: "if(\(c(&random)), \(n(&random)), \(n(&random)))"
        case 3: "\(["min", "max"].randomElement(using: &random) ?? "min")(\(n(&random)), \(n(&random)), \(n(&random)))"
        case 4: "\(["abs", "floor", "ceil", "round", "sqrt"].randomElement(using: &random) ?? "abs")(\(n(&random)))"
        case 5: "((\(c(&random))) + \(n(&random)))"
        default: "(\(n(&random)) \(["+", "-", "*", "/", "%"].randomElement(using: &random) ?? "+") \(n(&random)))"
        }
    }

    static func condition(depth: Int, _ random: inout SeededRandom) -> String {
        guard depth > 0 else {
            return ["mode == 'idle'", "value > 1", "true", "null", "name =~ 'u.'"].randomElement(using: &random)
                ?? "true"
        }
        func n(_ random: inout SeededRandom) -> String {
            number(depth: Int.random(in: 0..<depth, using: &random), &random)
        }
        func c(_ random: inout SeededRandom) -> String {
            condition(depth: Int.random(in: 0..<depth, using: &random), &random)
        }
        return switch Int.random(in: 0...5, using: &random) {
        case 0: "not (\(c(&random)))"
        case 1: "((\(c(&random))) and (\(c(&random))))"
        case 2: "((\(c(&random))) or (\(c(&random))))"
        case 3: "(\(n(&random)) in (1, 0, null))"
        case 4: "if(\(c(&random)), \(c(&random)), \(c(&random)))"
        default:
            "(\(n(&random)) \(["==", "!=", "<", "<=", ">", ">="].randomElement(using: &random) ?? "==") \(n(&random)))"
        }
    }
}
