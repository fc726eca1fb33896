import StreamEngine

/// Which of a partition's series one query wants, and the group each belongs to: decided once a series, then an array
/// look-up a sample (DESIGN §2).
final class GroupDirectory {
    private static let filtered = UInt32.max

    private let plan: QueryPlan
    private let series: SeriesDictionary
    private let context: RowContext
    private let rowFilter: RowEvaluator?
    private let keysDifferByRow: Bool
    /// Whether the key's columns are labels of the series.
    private let keysAreLabels: Bool
    /// Whether labels alone decide, and not by a look at each series: every one is wanted.
    private let wantsAllSeries: Bool

    private var groupOfSeries = GrowingRun<UInt32>()
    var keys: GroupKeys
    /// Groups whose keys were told in this generation.
    private var told: [Bool] = []
    var freeGroups: [UInt32] = []
    /// Ids of series in sample logs, by series index; kept apart from those of the dictionary, which are used again
    /// while a log may still hold the old one.
    var logIDs: [UInt32] = []
    var logEntries: [LogEntry?] = []
    var freeLogIDs: [UInt32] = []
    /// What changed since the last checkpoint; nil where there are none.
    var unsaved: UnsavedIndices?
    /// Bumped whenever indices may mean something else than before.
    private(set) var generation = 0

    struct LogEntry {
        let labels: SeriesLabels
        let group: UInt32
        /// Its index in the series dictionary, of no meaning once it is gone.
        let series: UInt32
        var isGone = false
    }

    init(plan: QueryPlan, partition: PartitionID, series: SeriesDictionary) {
        self.plan = plan
        self.series = series
        let context = RowContext(plan: plan, partition: partition)
        self.context = context
        rowFilter = plan.rowFilter.map { RowEvaluator($0, series: series, context: context) }
        keysDifferByRow = plan.keysDifferByRow
        let columns = plan.keyLabels
        keysAreLabels = columns != nil && !plan.keysDifferByRow
        wantsAllSeries = plan.selector == nil && plan.seriesFilter == nil && plan.logs.isEmpty
        keys = GroupKeys(series: series, columns: columns)
    }

    var bound: Int { keys.bound }

    /// The keys of those of these groups that were not told yet.
    func tell(_ groups: [UInt32]) -> PackedKeys {
        if told.count < bound { told.append(contentsOf: repeatElement(false, count: bound - told.count)) }
        var new = PackedKeys()
        keys.write(groups.lazy.filter { !self.told[Int($0)] }, to: &new)
        for group in new.groups { told[Int(group)] = true }
        return new
    }

    func key(of group: UInt32) -> GroupKey { keys.key(of: group) ?? GroupKey([]) }

    func labels(ofSeries index: UInt32) -> SeriesLabels {
        series.labels(of: index) ?? SeriesLabels(name: .empty, labels: [])
    }

    // MARK: Series

    func add(series new: [UInt32]) {
        for index in new {
            groupOfSeries.lengthen(to: Int(index) + 1, with: GroupDirectory.filtered)
            if wantsAllSeries, keysAreLabels {
                groupOfSeries[Int(index)] = group(ofSeries: index)
                continue
            }
            guard let labels = series.labels(of: index) else { continue }
            let row = SeriesRow(labels, context)
            let isSelected = plan.selector?.matches(labels) ?? true
            let passes = isSelected && (plan.seriesFilter.map { $0.isTrue(row) } ?? true)
            // With keys that differ by row any group but `filtered` will do here.
            let group =
                if !passes {
                    GroupDirectory.filtered
                } else if keysDifferByRow {
                    UInt32(0)
                } else {
                    keysAreLabels ? self.group(ofSeries: index) : self.group(of: key(of: row, labels))
                }
            groupOfSeries[Int(index)] = group
            if passes && !plan.logs.isEmpty { enterLog(index, labels, group) }
        }
        rowFilter?.add(series: new)
    }

    func forget(series gone: [UInt32]) {
        for index in gone where Int(index) < groupOfSeries.count {
            if groupOfSeries[Int(index)] != GroupDirectory.filtered {
                keys.leave(index, from: groupOfSeries[Int(index)])
            }
            groupOfSeries[Int(index)] = GroupDirectory.filtered
            if Int(index) < logIDs.count, logIDs[Int(index)] != .max {
                logEntries[Int(logIDs[Int(index)])]?.isGone = true
                unsaved?.logs.insert(logIDs[Int(index)])
                logIDs[Int(index)] = .max
            }
        }
    }

    /// Gives back the groups that no series and none of `kept` (groups in open panes) refers to.
    func recycle(keeping kept: some Sequence<UInt32>) {
        var isLive = [Bool](repeating: false, count: keys.bound)
        for index in 0..<groupOfSeries.count where groupOfSeries[index] != GroupDirectory.filtered {
            if Int(groupOfSeries[index]) < keys.bound { isLive[Int(groupOfSeries[index])] = true }
        }
        for group in kept { isLive[Int(group)] = true }
        var changed = false
        for group in isLive.indices where !isLive[group] && keys.holds(UInt32(group)) {
            keys.remove(UInt32(group))
            unsaved?.groups.insert(UInt32(group))
            freeGroups.append(UInt32(group))
            changed = true
        }
        for id in logEntries.indices where logEntries[id]?.isGone == true {
            logEntries[id] = nil
            unsaved?.logs.insert(UInt32(id))
            freeLogIDs.append(UInt32(id))
            changed = true
        }
        guard changed else { return }
        generation += 1
        told = []
    }

    private func enterLog(_ index: UInt32, _ labels: SeriesLabels, _ group: UInt32) {
        if logIDs.count <= Int(index) {
            logIDs.append(contentsOf: repeatElement(.max, count: Int(index) + 1 - logIDs.count))
        }
        // Read from a checkpoint.
        if logIDs[Int(index)] != .max { return }
        let entry = LogEntry(labels: labels, group: group, series: index)
        if let free = freeLogIDs.popLast() {
            logEntries[Int(free)] = entry
            logIDs[Int(index)] = free
        } else {
            logIDs[Int(index)] = UInt32(logEntries.count)
            logEntries.append(entry)
        }
        unsaved?.logs.insert(logIDs[Int(index)])
    }

    /// The id under which sample logs know a series.
    func logID(ofSeries index: UInt32) -> UInt32 { logIDs[Int(index)] }

    func logSeries(_ id: UInt32) -> (labels: SeriesLabels, group: UInt32) {
        guard let entry = logEntries[Int(id)] else { return (SeriesLabels(name: .empty, labels: []), 0) }
        return (entry.labels, entry.group)
    }

    // MARK: Keys

    private func group(of key: GroupKey) -> UInt32 { note(keys.group(of: key, free: freeGroups.last)) }

    private func group(ofSeries index: UInt32) -> UInt32 {
        note(keys.group(ofSeries: index, free: freeGroups.last))
    }

    private func note(_ found: (group: UInt32, isNew: Bool)) -> UInt32 {
        guard found.isNew else { return found.group }
        if freeGroups.last == found.group { freeGroups.removeLast() }
        unsaved?.groups.insert(found.group)
        return found.group
    }

    private func key(of row: some ExpressionRow, _ labels: SeriesLabels) -> GroupKey {
        switch plan.grouping {
        case .by(let columns):
            GroupKey(columns.map { GroupDirectory.cell($0.expression.value(row)) })
        case .without(let left):
            GroupKey(labels.labels.filter { !left.contains($0.name) }.map { .label($0) })
        }
    }

    private static func cell(_ value: Value) -> KeyCell {
        switch value {
        case .null: .missing
        case .text(let text): .text(text)
        case .number(let number): .number(number)
        case .boolean(let flag): .number(flag ? 1 : 0)
        }
    }

    // MARK: Rows

    /// The group of each row of a batch; `UInt32.max` for rows the query does not want.
    func resolve(_ batch: SampleBatch, into groups: UnsafeMutablePointer<UInt32>) {
        let count = batch.count
        let ids = batch.series
        let table = groupOfSeries.base
        for row in 0..<count {
            let id = ids[row]
            groups[row] = id == SampleBatch.overLimit ? GroupDirectory.filtered : table[Int(id)]
        }
        if let rowFilter {
            rowFilter.begin(batch)
            for row in 0..<count where groups[row] != GroupDirectory.filtered {
                if !rowFilter.isTrue(batch, row) { groups[row] = GroupDirectory.filtered }
            }
        }
        guard keysDifferByRow else { return }
        for row in 0..<count where groups[row] != GroupDirectory.filtered {
            groups[row] = group(of: key(of: BatchRow(batch, row, series, context), labels(ofSeries: ids[row])))
        }
    }

    var byteCount: Int {
        groupOfSeries.byteCount + keys.byteCount + logEntries.capacity * MemoryLayout<LogEntry?>.stride
    }
}
