/// A key that came from two partitions of a source that says each key has one.
struct SplitKeyError: Error, CustomStringConvertible {
    let description: String
}

/// Puts the partitions' contributions to each window together and turns windows into rows, in the order of SEMANTICS §4:
/// window end, window start, key. One for each query, used by the coordinator at the barrier.
final class QueryEmitter {
    let plan: QueryPlan
    private let evaluator: WindowEvaluator
    private let builder: RowBuilder
    private let keyColumns: KeyColumns
    var keys: KeyDirectory
    var series = OrderedDirectory<GroupedSeries>()
    /// Contributions not emitted yet, by window; each list in partition order.
    var pending: [Int64: [Contribution]] = [:]
    /// Windows emitted since the last checkpoint whose contribution it knows, by partition.
    var removedSaved: [PartitionID: [Int64]] = [:]
    private var maps: [PartitionID: LocalMap] = [:]
    /// Taken from the operators and in no window yet.
    private var gathered: [Gathered] = []
    /// Which partition holds each key, for partition-local queries.
    private var owners: [UInt32: PartitionID] = [:]
    /// The newest window emitted for good.
    var emittedThrough: Int64?
    var rowsOut = 0
    var lastForgottenMs = Int64.min
    /// Windows that start earlier are left out: `replay --from` warms up before it.
    var firstWindowStartMs = Int64.min
    /// The query's detectors; nil without any.
    let anomalies: QueryAnomalies?
    /// The wall clock of a live run, ms; 0 in replay, where it decides nothing.
    var wallMs: () -> Int64 = { 0 }

    /// Rows that are computed and handed on at once.
    private static let rowsOfPart = 1 << 14

    /// One operator's local indices in terms of the directories.
    private struct LocalMap {
        var generation: Int
        /// `unknown`, or `promised` where what was gathered tells the key.
        var keys: [UInt32] = []
        var series: [UInt32] = []

        static let unknown = UInt32.max
        static let promised = UInt32.max - 1

        mutating func promise(_ group: UInt32) {
            if keys[Int(group)] == Self.unknown { keys[Int(group)] = Self.promised }
        }
    }

    /// A partial, and the keys of those of its groups that were not known when it was gathered.
    private struct Gathered {
        let id: PartitionID
        let partial: WindowPartial
        let generation: Int
        let bound: Int
        let new: PackedKeys
    }

    init(plan: QueryPlan, job: String) {
        self.plan = plan
        anomalies = QueryAnomalies(plan: plan, job: job)
        keys = KeyDirectory(columnCount: plan.grouping.columnCount)
        evaluator = WindowEvaluator(plan: plan)
        builder = RowBuilder(plan: plan)
        keyColumns = KeyColumns(plan: plan)
    }

    // MARK: Taking contributions

    /// Takes what the operators froze; they stand in partition order. Until `settle` it belongs to no window yet, but the
    /// partitions may go on.
    func gather(_ operators: [(id: PartitionID, windows: any WindowOperator)]) throws(SplitKeyError) {
        for op in operators {
            for partial in op.windows.takeFrozen() {
                guard plan.logs.isEmpty else {
                    insert(try contribution(partial, of: op.windows, id: op.id), into: &pending)
                    continue
                }
                let generation = op.windows.groupGeneration
                let bound = op.windows.groupBound
                var map = map(of: op.id, generation: generation, bound: bound)
                var new = PackedKeys()
                swap(&new, &partial.newKeys)
                for group in new.groups { map.promise(group) }
                for group in partial.groups where map.keys[Int(group)] == LocalMap.unknown {
                    new.append(group, op.windows.key(of: group))
                    map.promise(group)
                }
                maps[op.id] = map
                gathered.append(
                    Gathered(id: op.id, partial: partial, generation: generation, bound: bound, new: new))
            }
        }
    }

    /// Gives what was gathered to its windows.
    func settle() throws(SplitKeyError) {
        let all = gathered
        gathered = []
        for one in all {
            var map = map(of: one.id, generation: one.generation, bound: one.bound)
            one.new.forEach { group, key in
                if map.keys[Int(group)] >= LocalMap.promised { map.keys[Int(group)] = keys.index(ofPacked: key) }
            }
            let groupKeys = one.partial.groups.map { map.keys[Int($0)] }
            maps[one.id] = map
            keys.touch(groupKeys, endMs: plan.window.endMs(one.partial.window))
            try claim(groupKeys, for: one.id)
            insert(Contribution(id: one.id, partial: one.partial, keys: groupKeys, logs: []), into: &pending)
        }
    }

    /// Both in one.
    func collect(_ operators: [(id: PartitionID, windows: any WindowOperator)]) throws(SplitKeyError) {
        try gather(operators)
        try settle()
    }

    private func map(of id: PartitionID, generation: Int, bound: Int) -> LocalMap {
        var map = maps.removeValue(forKey: id) ?? LocalMap(generation: generation)
        if map.generation != generation { map = LocalMap(generation: generation) }
        if map.keys.count < bound { map.keys.append(contentsOf: repeatElement(.max, count: bound - map.keys.count)) }
        return map
    }

    func insert(_ new: Contribution, into windows: inout [Int64: [Contribution]]) {
        // In place: with many small files a window has as many contributions.
        let place = windows[new.partial.window]?.firstPlace { new.id < $0.id } ?? 0
        windows[new.partial.window, default: []].insert(new, at: place)
    }

    private func contribution(
        _ partial: WindowPartial, of op: any WindowOperator, id: PartitionID
    ) throws(SplitKeyError) -> Contribution {
        var map = map(of: id, generation: op.groupGeneration, bound: op.groupBound)
        let end = plan.window.endMs(partial.window)
        var groupKeys: [UInt32] = []
        groupKeys.reserveCapacity(partial.groups.count)
        for group in partial.groups { groupKeys.append(key(of: group, op, &map)) }
        keys.touch(groupKeys, endMs: end)
        let logs = partial.logs.map { panes in
            panes.map { pane in
                let samples = pane.log.sortedPrefix(pane.count)
                let ids = samples.series.map { directorySeries(of: $0, op, &map) }
                series.touch(ids, endMs: end)
                return PaneSamples(samples: samples, series: ids)
            }
        }
        maps[id] = map
        try claim(groupKeys, for: id)
        return Contribution(id: id, partial: partial, keys: groupKeys, logs: logs)
    }

    /// Notes which partition keys live in; one that lives in another already is an error.
    func claim(_ groupKeys: [UInt32], for id: PartitionID) throws(SplitKeyError) {
        guard plan.isPartitionLocal else { return }
        for key in groupKeys {
            if let owner = owners[key], owner != id { throw splitKey(key, owner, id) }
            owners[key] = id
        }
    }

    /// A partition's keys may live elsewhere from now on.
    func disown(_ id: PartitionID) {
        owners = owners.filter { $0.value != id }
        maps[id] = nil
    }

    private func key(of group: UInt32, _ op: any WindowOperator, _ map: inout LocalMap) -> UInt32 {
        if map.keys[Int(group)] >= LocalMap.promised { map.keys[Int(group)] = keys.index(of: op.key(of: group)) }
        return map.keys[Int(group)]
    }

    private func directorySeries(of local: UInt32, _ op: any WindowOperator, _ map: inout LocalMap) -> UInt32 {
        if map.series.count <= Int(local) {
            map.series.append(contentsOf: repeatElement(.max, count: Int(local) + 1 - map.series.count))
        }
        if map.series[Int(local)] == .max {
            let known = op.logSeries(local)
            map.series[Int(local)] = series.index(
                of: GroupedSeries(labels: known.labels, key: key(of: known.group, op, &map)))
        }
        return map.series[Int(local)]
    }

    private func splitKey(_ key: UInt32, _ a: PartitionID, _ b: PartitionID) -> SplitKeyError {
        SplitKeyError(
            description: """
                query \(plan.name): key {\(plan.describe(keys.key(key)))} came from \(a) and from \(b), but the \
                source says partitionedBy: [\(plan.partitionedBy.joined(separator: ", "))]. Correct the producer's \
                partitioning, or remove partitionedBy and run a single member.
                """)
    }

    // MARK: Emitting

    /// The windows up to `newest` that wait, oldest first.
    func pendingWindows(through newest: Int64) -> [Int64] { pending.keys.filter { $0 <= newest }.sorted() }

    /// Emits a window for good; each partition's share of it by itself where shares are `apart`. In update mode its rows went
    /// out with the trigger, so that it only leaves the state.
    func emit(_ window: Int64, apart: Bool, _ body: (RowBatch) throws -> Void) rethrows {
        guard let contributions = takePending(window), plan.outputMode == .append else { return }
        guard apart else { return try emit(window, contributions, only: nil, body) }
        for contribution in contributions { try emit(window, [contribution], only: nil, body) }
    }

    /// Every window up to `newest` has gone out.
    func noteEmitted(through newest: Int64) {
        emittedThrough = max(newest, emittedThrough ?? .min)
        forgetOldKeys()
    }

    private func takePending(_ window: Int64) -> [Contribution]? {
        guard let contributions = pending.removeValue(forKey: window) else { return nil }
        for contribution in contributions where contribution.isSaved {
            removedSaved[contribution.id, default: []].append(window)
        }
        return contributions
    }

    /// Update and complete mode: the rows of this trigger. Call after `collect`, before windows are emitted for good.
    ///
    /// Update: the windows and keys that changed since the last trigger. Complete: every window in state.
    func emitTrigger(
        _ operators: [(id: PartitionID, windows: any WindowOperator)], _ body: (RowBatch) throws -> Void
    ) throws {
        guard plan.outputMode != .append else { return }
        let isComplete = plan.outputMode == .complete
        var windows = pending
        var changed: [Int64: Set<UInt32>] = [:]
        for (window, contributions) in pending {
            for contribution in contributions where contribution.isNew {
                note(contribution, &changed[window, default: []])
            }
        }
        for op in operators {
            // A window with changes in one partition needs what the others hold for it too.
            for partial in op.windows.snapshotOpen(all: true) {
                let taken = try contribution(partial, of: op.windows, id: op.id)
                insert(taken, into: &windows)
                note(taken, &changed[partial.window, default: []])
            }
        }
        for window in pending.keys {
            pending[window] = pending[window]?.map { $0.markedOld }
        }
        for window in windows.keys.sorted() {
            guard let contributions = windows[window] else { continue }
            if isComplete {
                try emit(window, contributions, only: nil, body)
            } else if let only = changed[window], !only.isEmpty {
                try emit(window, contributions, only: only, body)
            }
        }
    }

    private func note(_ contribution: Contribution, _ changed: inout Set<UInt32>) {
        let groups = Set(contribution.partial.changed)
        guard !groups.isEmpty else { return }
        for (row, group) in contribution.partial.groups.enumerated() where groups.contains(group) {
            changed.insert(contribution.keys[row])
        }
    }

    private func emit(
        _ window: Int64, _ contributions: [Contribution], only: Set<UInt32>?, _ body: (RowBatch) throws -> Void
    ) rethrows {
        guard plan.window.startMs(window) >= firstWindowStartMs else { return }
        var groups = evaluator.groups(contributions, ranks: keys.currentRanks(), only: only)
        // A large window goes out in parts, so that its first rows are written while the next are computed. Functions over
        // series and detectors look at whole windows.
        let isWhole = !plan.logs.isEmpty || anomalies != nil
        let partCount = isWhole ? max(groups.keys.count, 1) : Self.rowsOfPart
        repeat {
            let part = evaluator.merge(partCount, of: &groups, contributions)
            let cells = evaluator.aggregates(part, number: window, contributions: contributions, series: &series)
            let (rows, kept) = builder.rows(
                window: window, count: part.keys.count, keys: keyColumns.columns(of: part.keys, in: keys),
                aggregates: cells.columns, keep: cells.keep)
            if anomalies != nil {
                judge(window, rows, keys: kept.map { $0.map { part.keys[$0] } } ?? part.keys, contributions)
            }
            guard rows.rowCount > 0 else { continue }
            rowsOut += rows.rowCount
            try body(rows)
        } while !groups.isMerged
    }

    /// Shows a window's rows to the detectors, also when `having` left none: known keys are missing then.
    ///
    /// Where state belongs to partitions, each sees the rows of its own keys in the windows it has data for: the same in
    /// `replay`, which emits them together, as in `run`.
    private func judge(_ window: Int64, _ rows: RowBatch, keys rowKeys: [UInt32], _ contributions: [Contribution]) {
        guard plan.isPartitionLocal else {
            anomalies?.take(window, rows, keys: rowKeys, in: keys, owner: .query, nowMs: wallMs())
            return
        }
        for contribution in contributions {
            let owner = DetectorOwner.partition(contribution.id)
            if contributions.count == 1 {
                anomalies?.take(window, rows, keys: rowKeys, in: keys, owner: owner, nowMs: wallMs())
            } else {
                let own = rowKeys.indices.filter { owners[rowKeys[$0]] == contribution.id }
                anomalies?.take(
                    window, rows.rows(own), keys: own.map { rowKeys[$0] }, in: keys, owner: owner, nowMs: wallMs())
            }
        }
    }

    /// The newest window with a contribution that waits; nil when none does.
    var newestPendingWindow: Int64? { pending.keys.max() }
    /// The oldest window with a contribution that waits; nil when none does.
    var oldestPendingWindow: Int64? { pending.keys.min() }
    /// How many windows wait for a slower partition.
    var pendingWindowCount: Int { pending.count }

    /// Bytes of state that wait for slower partitions.
    var pendingBytes: Int {
        pending.values.reduce(0) { total, list in
            total + list.reduce(0) { $0 + $1.keys.count * 4 + $1.partial.columns.reduce(0) { $0 + $1.byteCount } }
        }
    }

    /// Keys and series unseen for `keyTTL` leave the directories, so that months of churn run in flat memory.
    private func forgetOldKeys() {
        guard let emittedThrough else { return }
        let now = plan.window.endMs(emittedThrough)
        guard lastForgottenMs == .min || EventTime.difference(now, lastForgottenMs) >= plan.keyTTLMs / 4 else { return }
        lastForgottenMs = now
        // What waits for a slower partition was used in windows younger than this.
        let horizon = EventTime.difference(now, plan.keyTTLMs)
        let movedKeys = keys.forget(before: horizon)
        var movedSeries = series.forget(before: horizon)
        guard movedKeys != nil || movedSeries != nil else { return }
        maps = [:]
        if let movedKeys {
            keyColumns.reset()
            anomalies?.keysMoved()
            var kept: [UInt32: PartitionID] = [:]
            for (key, owner) in owners where movedKeys[Int(key)] != .max { kept[movedKeys[Int(key)]] = owner }
            owners = kept
            // Series know their group by its index.
            let moved = series.rekey { old in
                let key = movedKeys[Int(old.key)]
                return key == .max ? nil : GroupedSeries(labels: old.labels, key: key)
            }
            movedSeries = movedSeries.map { $0.map { $0 == .max ? .max : moved[Int($0)] } } ?? moved
        }
        for window in Array(pending.keys) {
            guard let list = pending.removeValue(forKey: window) else { continue }
            pending[window] = list.map { $0.moved(keys: movedKeys, series: movedSeries) }
        }
    }
}
