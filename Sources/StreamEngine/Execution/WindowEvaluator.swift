/// One partition's contribution to a window, in terms of the coordinator's directories.
struct Contribution {
    let id: PartitionID
    let partial: WindowPartial
    /// The key of each of `partial.groups`.
    var keys: [UInt32]
    /// For each log of the plan, the window's panes in time order.
    var logs: [[PaneSamples]]
    /// Whether no trigger has seen it yet (update mode).
    var isNew = true
    /// Whether a checkpoint has it.
    var isSaved = false

    /// The same after the directories moved their indices; nil where one did not.
    func moved(keys newKeys: [UInt32]?, series newSeries: [UInt32]?) -> Contribution {
        var copy = self
        if let newKeys { copy.keys = keys.map { newKeys[Int($0)] } }
        if let newSeries {
            for log in copy.logs.indices {
                for pane in copy.logs[log].indices {
                    copy.logs[log][pane].series = logs[log][pane].series.map { newSeries[Int($0)] }
                }
            }
        }
        return copy
    }

    /// The same, seen by a trigger.
    var markedOld: Contribution {
        var copy = self
        copy.isNew = false
        return copy
    }
}

/// A series within its group, as per-series functions see it over all partitions.
struct GroupedSeries: InternedKey {
    let labels: SeriesLabels
    /// Index of the group's key.
    let key: UInt32

    var hash64: UInt64 { labels.hash64 ^ UInt64(key) &* 0x9E37_79B9_7F4A_7C15 }

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

    /// Those of its groups, in key order.
    func part(_ range: Range<Int>) -> MergedWindow {
        guard range.count < keys.count else { return self }
        return MergedWindow(columns: columns, positions: Array(positions[range]), keys: Array(keys[range]))
    }
}

/// Merges the contributions to one window and computes its rows.
final class WindowEvaluator {
    private let plan: QueryPlan
    /// For filters that look at labels only; those that look at topic or partition are applied where samples are logged.
    private let context: RowContext
    private var slotOfKey: [Int32] = []
    private let walk = SeriesWalk()

    init(plan: QueryPlan) {
        self.plan = plan
        context = RowContext(plan: plan, partition: PartitionID(source: plan.source, topic: "", partition: 0))
    }

    /// Merges by key: panes were merged by time before, partitions follow in order of topic bytes and number
    /// (SEMANTICS §4). `ranks` gives the order of keys; with `only` other keys are left out.
    func merge(_ contributions: [Contribution], ranks: [UInt32], only: Set<UInt32>?) -> MergedWindow {
        if contributions.count == 1, let single = contributions.first {
            // Nothing to merge: read the partial's columns where they are.
            return inKeyOrder(single, ranks: ranks, only: only)
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
        sort(&keys, by: ranks)
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

    /// By counting where most keys occur, else by sorting.
    private func sort(_ keys: inout [UInt32], by ranks: [UInt32]) {
        guard keys.count * 8 >= ranks.count else { return keys.sort { ranks[Int($0)] < ranks[Int($1)] } }
        var keyOfRank = [UInt32](repeating: .max, count: ranks.count)
        for key in keys { keyOfRank[Int(ranks[Int(key)])] = key }
        keys.removeAll(keepingCapacity: true)
        for key in keyOfRank where key != .max { keys.append(key) }
    }

    /// A single contribution's groups by the rank of their keys: by counting where most keys occur, else by sorting.
    private func inKeyOrder(_ single: Contribution, ranks: [UInt32], only: Set<UInt32>?) -> MergedWindow {
        var rows = Array(single.keys.indices)
        if let only { rows.removeAll { !only.contains(single.keys[$0]) } }
        if rows.count * 8 < ranks.count {
            rows.sort { ranks[Int(single.keys[$0])] < ranks[Int(single.keys[$1])] }
        } else {
            var rowOfRank = [Int32](repeating: -1, count: ranks.count)
            for row in rows { rowOfRank[Int(ranks[Int(single.keys[row])])] = Int32(row) }
            rows.removeAll(keepingCapacity: true)
            for row in rowOfRank where row >= 0 { rows.append(Int(row)) }
        }
        let groups = single.partial.groups
        let isIndexedByGroup = single.partial.indexedByGroup
        return MergedWindow(
            columns: single.partial.columns, positions: rows.map { isIndexedByGroup ? groups[$0] : UInt32($0) },
            keys: rows.map { single.keys[$0] })
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
        // Outputs over one log share the walk over its series.
        var valuesOfOutput: [SeriesValues] = Array(repeating: SeriesValues(), count: plan.outputs.count)
        for log in plan.logs.indices {
            evaluate(log, number: number, contributions, &series, slots, into: &valuesOfOutput)
        }
        for (place, output) in plan.outputs.enumerated() {
            switch output.source {
            case .states(let aggregate, let states):
                columns.append(
                    window.positions.withUnsafeBufferPointer {
                        aggregate.result(states.map { window.columns[$0] }, groups: $0)
                    })
            case .perSeries(_, _, let outer, _):
                for slot in valuesOfOutput[place].slots { hasValue?[Int(slot)] = true }
                columns.append(fold(valuesOfOutput[place], with: outer, groupCount: window.keys.count, number: number))
            case .buckets(_, _, let outer, _):
                for slot in valuesOfOutput[place].slots { hasValue?[Int(slot)] = true }
                columns.append(bucketCells(valuesOfOutput[place], outer, groupCount: window.keys.count, series))
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

    /// One output that reads a log.
    private struct Reader {
        let place: Int
        let function: any SeriesFunction
        let filter: CompiledExpression?
    }

    private func readers(of log: Int) -> [Reader] {
        plan.outputs.enumerated().compactMap { place, output in
            switch output.source {
            case .perSeries(log, let function, _, let filter), .buckets(log, let function, _, let filter):
                Reader(place: place, function: function, filter: filter)
            case .states, .perSeries, .buckets: nil
            }
        }
    }

    /// Evaluates every function that reads `log`, series by series in order of their label bytes.
    private func evaluate(
        _ log: Int, number: Int64, _ contributions: [Contribution], _ series: inout OrderedDirectory<GroupedSeries>,
        _ slots: [UInt32: UInt32], into results: inout [SeriesValues]
    ) {
        _ = series.currentRanks()
        walk.begin(seriesCount: series.keys.count)
        for (place, contribution) in contributions.enumerated() {
            for part in contribution.logs[log] { walk.add(part, task: place) }
        }
        let start = plan.window.startMs(number)
        let end = plan.window.endMs(number)
        let readers = readers(of: log)
        for id in series.order where walk.has(id) {
            let member = series.keys[Int(id)]
            guard let slot = slots[member.key] else { continue }
            let samples = walk.samples(of: id)
            for reader in readers {
                if let filter = reader.filter, !filter.isTrue(SeriesRow(member.labels, context)) { continue }
                let value = reader.function.evaluate(
                    samples.timestampsMs, samples.values, windowStartMs: start, windowEndMs: end)
                guard let value else { continue }
                results[reader.place].series.append(id)
                results[reader.place].slots.append(slot)
                results[reader.place].values.append(value)
            }
        }
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
        _ values: SeriesValues, _ outer: any BucketAggregate, groupCount: Int,
        _ series: borrowing OrderedDirectory<GroupedSeries>
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
