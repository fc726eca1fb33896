import StreamEngine

/// Feeds the rows of a pane to the query's states and sample logs: arguments and filters are evaluated once for each input,
/// however many aggregates share it.
final class InputEvaluator {
    private struct Input {
        let argument: AggregateInput.Argument
        let evaluator: RowEvaluator?
        let filter: RowEvaluator?
        /// State columns fed by it.
        var states: [Int]

        /// Whether every row goes in as it is.
        var isPlain: Bool {
            switch argument {
            case .none, .value: filter == nil
            case .number, .text: false
            }
        }
    }

    private var inputs: [Input]
    private let logs: [Input]
    private let scratchGroups: UnsafeMutablePointer<UInt32>
    private let scratchValues: UnsafeMutablePointer<Double>
    private let scratchTimes: UnsafeMutablePointer<Int64>

    init(plan: QueryPlan, partition: PartitionID, series: SeriesDictionary) {
        let context = RowContext(plan: plan, partition: partition)
        func evaluator(_ argument: AggregateInput.Argument) -> RowEvaluator? {
            switch argument {
            case .none, .value: nil
            case .number(let expression), .text(let expression):
                RowEvaluator(expression, series: series, context: context)
            }
        }
        inputs = plan.inputs.map { input in
            Input(
                argument: input.argument, evaluator: evaluator(input.argument),
                filter: input.filter.map { RowEvaluator($0, series: series, context: context) }, states: [])
        }
        for (index, state) in plan.states.enumerated() { inputs[state.input].states.append(index) }
        logs = plan.logs.map { log in
            Input(
                argument: log.argument, evaluator: evaluator(log.argument),
                filter: log.filter.map { RowEvaluator($0, series: series, context: context) }, states: [])
        }
        // Plain inputs read the rows where they are; many waiting partitions then hold nothing here.
        let needed = inputs.allSatisfy(\.isPlain) && logs.isEmpty ? 1 : RowBuffer.capacity
        scratchGroups = .allocate(capacity: needed)
        scratchValues = .allocate(capacity: needed)
        scratchTimes = .allocate(capacity: needed)
    }

    deinit {
        scratchGroups.deallocate()
        scratchValues.deallocate()
        scratchTimes.deallocate()
    }

    /// Whether every row goes into every state as it is.
    var arePlain: Bool { inputs.allSatisfy(\.isPlain) }

    func add(series: [UInt32]) {
        for input in inputs + logs {
            input.evaluator?.add(series: series)
            input.filter?.add(series: series)
        }
    }

    /// Evaluates what can be evaluated for a whole batch.
    func begin(_ batch: SampleBatch) {
        for input in inputs {
            input.evaluator?.begin(batch)
            input.filter?.begin(batch)
        }
        for input in logs {
            input.evaluator?.begin(batch)
            input.filter?.begin(batch)
        }
    }

    /// Adds rows to the states.
    func update(_ columns: [any StateColumn], rows: RowBuffer, batch: SampleBatch) {
        for input in inputs {
            if input.isPlain {
                let groups = UnsafeBufferPointer(start: rows.groups, count: rows.count)
                for state in input.states {
                    columns[state].update(groups: groups, values: rows.values, timestamps: rows.timestamps)
                }
            } else if case .text = input.argument {
                updateTexts(columns, input, rows, batch)
            } else {
                let count = gather(input, rows, batch) { rows.groups[$0] }
                let groups = UnsafeBufferPointer(start: scratchGroups, count: count)
                for state in input.states {
                    columns[state].update(groups: groups, values: scratchValues, timestamps: scratchTimes)
                }
            }
        }
    }

    /// Adds rows to the sample logs, under the series' ids in `directory`.
    func append(to sampleLogs: [SampleLog], rows: RowBuffer, batch: SampleBatch, directory: GroupDirectory) {
        for (log, input) in zip(sampleLogs, logs) {
            let count = gather(input, rows, batch) { directory.logID(ofSeries: batch.series[Int(rows.rows[$0])]) }
            log.append(
                series: UnsafeBufferPointer(start: scratchGroups, count: count), values: scratchValues,
                timestampsMs: scratchTimes)
        }
    }

    /// The rows that pass, with their argument, into the scratch columns; rows whose argument is null are left out.
    private func gather(
        _ input: Input, _ rows: RowBuffer, _ batch: SampleBatch, _ target: (Int) -> UInt32
    ) -> Int {
        var count = 0
        for index in 0..<rows.count {
            let row = Int(rows.rows[index])
            if let filter = input.filter, !filter.isTrue(batch, row) { continue }
            if let evaluator = input.evaluator {
                guard let number = evaluator.number(batch, row) else { continue }
                scratchValues[count] = number
            } else {
                scratchValues[count] = rows.values[index]
            }
            scratchGroups[count] = target(index)
            scratchTimes[count] = rows.timestamps[index]
            count += 1
        }
        return count
    }

    private func updateTexts(_ columns: [any StateColumn], _ input: Input, _ rows: RowBuffer, _ batch: SampleBatch) {
        var texts: [ByteString] = []
        for index in 0..<rows.count {
            let row = Int(rows.rows[index])
            if let filter = input.filter, !filter.isTrue(batch, row) { continue }
            guard let text = input.evaluator?.text(batch, row) else { continue }
            scratchGroups[texts.count] = rows.groups[index]
            scratchTimes[texts.count] = rows.timestamps[index]
            texts.append(text)
        }
        let groups = UnsafeBufferPointer(start: scratchGroups, count: texts.count)
        for state in input.states { columns[state].update(groups: groups, texts: texts, timestamps: scratchTimes) }
    }
}
