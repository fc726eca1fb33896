import Testing

@testable import StreamEngine

/// A sample as a row of a `SampleScope`.
struct SampleRow: ExpressionRow {
    var series: SeriesLabels
    var sampleValue: Double
    var timestampMs: Int64 = 1_700_000_000_000
    var offset: Int64 = 42
    let scope: SampleScope

    func value(slot: Int) -> Value {
        switch slot {
        case SampleScope.Slot.name: .text(series.name)
        case SampleScope.Slot.value: .number(sampleValue)
        case SampleScope.Slot.timestamp: .number(Double(timestampMs))
        case SampleScope.Slot.topic: .text("metrics")
        case SampleScope.Slot.partition: .number(3)
        case SampleScope.Slot.offset: .number(Double(offset))
        default: series.value(of: scope.labels[slot - SampleScope.Slot.firstLabel]).map { .text($0) } ?? .null
        }
    }
}

/// A result row by column.
struct ResultRow: ExpressionRow {
    let cells: [Value]

    func value(slot: Int) -> Value { cells[slot] }
}

/// The text with carets under the error's place, and its message: what a person sees.
func shown(_ text: String, _ error: ExpressionError) -> String {
    let before = String(decoding: Array(text.utf8).prefix(error.range.offset), as: UTF8.self).count
    let carets = String(repeating: "^", count: max(1, error.range.length))
    return "\(String(repeating: " ", count: before))\(carets) \(error)"
}

/// The error of `body`, or nil.
func expressionError(_ body: () throws(ExpressionError) -> Void) -> ExpressionError? {
    do {
        try body()
        return nil
    } catch {
        return error
    }
}
