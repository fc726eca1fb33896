/// One source's tasks and the queries that read it: watermark, emission, ledger. Used by the coordinator.
final class SourceExecution {
    let definition: SourceDefinition
    /// The job's queries over this source, with their place in the job.
    let emitters: [(index: Int, emitter: QueryEmitter)]
    /// In partition order (topic bytes, number).
    private(set) var tasks: [PartitionTask] = []
    /// Tasks left out of the watermark's minimum: idle ones (live only).
    private var idle: Set<PartitionID> = []
    /// The query's watermark so far; it never goes back.
    private(set) var watermarkMs: Int64?
    /// Wall-clock ms at which each partition's last record was processed, or at which it was assigned (live only).
    var lastArrivalMs: [PartitionID: Int64] = [:]
    /// The watermark when the last partition became idle, and the last arrival then; while all are idle.
    var allIdleSince: (watermarkMs: Int64, arrivalMs: Int64)?
    /// The Kafka timestamp of the record that moved the query's watermark in the last slice (live only), ms.
    var closingRecordMs: Int64?
    /// The next offset of each idle partition (live only).
    var restingOffsets: [PartitionID: Int64] = [:]
    /// Late samples and dead letters that were taken from the partitions and not written yet.
    var side = SideRows()
    /// Nothing that joins them stands before this; nil where nothing joins them: all partitions had ended when they were taken.
    private(set) var sideFrontier: SideRow.Position?
    /// Windows that only the end of input closed.
    var closedByEnd = 0
    /// Tasks of partitions that were given back: they go on where they stopped when the partition comes again, and their
    /// ledgers stay in the summary.
    private(set) var parked: [PartitionTask] = []
    /// The query's watermark when each of them was set aside.
    private var parkedAtMs: [PartitionID: Int64] = [:]
    /// The newest frozen window of each query as checkpoints have it, by partition.
    var savedFrozen: [PartitionID: [Int64?]] = [:]
    /// A live run: windows of partition-local queries go out by their own partition's watermark.
    var emitsLocally = false
    /// A replay that leaves a checkpoint: an ended partition goes on in the run that follows, so it counts as it stands.
    var waitsForEnded = false

    init(definition: SourceDefinition, plans: [(index: Int, plan: QueryPlan)], job: String) {
        self.definition = definition
        emitters = plans.map { ($0.index, QueryEmitter(plan: $0.plan, job: job)) }
    }

    /// Notes how far the partitions are, all of whose rows so far were taken.
    func noteSideFrontier() {
        sideFrontier = tasks.filter { !$0.hasEnded }
            .map { SideRow.Position(watermarkMs: $0.watermarkMs ?? .min, partition: $0.id) }.min()
    }

    /// Adds a task. One that joins a running query joins at the query's watermark of this moment: what it brings below is
    /// late (SEMANTICS §3). Where each partition's windows go out by themselves, there is nothing to join.
    func add(_ task: PartitionTask) {
        // There may be a file for each of 100,000 partitions.
        tasks.insert(task, at: tasks.firstPlace { task.id < $0.id })
        if let watermarkMs { freeze(task, atWatermarkMs: watermarkMs) { !self.isLocal($0) } }
    }

    /// Freezes what a partition holds of windows that are closed at a watermark of `atMs`, in these queries.
    func freeze(_ task: PartitionTask, atWatermarkMs atMs: Int64, where isConcerned: (QueryPlan) -> Bool) {
        for (place, entry) in emitters.enumerated() {
            let plan = entry.emitter.plan
            guard !plan.neverCloses, isConcerned(plan) else { continue }
            task.operators[place].freeze(
                through: plan.window.newestClosed(watermarkMs: atMs, latenessMs: plan.latenessMs))
        }
    }

    /// Sets tasks aside whose partitions were given back.
    func park(_ ids: Set<PartitionID>) {
        parked += tasks.filter { ids.contains($0.id) }
        tasks.removeAll { ids.contains($0.id) }
        for task in parked { parkedAtMs[task.id] = parkedAtMs[task.id] ?? watermarkMs }
        idle.subtract(ids)
    }

    /// Takes tasks away for good.
    func remove(_ ids: Set<PartitionID>) {
        tasks.removeAll { ids.contains($0.id) }
        idle.subtract(ids)
    }

    /// As before the first record.
    func resetWatermark() {
        watermarkMs = nil
        idle = []
        allIdleSince = nil
    }

    /// Takes the task of a partition that came again.
    func unpark(_ id: PartitionID) -> PartitionTask? {
        parkedAtMs[id] = nil
        return parked.firstIndex { $0.id == id }.map { parked.remove(at: $0) }
    }

    /// Where reading of a partition that was given back goes on; nil where nothing of it was read.
    func parkedOffset(_ id: PartitionID) -> Int64? { parked.first { $0.id == id }?.nextOffset }

    /// Whether a partition that starts now joins windows that went on without it.
    func joinsLate(_ id: PartitionID) -> Bool {
        guard let watermarkMs else { return false }
        return parked.contains { $0.id == id } ? parkedAtMs[id] != watermarkMs : true
    }

    /// Every task there was.
    var everyTask: [PartitionTask] { tasks + parked }

    /// Whether a query's windows go out partition by partition.
    func isLocal(_ plan: QueryPlan) -> Bool { emitsLocally && plan.isPartitionLocal && !plan.neverCloses }

    private func operators(_ place: Int) -> [(id: PartitionID, windows: any WindowOperator)] {
        tasks.map { ($0.id, $0.operators[place]) }
    }

    // MARK: Watermark

    /// Marks a partition idle or active again.
    func setIdle(_ id: PartitionID, _ isIdle: Bool) {
        if isIdle { idle.insert(id) } else { idle.remove(id) }
    }

    func isIdle(_ id: PartitionID) -> Bool { idle.contains(id) }

    var allIdle: Bool { !tasks.isEmpty && tasks.allSatisfy { idle.contains($0.id) } }

    /// Moves the watermark to the minimum over the partitions that count; nil while one of them has not spoken.
    func advanceWatermark() {
        var minimum = Int64.max
        for task in tasks where !idle.contains(task.id) && (waitsForEnded || !task.hasEnded) {
            guard let watermark = task.watermarkMs else { return }
            minimum = min(minimum, watermark)
        }
        guard minimum < .max else { return }
        watermarkMs = max(minimum, watermarkMs ?? .min)
    }

    /// Moves the watermark by decision (every partition idle): never back.
    func raiseWatermark(to newMs: Int64) {
        watermarkMs = max(newMs, watermarkMs ?? .min)
    }

    /// Whether some window still waits for the query's watermark.
    var hasOpenWindows: Bool {
        emitters.indices.contains { place in
            !isLocal(emitters[place].emitter.plan)
                && (emitters[place].emitter.newestPendingWindow != nil
                    || tasks.contains { $0.operators[place].newestOpenWindow != nil })
        }
    }

    /// Whether a query's watermark of `newMs` would close a window that has data.
    func closes(atWatermarkMs newMs: Int64) -> Bool {
        emitters.indices.contains { place in
            let plan = emitters[place].emitter.plan
            guard !isLocal(plan), !plan.neverCloses else { return false }
            let closed = plan.window.newestClosed(watermarkMs: newMs, latenessMs: plan.latenessMs)
            return emitters[place].emitter.oldestPendingWindow.map { $0 <= closed } ?? false
                || tasks.contains { $0.operators[place].oldestOpenWindow.map { $0 <= closed } ?? false }
        }
    }

    /// Partition-local queries: closes this partition's windows as if its own watermark stood at `newMs`, where that closes
    /// one with data in some query; gives whether it does. Then it closes those of every such query, so that the decision
    /// alone tells what it did.
    func closeLocally(_ task: PartitionTask, atWatermarkMs newMs: Int64) -> Bool {
        let closesSome = emitters.indices.contains { place in
            let plan = emitters[place].emitter.plan
            guard isLocal(plan), let oldest = task.operators[place].oldestOpenWindow else { return false }
            return oldest <= plan.window.newestClosed(watermarkMs: newMs, latenessMs: plan.latenessMs)
        }
        if closesSome { freeze(task, atWatermarkMs: newMs) { self.isLocal($0) } }
        return closesSome
    }

    var allEnded: Bool { tasks.allSatisfy { $0.hasEnded } }

    /// The partition that holds the watermark back, where one does.
    var holder: PartitionTask? {
        let counted = tasks.filter { !idle.contains($0.id) && !$0.hasEnded }
        return counted.first { $0.watermarkMs == nil }
            ?? counted.min { ($0.watermarkMs ?? .min) < ($1.watermarkMs ?? .min) }
    }

    // MARK: Emission

    /// Takes from the partitions what the watermark has closed: they may go on while it is emitted.
    func gather() throws {
        for (place, entry) in emitters.enumerated() where !isLocal(entry.emitter.plan) {
            let plan = entry.emitter.plan
            if let watermarkMs, !plan.neverCloses {
                let closed = plan.window.newestClosed(watermarkMs: watermarkMs, latenessMs: plan.latenessMs)
                for task in tasks { task.operators[place].freeze(through: closed) }
            }
            try entry.emitter.gather(operators(place))
        }
    }

    /// What takes rows, with the query's place in the job.
    typealias TakeRows = (Int, RowBatch) throws -> Void
    /// What is told that a window of a query has gone out, with the query's place in the job: what its detectors found may
    /// follow.
    typealias AfterWindow = (Int, QueryEmitter) throws -> Void

    /// Emits what the watermark has closed, and with `trigger` the rows of update and complete mode.
    func emit(trigger: Bool, _ body: TakeRows) throws {
        try gather()
        try show(trigger: trigger, body) { _, _ in }
    }

    /// Emits what was gathered. With `trigger` the partitions must stand still.
    func show(trigger: Bool, _ body: TakeRows, afterWindow: AfterWindow) throws {
        if trigger { try emitLocalTrigger(body) }
        var closed: [(place: Int, newest: Int64)] = []
        for (place, entry) in emitters.enumerated() where !isLocal(entry.emitter.plan) {
            let (emitter, plan) = (entry.emitter, entry.emitter.plan)
            try emitter.settle()
            if trigger { try emitter.emitTrigger(operators(place)) { try body(entry.index, $0) } }
            // In update mode windows stay until a trigger has shown their last rows.
            guard trigger || plan.outputMode == .append, let watermarkMs, !plan.neverCloses else { continue }
            closed.append(
                (place, plan.window.newestClosed(watermarkMs: watermarkMs, latenessMs: plan.latenessMs)))
        }
        try emit(closed, body, afterWindow)
    }

    /// Emits windows for good, by the watermark that closes them, then by query: rows of queries that share an output stand in
    /// an order that depends on the records alone, wherever slices and epochs end.
    private func emit(
        _ closed: [(place: Int, newest: Int64)], apart: Bool = false, _ body: TakeRows, _ afterWindow: AfterWindow
    ) throws {
        var windows: [(closedAtMs: Int64, place: Int, window: Int64)] = []
        for (place, newest) in closed {
            let plan = emitters[place].emitter.plan
            windows += emitters[place].emitter.pendingWindows(through: newest).map {
                (EventTime.difference(plan.window.endMs($0), -plan.latenessMs), place, $0)
            }
        }
        windows.sort { $0 < $1 }
        for (_, place, window) in windows {
            let entry = emitters[place]
            try entry.emitter.emit(window, apart: apart) { try body(entry.index, $0) }
            try afterWindow(entry.index, entry.emitter)
        }
        for (place, newest) in closed { emitters[place].emitter.noteEmitted(through: newest) }
    }

    /// A partition-local live run: each partition's windows go out by its own watermark.
    func emitLocal(_ body: TakeRows, afterWindow: AfterWindow = { _, _ in }) throws {
        var closed: [(place: Int, newest: Int64)] = []
        for (place, entry) in emitters.enumerated() where isLocal(entry.emitter.plan) {
            try entry.emitter.collect(operators(place))
            // In update mode windows stay until a trigger has shown their last rows.
            guard entry.emitter.plan.outputMode == .append, let newest = entry.emitter.newestPendingWindow else {
                continue
            }
            closed.append((place, newest))
        }
        try emit(closed, apart: true, body, afterWindow)
    }

    /// Partition-local queries in update mode: what changed since the last trigger. What a partition has frozen is final,
    /// whatever the others do.
    private func emitLocalTrigger(_ body: TakeRows) throws {
        var shown: [(place: Int, newest: Int64)] = []
        for (place, entry) in emitters.enumerated() where isLocal(entry.emitter.plan) {
            guard entry.emitter.plan.outputMode == .update else { continue }
            try entry.emitter.collect(operators(place))
            try entry.emitter.emitTrigger(operators(place)) { try body(entry.index, $0) }
            if let newest = entry.emitter.newestPendingWindow { shown.append((place, newest)) }
        }
        try emit(shown, apart: true, body) { _, _ in }
    }

    /// The end of input: ended partitions count as +infinity, so windows come out up to the last with data
    /// (SEMANTICS §7). With `keepOpen` only those that some partition's own watermark had passed.
    func emitAtEnd(keepOpen: Bool, _ body: TakeRows, afterWindow: AfterWindow) throws {
        let reached = tasks.compactMap(\.watermarkMs).max()
        var closed: [(place: Int, newest: Int64)] = []
        for (place, entry) in emitters.enumerated() {
            let emitter = entry.emitter
            let plan = emitter.plan
            if plan.neverCloses {
                try emitter.emitTrigger(operators(place)) { try body(entry.index, $0) }
                continue
            }
            guard let reached else { continue }
            let newest = plan.window.newestClosed(watermarkMs: reached, latenessMs: plan.latenessMs)
            for task in tasks { task.operators[place].freeze(through: newest) }
            if !keepOpen, let last = operators(place).compactMap({ $0.windows.newestOpenWindow }).max() {
                for task in tasks { task.operators[place].freeze(through: last) }
            }
            try emitter.collect(operators(place))
            try emitter.emitTrigger(operators(place)) { try body(entry.index, $0) }
            closed.append((place, newest))
        }
        try emit(closed, body, afterWindow)
        guard !keepOpen else { return }
        closed = closed.compactMap { place, _ in emitters[place].emitter.newestPendingWindow.map { (place, $0) } }
        closedByEnd += closed.reduce(0) { $0 + emitters[$1.place].emitter.pendingWindowCount }
        try emit(closed, body, afterWindow)
    }
}
