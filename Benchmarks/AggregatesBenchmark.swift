import Operators
import StreamEngine

/// Every aggregate's states, updated in batches of 1,024 rows for 1, 500 and 100,000 groups. One core; nanoseconds a
/// row.
func runAggregatesBenchmark() {
    let rows = 1024
    let batches = 16
    print("aggregates: ns a row and state (best of 5 passes)")
    for groupCount in [1, 500, 100_000] {
        var random = SystemRandomNumberGenerator()
        // 500 series in the order of a scrape; many groups in random order.
        let groups = (0..<rows * batches).map { row in
            groupCount > 500 ? UInt32.random(in: 0..<UInt32(groupCount), using: &random) : UInt32(row % groupCount)
        }
        let values = (0..<rows).map { _ in Double.random(in: 0...100, using: &random) }
        let timestamps = (0..<rows).map { Int64($0) }
        for type in Aggregates.all {
            let aggregate = type.init(parameter: type.parameter == nil ? nil : 0.9, type: .number)
            for kind in aggregate.states {
                let column = kind.make()
                column.grow(to: groupCount)
                let best = bestNanoseconds(a: rows * batches * 20) {
                    for batch in 0..<(batches * 20) {
                        let first = batch % batches * rows
                        groups[first..<(first + rows)].withUnsafeBufferPointer { groups in
                            values.withUnsafeBufferPointer { values in
                                timestamps.withUnsafeBufferPointer { timestamps in
                                    guard let values = values.baseAddress, let timestamps = timestamps.baseAddress
                                    else { return }
                                    column.update(groups: groups, values: values, timestamps: timestamps)
                                }
                            }
                        }
                    }
                }
                print("  \(groupCount) groups  \(type.name) (\(kind.identity), \(kind.bytesPerGroup) B)  \(best)")
            }
        }
    }
}

/// Expressions over columns of 4,096 rows of 500 series. One core; nanoseconds a row.
func runExpressionsBenchmark() throws {
    let rows = 4096
    var random = SystemRandomNumberGenerator()
    let values = (0..<rows).map { _ in Double.random(in: 0...100, using: &random) }
    let series = (0..<rows).map { _ in UInt32.random(in: 0..<500, using: &random) }
    let timestamps = (0..<rows).map { Int64($0) }
    let table = [Double](repeating: 3, count: 500)
    var out = [Double](repeating: 0, count: rows)
    let scratch = VectorScratch()
    print("expressions: ns a row (best of 5 passes)")
    for text in [
        "value * 8", "value >= 50", "value > 3 and value < 50", "value / number(cores)", "if(value > 50, value, 0)",
        "round(value)", "timestamp / 1000",
    ] {
        var scope = SampleScope()
        guard let expression = try? ExpressionParser.parse(text),
            let program = try? CompiledExpression(expression, in: &scope).vectorProgram
        else {
            throw JobFailure("\(text) has no program")
        }
        let best = values.withUnsafeBufferPointer { values in
            timestamps.withUnsafeBufferPointer { timestamps in
                table.withUnsafeBufferPointer { table in
                    out.withUnsafeMutableBufferPointer { out -> String in
                        guard let values = values.baseAddress, let timestamps = timestamps.baseAddress,
                            let table = table.baseAddress, let out = out.baseAddress
                        else { return "" }
                        let columns = program.inputSlots.map { slot in
                            slot == SampleScope.Slot.value ? NumericColumn.doubles(values) : .integers(timestamps)
                        }
                        let tables = [UnsafePointer<Double>](repeating: table, count: program.hoistedCount)
                        return columns.withUnsafeBufferPointer { columns in
                            tables.withUnsafeBufferPointer { tables in
                                bestNanoseconds(a: rows * 200) {
                                    for _ in 0..<200 {
                                        program.run(
                                            rows: rows, columns: columns, series: series, tables: tables,
                                            scratch: scratch, into: out)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        print("  \(text)  \(best)")
    }
}

/// Nanoseconds of one of `count` steps in the fastest of five passes, to hundredths.
private func bestNanoseconds(a count: Int, _ pass: () -> Void) -> String {
    var best = Duration.seconds(3600)
    for _ in 0..<5 { best = min(best, ContinuousClock().measure(pass)) }
    let nanoseconds = Double(best.components.attoseconds) / 1e9 + Double(best.components.seconds) * 1e9
    return "\((nanoseconds / Double(count) * 100).rounded() / 100)"
}
