import StreamEngine

/// Evaluates one expression over rows of batches: what an aggregate is fed with, or a condition on rows.
///
/// What a series decides is computed once a series; numbers of each row run through the expression's vector program;
/// the rest is evaluated row by row.
final class RowEvaluator {
    private let expression: CompiledExpression
    private let series: SeriesDictionary
    private let context: RowContext
    /// For per-series expressions: the value of each series, by index; NaN with `known` false is null.
    private var perSeries: [Double?] = []

    init(_ expression: CompiledExpression, series: SeriesDictionary, context: RowContext) {
        self.expression = expression
        self.series = series
        self.context = context
    }

    /// Computes what new series decide.
    func add(series new: [UInt32]) {
        guard expression.dependence != .perRow, expression.type != .string else { return }
        for index in new {
            guard let labels = series.labels(of: index) else { continue }
            if perSeries.count <= Int(index) {
                perSeries.append(contentsOf: repeatElement(nil, count: Int(index) + 1 - perSeries.count))
            }
            perSeries[Int(index)] = expression.number(SeriesRow(labels, context))
        }
    }

    /// Whether a condition holds for a row.
    func isTrue(_ batch: SampleBatch, _ row: Int) -> Bool {
        guard expression.dependence == .perRow else { return perSeries[Int(batch.series[row])] == 1 }
        return expression.isTrue(BatchRow(batch, row, series, context))
    }

    /// The number of a row, nil for null.
    func number(_ batch: SampleBatch, _ row: Int) -> Double? {
        guard expression.dependence == .perRow else { return perSeries[Int(batch.series[row])] }
        return expression.number(BatchRow(batch, row, series, context))
    }

    /// The text of a row, nil for null.
    func text(_ batch: SampleBatch, _ row: Int) -> ByteString? {
        guard case .text(let text) = expression.value(BatchRow(batch, row, series, context)) else { return nil }
        return text
    }
}
