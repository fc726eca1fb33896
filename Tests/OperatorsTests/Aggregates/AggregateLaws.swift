import Platform
import TestSupport
import Testing

@testable import Operators
@testable import StreamEngine

/// One run of an aggregate over rows of one group or several, through the same columns as the engine's.
struct AggregateRun {
    struct Row {
        var group: UInt32
        var number: Double
        var text: ByteString
        var timestampMs: Int64
    }

    let aggregate: any Aggregate
    let isText: Bool
    var columns: [any StateColumn]
    let groupCount: Int

    init(_ type: any Aggregate.Type, isText: Bool, groupCount: Int) {
        aggregate = type.init(
            parameter: type.parameter.map { ($0.lowerBound + $0.upperBound) / 2 }, type: isText ? .string : .number)
        self.isText = isText
        self.groupCount = groupCount
        columns = aggregate.states.map { $0.make() }
        for column in columns { column.grow(to: groupCount) }
    }

    /// Adds rows as one batch.
    func update(_ rows: ArraySlice<Row>) {
        let groups = rows.map(\.group)
        let numbers = rows.map(\.number)
        let timestamps = rows.map(\.timestampMs)
        groups.withUnsafeBufferPointer { groups in
            numbers.withUnsafeBufferPointer { numbers in
                timestamps.withUnsafeBufferPointer { timestamps in
                    guard let numbers = numbers.baseAddress, let timestamps = timestamps.baseAddress else { return }
                    for column in columns {
                        if isText {
                            column.update(groups: groups, texts: rows.map(\.text), timestamps: timestamps)
                        } else {
                            column.update(groups: groups, values: numbers, timestamps: timestamps)
                        }
                    }
                }
            }
        }
    }

    /// Merges all groups of a later run.
    func merge(_ later: AggregateRun) {
        let all = (0..<UInt32(groupCount)).map { $0 }
        all.withUnsafeBufferPointer { all in
            for (mine, theirs) in zip(columns, later.columns) { mine.merge(theirs, sources: all, targets: all) }
        }
    }

    func cells() -> ColumnData {
        let all = (0..<UInt32(groupCount)).map { $0 }
        return all.withUnsafeBufferPointer { aggregate.result(columns, groups: $0) }
    }

    /// One text a group: null, or the cell with all its bits.
    func cellTexts() -> [String] {
        let data = cells()
        return (0..<groupCount).map { group in
            if data.isNull(group) { return "null" }
            switch data.values {
            case .timestamps(let values), .integers(let values): return "\(values[group])"
            case .doubles(let values):
                return "\(values[group]) \(String(values[group].isNaN ? 0 : values[group].bitPattern, radix: 16))"
            case .booleans(let values): return "\(values[group])"
            case .texts(let column): return column.text(at: group)?.description ?? "null"
            }
        }
    }

    func doubles() -> [Double?] {
        let data = cells()
        return (0..<groupCount).map { group in
            if data.isNull(group) { return nil }
            switch data.values {
            case .doubles(let values): return values[group]
            case .integers(let values): return Double(values[group])
            case .timestamps, .booleans, .texts: return nil
            }
        }
    }

    /// The bytes of every state.
    func encoded() -> [[UInt8]] {
        columns.flatMap { column in
            (0..<UInt32(groupCount)).map { group in
                var writer = ByteWriter()
                column.encode(group, to: &writer)
                return writer.bytes
            }
        }
    }

    /// The same states, decoded from their bytes.
    func decoded() throws -> AggregateRun {
        var copy = self
        copy.columns = try columns.map { column in
            let fresh = column.makeEmpty()
            fresh.grow(to: groupCount)
            for group in 0..<UInt32(groupCount) {
                var writer = ByteWriter()
                column.encode(group, to: &writer)
                var reader = ByteReader(writer.bytes)
                try fresh.decode(group, from: &reader)
                #expect(reader.isAtEnd)
            }
            return fresh
        }
        return copy
    }
}

/// An aggregate over numbers or over text.
struct AggregateCase: CustomTestStringConvertible {
    let type: any Aggregate.Type
    let isText: Bool

    var testDescription: String { "\(type.name)(\(isText ? "text" : "number"))" }

    static let all: [AggregateCase] = Aggregates.all.flatMap { type -> [AggregateCase] in
        switch type.argument {
        case .number: [AggregateCase(type: type, isText: false)]
        case .optional, .numberOrText:
            [AggregateCase(type: type, isText: false), AggregateCase(type: type, isText: true)]
        }
    }
}

/// Kinds of numbers the laws are tried on.
enum ValueKind: CaseIterable {
    case small, integers, wide, offset, cancelling, special, equal

    func value(_ random: inout SeededRandom) -> Double {
        switch self {
        case .small: Double.random(in: -1...1, using: &random)
        case .integers: Double(Int.random(in: -50...50, using: &random))
        case .wide:
            (Bool.random(using: &random) ? 1 : -1) * Double.random(in: 1...10, using: &random)
                * (0..<Int.random(in: 0...60, using: &random)).reduce(1e-30) { value, _ in value * 10 }
        case .offset: 1e9 + Double.random(in: -1e-3...1e-3, using: &random)
        case .cancelling: [1e16, -1e16, 1, 0.1, -0.1, 1e-8].randomElement(using: &random) ?? 0
        case .special:
            [Double.nan, .infinity, -.infinity, 0, -0.0, 1, .leastNonzeroMagnitude, 1.5e300, -1.5e300].randomElement(
                using: &random)
                ?? 0
        case .equal: 0.1
        }
    }
}

@Suite struct AggregateLaws {
    static let cases = 24

    static func rows(_ kind: ValueKind, _ random: inout SeededRandom, count: Int, groups: UInt32) -> [AggregateRun.Row]
    {
        (0..<count).map { index in
            AggregateRun.Row(
                group: UInt32.random(in: 0..<groups, using: &random), number: kind.value(&random),
                text: ByteString(
                    ["", "a", "b", "é", "node-\(Int.random(in: 0...500, using: &random))"].randomElement(using: &random)
                        ?? ""),
                // Times run in disorder and tie often.
                timestampMs: Int64(index / 3) + Int64.random(in: -5...5, using: &random))
        }
    }

    static func cuts(of count: Int, _ random: inout SeededRandom) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var at = 0
        while at < count {
            let next = min(count, at + Int.random(in: 1...max(1, count / 3), using: &random))
            ranges.append(at..<next)
            at = next
        }
        return ranges
    }

    /// Runs `law` on random rows of every kind; fails if it was never run. `place` tells how to come back to a case.
    static func forAll(
        _ tested: AggregateCase,
        _ law: (_ rows: [AggregateRun.Row], _ groups: Int, _ place: Comment, _ random: inout SeededRandom) throws ->
            Void
    ) rethrows {
        var tried = 0
        for kind in ValueKind.allCases where !tested.isText || kind == .small {
            for index in 0..<cases {
                let seed = UInt64(index) &* 1_000_003 &+ 17
                var random = SeededRandom(seed: seed)
                let groups = UInt32.random(in: 1...4, using: &random)
                let count = Int.random(in: 0...[3, 40, 300, 900][index % 4], using: &random)
                let sample = rows(kind, &random, count: count, groups: groups)
                try law(sample, Int(groups), "seed \(seed), \(kind) values", &random)
                tried += 1
            }
        }
        #expect(tried == cases * (tested.isText ? 1 : ValueKind.allCases.count) && tried > 0)
    }

    @Test(arguments: AggregateCase.all)
    func `any cut into batches gives the same bits`(tested: AggregateCase) {
        Self.forAll(tested) { rows, groups, place, random in
            let whole = AggregateRun(tested.type, isText: tested.isText, groupCount: groups)
            whole.update(rows[...])
            let cut = AggregateRun(tested.type, isText: tested.isText, groupCount: groups)
            for range in Self.cuts(of: rows.count, &random) { cut.update(rows[range]) }
            #expect(whole.encoded() == cut.encoded(), place)
            #expect(whole.cellTexts() == cut.cellTexts(), place)
        }
    }

    @Test(arguments: AggregateCase.all)
    func `split and merge agree with one pass`(tested: AggregateCase) {
        Self.forAll(tested) { rows, groups, place, random in
            let whole = AggregateRun(tested.type, isText: tested.isText, groupCount: groups)
            whole.update(rows[...])
            let merged = AggregateRun(tested.type, isText: tested.isText, groupCount: groups)
            for range in Self.cuts(of: rows.count, &random) {
                let part = AggregateRun(tested.type, isText: tested.isText, groupCount: groups)
                part.update(rows[range])
                merged.merge(part)
            }
            switch tested.type.name {
            case "sum", "avg", "stddev", "stddev_pop", "variance":
                for group in 0..<groups {
                    let values = rows.filter { $0.group == UInt32(group) }.map(\.number)
                    Self.expectNear(tested.type.name, merged.doubles()[group], whole.doubles()[group], values, place)
                }
            default:
                #expect(whole.cellTexts() == merged.cellTexts(), place)
                #expect(whole.encoded() == merged.encoded(), place)
            }
        }
    }

    static func expectNear(_ name: String, _ a: Double?, _ b: Double?, _ values: [Double], _ place: Comment) {
        guard let a, let b, !a.isNaN || !b.isNaN else {
            #expect((a == nil) == (b == nil) && (a?.isNaN ?? false) == (b?.isNaN ?? false), place)
            return
        }
        if a == b { return }
        let magnitudes = values.reduce(0) { $0 + abs($1) }
        let allowed =
            switch name {
            case "sum": 4 * magnitudes.ulp
            case "avg": 4 * (magnitudes / Double(values.count)).ulp
            default: 1e-9 * max(abs(a), abs(b)) + 1e-15 * (values.map(abs).max() ?? 0)
            }
        #expect(abs(a - b) <= allowed, place)
    }

    @Test(arguments: AggregateCase.all)
    func `encoding and decoding change nothing`(tested: AggregateCase) throws {
        try Self.forAll(tested) { rows, groups, place, random in
            let run = AggregateRun(tested.type, isText: tested.isText, groupCount: groups)
            let middle = rows.count / 2
            run.update(rows[..<middle])
            let restored = try run.decoded()
            #expect(restored.encoded() == run.encoded(), place)
            #expect(restored.cellTexts() == run.cellTexts(), place)
            run.update(rows[middle...])
            restored.update(rows[middle...])
            #expect(restored.encoded() == run.encoded(), place)
        }
    }

    @Test(arguments: AggregateCase.all)
    func `merging with the empty state changes nothing`(tested: AggregateCase) {
        Self.forAll(tested) { rows, groups, place, _ in
            let run = AggregateRun(tested.type, isText: tested.isText, groupCount: groups)
            run.update(rows[...])
            let empty = AggregateRun(tested.type, isText: tested.isText, groupCount: groups)
            let onto = AggregateRun(tested.type, isText: tested.isText, groupCount: groups)
            let before = run.encoded()
            run.merge(empty)
            onto.merge(run)
            #expect(run.encoded() == before, place)
            #expect(onto.cellTexts() == run.cellTexts(), place)
        }
    }

    @Test(arguments: AggregateCase.all)
    func `a group without rows is null, counts are 0, and reset brings it back`(tested: AggregateCase) {
        let run = AggregateRun(tested.type, isText: tested.isText, groupCount: 2)
        let empty = ["count", "approx_distinct"].contains(tested.type.name) ? "0" : "null"
        #expect(run.cellTexts() == [empty, empty])
        let fresh = run.encoded()
        run.update([AggregateRun.Row(group: 1, number: 3, text: "x", timestampMs: 5)][...])
        #expect(run.cellTexts()[0] == empty)
        [UInt32(1)].withUnsafeBufferPointer { groups in for column in run.columns { column.reset(groups) } }
        #expect(run.encoded() == fresh)
    }

    @Test(arguments: AggregateCase.all)
    func `hostile bytes fail or decode, and never crash`(tested: AggregateCase) {
        var random = SeededRandom(seed: 4711)
        var refused = 0
        let run = AggregateRun(tested.type, isText: tested.isText, groupCount: 1)
        run.update(Self.rows(.wide, &random, count: 60, groups: 1)[...])
        let good = run.encoded()
        for round in 0..<600 {
            for (column, bytes) in zip(run.columns, good) {
                var bytes = bytes
                if round % 3 == 0 {
                    bytes = (0..<Int.random(in: 0...64, using: &random)).map { _ in
                        UInt8.random(in: 0...255, using: &random)
                    }
                } else if round % 3 == 1 {
                    bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
                } else if let at = bytes.indices.randomElement(using: &random) {
                    bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &random)
                }
                var reader = ByteReader(bytes)
                do {
                    try column.decode(0, from: &reader)
                    _ = run.cellTexts()
                } catch {
                    refused += 1
                }
            }
        }
        #expect(refused > 0)
    }
}
