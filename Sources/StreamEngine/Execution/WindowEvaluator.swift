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

/// The groups of one window, in key order.
struct WindowGroups {
    /// Key of each group.
    let keys: [UInt32]
    fileprivate var takenKeys = 0
    fileprivate var parts: [Part]

    /// What one contribution has of them, in key order.
    fileprivate struct Part {
        /// The place of each among all groups, and where it stands in the contribution's columns.
        var slots: [UInt32] = []
        var positions: [UInt32] = []
        /// How many were merged.
        var taken = 0
    }

    var isMerged: Bool { takenKeys == keys.count }
}

/// The states of some of a window's groups.
struct MergedGroups {
    let columns: [any StateColumn]
    /// Position of each group in `columns`, in key order.
    let positions: [UInt32]
    /// Key of each group, in key order.
    let keys: [UInt32]
}

/// Merges the contributions to one window and computes its rows.
final class WindowEvaluator {
    private let plan: QueryPlan
    /// For filters that look at labels only; those that look at topic or partition are applied where samples are logged.
    private let context: RowContext
    private let walk = SeriesWalk()
    /// What few groups are merged into, used again for the next ones, and for how many there is room.
    private var spare: (columns: [any StateColumn], count: Int) = ([], 0)
    private static let spareMax = 1 << 14
    /// `none` but while the groups of a window are put in order.
    private var slotOfRank: [UInt32] = []
    private static let none = UInt32.max

    init(plan: QueryPlan) {
        self.plan = plan
        context = RowContext(plan: plan, partition: PartitionID(source: plan.source, topic: "", partition: 0))
    }

    /// The groups of these contributions. `ranks` gives the order of keys; with `only` other keys are left out.
    func groups(_ contributions: [Contribution], ranks: [UInt32], only: Set<UInt32>?) -> WindowGroups {
        if slotOfRank.count < ranks.count {
            slotOfRank.append(contentsOf: repeatElement(Self.none, count: ranks.count - slotOfRank.count))
        }
        return slotOfRank.withUnsafeMutableBufferPointer { slotOfRank in
            ranks.withUnsafeBufferPointer { ranks in
                let keys = WindowEvaluator.inKeyOrder(contributions, ranks, only, slotOfRank)
                let parts = contributions.map { WindowEvaluator.part($0, ranks, slotOfRank, slotCount: keys.count) }
                for key in keys { slotOfRank[Int(ranks[Int(key)])] = Self.none }
                return WindowGroups(keys: keys, parts: parts)
            }
        }
    }

    /// The keys of some contributions, each once: by counting where most keys occur, else by sorting. Notes the place of each
    /// at its rank.
    private static func inKeyOrder(
        _ contributions: [Contribution], _ ranks: UnsafeBufferPointer<UInt32>, _ only: Set<UInt32>?,
        _ slotOfRank: UnsafeMutableBufferPointer<UInt32>
    ) -> [UInt32] {
        let most = contributions.reduce(0) { $0 + $1.keys.count }
        var keys: [UInt32] = []
        keys.reserveCapacity(min(most, ranks.count))
        for contribution in contributions {
            for key in contribution.keys where slotOfRank[Int(ranks[Int(key)])] == none && only?.contains(key) ?? true {
                slotOfRank[Int(ranks[Int(key)])] = key
                keys.append(key)
            }
        }
        if most * 8 >= ranks.count {
            keys.removeAll(keepingCapacity: true)
            for rank in ranks.indices where slotOfRank[rank] != none { keys.append(slotOfRank[rank]) }
        } else {
            keys.sort { ranks[Int($0)] < ranks[Int($1)] }
        }
        for (slot, key) in keys.enumerated() { slotOfRank[Int(ranks[Int(key)])] = UInt32(truncatingIfNeeded: slot) }
        return keys
    }

    private static func part(
        _ contribution: Contribution, _ ranks: UnsafeBufferPointer<UInt32>,
        _ slotOfRank: UnsafeMutableBufferPointer<UInt32>, slotCount: Int
    ) -> WindowGroups.Part {
        let groups = contribution.partial.groups
        let isIndexedByGroup = contribution.partial.indexedByGroup
        var part = WindowGroups.Part()
        part.slots.reserveCapacity(contribution.keys.count)
        part.positions.reserveCapacity(contribution.keys.count)
        if contribution.keys.count * 8 >= slotCount {
            var positionOfSlot = [UInt32](repeating: none, count: slotCount)
            for (row, key) in contribution.keys.enumerated() {
                let slot = slotOfRank[Int(ranks[Int(key)])]
                guard slot != none else { continue }
                positionOfSlot[Int(slot)] = isIndexedByGroup ? groups[row] : UInt32(truncatingIfNeeded: row)
            }
            for slot in 0..<slotCount where positionOfSlot[slot] != none {
                part.slots.append(UInt32(truncatingIfNeeded: slot))
                part.positions.append(positionOfSlot[slot])
            }
        } else {
            var entries: [UInt64] = []
            for (row, key) in contribution.keys.enumerated() {
                let slot = slotOfRank[Int(ranks[Int(key)])]
                guard slot != none else { continue }
                entries.append(UInt64(slot) << 32 | UInt64(isIndexedByGroup ? groups[row] : UInt32(row)))
            }
            entries.sort()
            part.slots = entries.map { UInt32(truncatingIfNeeded: $0 >> 32) }
            part.positions = entries.map { UInt32(truncatingIfNeeded: $0) }
        }
        return part
    }

    /// Merges the next `count` groups by key: panes were merged by time before, partitions follow in order of topic bytes and
    /// number (SEMANTICS §4). What it gives is good until the next call.
    func merge(_ count: Int, of groups: inout WindowGroups, _ contributions: [Contribution]) -> MergedGroups {
        let range = groups.takenKeys..<min(groups.takenKeys + count, groups.keys.count)
        let keys = Array(groups.keys[range])
        groups.takenKeys = range.upperBound
        if contributions.count == 1, let partial = contributions.first?.partial {
            // Nothing to merge: read the partial's columns where they are.
            return MergedGroups(
                columns: partial.columns, positions: Array(groups.parts[0].positions[range]), keys: keys)
        }
        let columns = emptyColumns(keys.count)
        for (place, contribution) in contributions.enumerated() {
            WindowEvaluator.merge(contribution.partial.columns, &groups.parts[place], in: range, into: columns)
        }
        return MergedGroups(columns: columns, positions: keys.indices.map { UInt32($0) }, keys: keys)
    }

    private func emptyColumns(_ count: Int) -> [any StateColumn] {
        let isKept = count <= WindowEvaluator.spareMax
        // To clear room for many costs more than to make some for few.
        if !isKept || spare.columns.isEmpty || spare.count > 2 * count + 1024 {
            let columns = plan.states.map { $0.kind.make() }
            for column in columns { column.grow(to: count) }
            if isKept { spare = (columns, count) }
            return columns
        }
        for column in spare.columns {
            column.clear()
            column.grow(to: count)
        }
        spare.count = max(spare.count, count)
        return spare.columns
    }

    /// Merges what one contribution has of the groups of `range`, which begins where it was merged up to.
    private static func merge(
        _ theirs: [any StateColumn], _ part: inout WindowGroups.Part, in range: Range<Int>,
        into columns: [any StateColumn]
    ) {
        var end = part.taken
        while end < part.slots.count, part.slots[end] < range.upperBound { end += 1 }
        let targets = part.slots[part.taken..<end].map { $0 - UInt32(truncatingIfNeeded: range.lowerBound) }
        part.positions.withUnsafeBufferPointer { positions in
            let sources = UnsafeBufferPointer(rebasing: positions[part.taken..<end])
            targets.withUnsafeBufferPointer { targets in
                for (mine, theirs) in zip(columns, theirs) { mine.merge(theirs, sources: sources, targets: targets) }
            }
        }
        part.taken = end
    }

    /// The aggregate columns of a merged window, in the plan's order, and which rows to keep (nil: all).
    func aggregates(
        _ window: MergedGroups, number: Int64, contributions: [Contribution],
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
