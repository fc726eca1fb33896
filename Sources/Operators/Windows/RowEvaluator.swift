import StreamEngine

/// Evaluates one expression over rows of batches: what an aggregate is fed with, or a condition on rows.
///
/// What a series decides is computed once a series. Numbers of each row run through the expression's column program, once
/// for a whole batch; what has none (texts, offsets) is evaluated row by row where it is asked for.
final class RowEvaluator {
    private let expression: CompiledExpression
    private let series: SeriesDictionary
    private let context: RowContext
    /// For per-series expressions: the number of each series, by index; nil for null.
    private var perSeries: [Double?] = []
    private let program: VectorProgram?
    /// A table by series index for each part of the program that a series decides.
    private var tables: [UnsafeMutablePointer<Double>] = []
    private var tableCapacity = 0
    private let scratch = VectorScratch()
    private var results: UnsafeMutablePointer<Double>
    private var resultCapacity = 1024
    /// Whether `results` holds the rows of the batch at hand.
    private var hasResults = false

    init(_ expression: CompiledExpression, series: SeriesDictionary, context: RowContext) {
        self.expression = expression
        self.series = series
        self.context = context
        program = context.columns(of: expression) == nil ? nil : expression.vectorProgram
        results = .allocate(capacity: resultCapacity)
        if let program { tables = (0..<program.hoistedCount).map { _ in .allocate(capacity: 1) } }
    }

    deinit {
        results.deallocate()
        for table in tables { table.deallocate() }
    }

    /// Computes what new series decide.
    func add(series new: [UInt32]) {
        if let program, program.hoistedCount > 0 {
            for index in new {
                guard let labels = series.labels(of: index) else { continue }
                reserve(Int(index) + 1)
                for part in tables.indices {
                    tables[part][Int(index)] = program.hoistedValue(part, row: SeriesRow(labels, context))
                }
            }
        }
        guard expression.dependence != .perRow, expression.type != .string else { return }
        for index in new {
            guard let labels = series.labels(of: index) else { continue }
            if perSeries.count <= Int(index) {
                perSeries.append(contentsOf: repeatElement(nil, count: Int(index) + 1 - perSeries.count))
            }
            perSeries[Int(index)] = expression.number(SeriesRow(labels, context))
        }
    }

    private func reserve(_ count: Int) {
        guard count > tableCapacity else { return }
        let capacity = max(count, tableCapacity * 2, 256)
        for part in tables.indices {
            let grown = UnsafeMutablePointer<Double>.allocate(capacity: capacity)
            grown.initialize(repeating: .nan, count: capacity)
            grown.update(from: tables[part], count: tableCapacity)
            tables[part].deallocate()
            tables[part] = grown
        }
        tableCapacity = capacity
    }

    /// Evaluates the whole batch by columns, where that can be done. Call before the rows are asked for.
    func begin(_ batch: SampleBatch) {
        hasResults = false
        // A sample of a refused series has no index to look its series' part up by.
        guard let program, series.refused == nil, let columns = context.columns(of: expression) else { return }
        if batch.count > resultCapacity {
            results.deallocate()
            resultCapacity = batch.count * 2
            results = .allocate(capacity: resultCapacity)
        }
        let inputs = columns.map { column -> NumericColumn in
            switch column {
            case .value: .doubles(UnsafePointer(batch.values))
            case .timestamp: .integers(UnsafePointer(batch.timestamps))
            }
        }
        let constants = tables.map { UnsafePointer($0) }
        inputs.withUnsafeBufferPointer { inputs in
            constants.withUnsafeBufferPointer { constants in
                program.run(
                    rows: batch.count, columns: inputs, series: UnsafePointer(batch.series), tables: constants,
                    scratch: scratch, into: results)
            }
        }
        hasResults = true
    }

    /// Whether a condition holds for a row; null does not.
    func isTrue(_ batch: SampleBatch, _ row: Int) -> Bool {
        if hasResults { return results[row] == 1 }
        guard expression.dependence == .perRow else { return perSeries[Int(batch.series[row])] == 1 }
        return expression.isTrue(BatchRow(batch, row, series, context))
    }

    /// The number of a row, nil for null.
    func number(_ batch: SampleBatch, _ row: Int) -> Double? {
        if hasResults { return NullNumber.isNull(results[row]) ? nil : results[row] }
        guard expression.dependence == .perRow else { return perSeries[Int(batch.series[row])] }
        return expression.number(BatchRow(batch, row, series, context))
    }

    /// The text of a row, nil for null.
    func text(_ batch: SampleBatch, _ row: Int) -> ByteString? {
        guard case .text(let text) = expression.value(BatchRow(batch, row, series, context)) else { return nil }
        return text
    }
}
