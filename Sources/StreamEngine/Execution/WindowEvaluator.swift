/// One partition's contribution to a window, in terms of the coordinator's directories.
struct Contribution {
    let task: Int
    let partial: WindowPartial
    /// The key of each of `partial.groups`.
    var keys: [UInt32]
    /// For each log of the plan, the window's panes in time order.
    var logs: [[PaneSamples]]
    /// Whether no trigger has seen it yet (update mode).
    var isNew = true

    /// The same, seen by a trigger.
    var markedOld: Contribution {
        var copy = self
        copy.isNew = false
        return copy
    }
}

/// A series within its group, as per-series functions see it over all partitions.
struct GroupedSeries: Hashable, Comparable {
    let labels: SeriesLabels
    /// Index of the group's key.
    let key: UInt32

    /// By label bytes; then by group, where a group is told by topic or partition.
    static func < (a: GroupedSeries, b: GroupedSeries) -> Bool {
        a.labels != b.labels ? a.labels < b.labels : a.key < b.key
    }
}

/// The samples of one pane that a window sees.
struct PaneSamples {
    let samples: SortedSamples
    /// The directory's index of each of `samples.series`.
    var series: [UInt32]
}

/// A group's rows of one window: state columns and where each group stands in them.
struct MergedWindow {
    var columns: [any StateColumn]
    /// Position of each group in `columns`, in key order.
    var positions: [UInt32]
    /// Key of each group, in key order.
    var keys: [UInt32]
}

/// Merges the contributions to one window and computes its rows.
final class WindowEvaluator {
    private let plan: QueryPlan
    /// For filters that look at labels only; those that look at topic or partition are applied where samples are logged.
    private let context: RowContext
    private var slotOfKey: [Int32] = []

    init(plan: QueryPlan) {
        self.plan = plan
        context = RowContext(plan: plan, partition: PartitionID(source: plan.source, topic: "", partition: 0))
    }

    /// Merges by key: panes were merged by time before, partitions follow in order of topic bytes and number
    /// (SEMANTICS §4). `ranks` gives the order of keys; with `only` other keys are left out.
    func merge(_ contributions: [Contribution], ranks: [UInt32], only: Set<UInt32>?) -> MergedWindow {
        if contributions.count == 1, let single = contributions.first {
            // Nothing to merge: read the partial's columns where they are.
            var rows = single.keys.indices.map { row in
                (
                    key: single.keys[row],
                    position: single.partial.indexedByGroup ? single.partial.groups[row] : UInt32(row)
                )
            }
            if let only { rows.removeAll { !only.contains($0.key) } }
            rows.sort { ranks[Int($0.key)] < ranks[Int($1.key)] }
            return MergedWindow(
                columns: single.partial.columns, positions: rows.map(\.position), keys: rows.map(\.key))
        }
        if slotOfKey.count < ranks.count {
            slotOfKey.append(contentsOf: repeatElement(-1, count: ranks.count - slotOfKey.count))
        }
        var keys: [UInt32] = []
        for contribution in contributions {
            for key in contribution.keys where slotOfKey[Int(key)] < 0 && only?.contains(key) ?? true {
                slotOfKey[Int(key)] = 0
                keys.append(key)
            }
        }
        keys.sort { ranks[Int($0)] < ranks[Int($1)] }
        for (slot, key) in keys.enumerated() { slotOfKey[Int(key)] = Int32(slot) }
        let columns = plan.states.map { $0.kind.make() }
        for column in columns { column.grow(to: keys.count) }
        for contribution in contributions {
            var sources: [UInt32] = []
            var targets: [UInt32] = []
            for row in contribution.keys.indices {
                let slot = slotOfKey[Int(contribution.keys[row])]
                guard slot >= 0 else { continue }
                sources.append(contribution.partial.indexedByGroup ? contribution.partial.groups[row] : UInt32(row))
                targets.append(UInt32(slot))
            }
            sources.withUnsafeBufferPointer { sources in
                targets.withUnsafeBufferPointer { targets in
                    for (mine, theirs) in zip(columns, contribution.partial.columns) {
                        mine.merge(theirs, sources: sources, targets: targets)
                    }
                }
            }
        }
        for key in keys { slotOfKey[Int(key)] = -1 }
        return MergedWindow(columns: columns, positions: keys.indices.map { UInt32($0) }, keys: keys)
    }

    /// The aggregate columns of a merged window, in the plan's order, and which rows to keep (nil: all).
    func aggregates(
        _ window: MergedWindow, number: Int64, contributions: [Contribution],
        series: inout OrderedDirectory<GroupedSeries>
    ) -> (columns: [ColumnData], keep: [Bool]?) {
        var columns: [ColumnData] = []
        var hasValue = plan.hasOnlySeriesFunctions ? [Bool](repeating: false, count: window.keys.count) : nil
        var slots: [UInt32: UInt32] = [:]
        if !plan.logs.isEmpty {
            for (slot, key) in window.keys.enumerated() { slots[key] = UInt32(slot) }
        }
        for output in plan.outputs {
            switch output.source {
            case .states(let aggregate, let states):
                columns.append(
                    window.positions.withUnsafeBufferPointer {
                        aggregate.result(states.map { window.columns[$0] }, groups: $0)
                    })
            case .perSeries(let log, let function, let outer, let filter):
                let values = seriesValues(
                    log: log, function, filter, number: number, contributions, &series, slots)
                for slot in values.slots { hasValue?[Int(slot)] = true }
                columns.append(fold(values, with: outer, groupCount: window.keys.count, number: number))
            case .buckets(let log, let function, let outer, let filter):
                let values = seriesValues(
                    log: log, function, filter, number: number, contributions, &series, slots)
                for slot in values.slots { hasValue?[Int(slot)] = true }
                columns.append(bucketCells(values, outer, groupCount: window.keys.count, series))
            }
        }
        return (columns, hasValue)
    }

    /// The values of one per-series function, in order of the series' label bytes.
    private struct SeriesValues {
        var series: [UInt32] = []
        /// The group of each, as a place among the window's keys.
        var slots: [UInt32] = []
        var values: [Double] = []
    }

    private struct Piece {
        let task: Int
        let pane: Int
        let samples: SortedSamples
        let range: Range<Int>
    }

    private func seriesValues(
        log: Int, _ function: any SeriesFunction, _ filter: CompiledExpression?, number: Int64,
        _ contributions: [Contribution], _ series: inout OrderedDirectory<GroupedSeries>, _ slots: [UInt32: UInt32]
    ) -> SeriesValues {
        var pieces: [UInt32: [Piece]] = [:]
        for contribution in contributions {
            for (pane, part) in contribution.logs[log].enumerated() {
                for (entry, id) in part.series.enumerated() {
                    let range = part.samples.starts[entry]..<part.samples.starts[entry + 1]
                    guard !range.isEmpty else { continue }
                    pieces[id, default: []].append(
                        Piece(task: contribution.task, pane: pane, samples: part.samples, range: range))
                }
            }
        }
        let ranks = series.currentRanks()
        var result = SeriesValues()
        var times: [Int64] = []
        var values: [Double] = []
        let start = plan.window.startMs(number)
        let end = plan.window.endMs(number)
        for id in pieces.keys.sorted(by: { ranks[Int($0)] < ranks[Int($1)] }) {
            let member = series.keys[Int(id)]
            guard let slot = slots[member.key], let parts = pieces[id] else { continue }
            if let filter, !filter.isTrue(SeriesRow(member.labels, context)) { continue }
            times.removeAll(keepingCapacity: true)
            values.removeAll(keepingCapacity: true)
            WindowEvaluator.gather(parts, &times, &values)
            let value = times.withUnsafeBufferPointer { times in
                values.withUnsafeBufferPointer { values in
                    function.evaluate(times, values, windowStartMs: start, windowEndMs: end)
                }
            }
            guard let value else { continue }
            result.series.append(id)
            result.slots.append(slot)
            result.values.append(value)
        }
        return result
    }

    /// One series' samples in time order. Panes of one partition follow each other; several partitions are merged by time,
    /// ties in partition order, and only the first of one time is kept (SEMANTICS §2).
    private static func gather(_ parts: [Piece], _ times: inout [Int64], _ values: inout [Double]) {
        for part in parts {
            times.append(contentsOf: part.samples.timestampsMs[part.range])
            values.append(contentsOf: part.samples.values[part.range])
        }
        guard let first = parts.first, parts.contains(where: { $0.task != first.task }) else { return }
        let order = times.indices.sorted { (times[$0], $0) < (times[$1], $1) }
        var mergedTimes: [Int64] = []
        var mergedValues: [Double] = []
        for index in order where times[index] != mergedTimes.last {
            mergedTimes.append(times[index])
            mergedValues.append(values[index])
        }
        times = mergedTimes
        values = mergedValues
    }

    private func fold(
        _ values: SeriesValues, with outer: any Aggregate, groupCount: Int, number: Int64
    ) -> ColumnData {
        let columns = outer.states.map { $0.make() }
        let times = [Int64](repeating: plan.window.endMs(number), count: values.values.count)
        for column in columns {
            column.grow(to: groupCount)
            values.slots.withUnsafeBufferPointer { slots in
                values.values.withUnsafeBufferPointer { values in
                    times.withUnsafeBufferPointer { times in
                        guard let values = values.baseAddress, let times = times.baseAddress else { return }
                        column.update(groups: slots, values: values, timestamps: times)
                    }
                }
            }
        }
        let groups = (0..<groupCount).map { UInt32($0) }
        return groups.withUnsafeBufferPointer { outer.result(columns, groups: $0) }
    }

    private func bucketCells(
        _ values: SeriesValues, _ outer: any BucketAggregate, groupCount: Int, _ series: OrderedDirectory<GroupedSeries>
    ) -> ColumnData {
        var buckets = [[HistogramBucket]](repeating: [], count: groupCount)
        for row in values.values.indices {
            let labels = series.keys[Int(values.series[row])].labels
            guard let bound = labels.value(of: HistogramBucket.boundLabel).flatMap(HistogramBucket.upperBound(ofLabel:))
            else { continue }
            buckets[Int(values.slots[row])].append(HistogramBucket(upperBound: bound, count: values.values[row]))
        }
        let cells = buckets.map { outer.result(buckets: $0) }
        return ColumnData(.doubles(cells.map { $0 ?? 0 }), valid: cells.map { $0 != nil })
    }
}
