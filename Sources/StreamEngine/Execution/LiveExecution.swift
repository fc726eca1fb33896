import Platform

/// When a live run ends by itself.
public enum LiveEnd: Sendable {
    /// Only when asked to.
    case never
    /// When everything that is there has been read, as one epoch; open windows stay open.
    case once
    /// When everything that is there has been read, epoch by epoch; open windows stay open.
    case availableNow

    /// Whether the run reads what is there and ends.
    var isBounded: Bool {
        switch self {
        case .never: false
        case .once, .availableNow: true
        }
    }
}

/// What a live run knows beside its sources' state.
struct LiveRunState {
    /// Assigned partitions that are not read yet: the broker has not said from which offset.
    var waiting: [PartitionID] = []
    /// When the broker is asked for their offsets again (monotonic).
    var nextTryNs: Int64 = 0
    var hasSaidRetry = false
    /// The group has given out partitions (maybe none to this member) and has not taken them back since.
    var holdsAssignment = false
    var everAssigned = false
    /// Other members hold partitions of this job.
    var isShared = false
    /// Monotonic time since when there is nothing to work with: no broker in reach, or no assignment; nil otherwise.
    var stuckSinceNs: Int64?
    var isReachable = true
    /// What was there when the run began, where `startingOffsets` makes a difference; nil before the broker said.
    var presentAtStart: Set<PartitionID>?
    /// Readers handed out and not closed.
    var readers: [PartitionID: any PartitionReader] = [:]
    /// The first offset of each partition of this run.
    var starts: [PartitionID: Int64] = [:]
    /// A bounded run: where each partition ended when it was first seen, and those read up to there.
    var ends: [PartitionID: Int64] = [:]
    var fullyRead: Set<PartitionID> = []
    /// The wall clock at the last turn.
    var lastTurnMs: Int64?
    /// When the last turn began to take records (monotonic).
    var lastTakenNs = Int64.min
    /// Queries whose first window was announced.
    var announced: Set<String> = []
    /// Partitions of broadcast sources that are not read yet, with the reader that found them.
    var broadcastWaiting: [(reader: any LiveSource, ids: [PartitionID])] = []
    /// A bounded run has read all else: until when it waits for its broadcast sources (monotonic).
    var contextDeadlineNs: Int64?
    /// When progress was last told of without an epoch (monotonic).
    var lastQuietReportNs: Int64 = 0
}

extension JobExecution {
    /// Runs over a growing source until it is stopped: the whole of `run`. `log` is given lines for the person who
    /// watches. The source is closed at the end (the group is left), also when this throws.
    public func run(
        _ source: any LiveSource, end: LiveEnd, stop: StopRequest, log: (String) -> Void
    ) throws -> JobSummary {
        isLive = true
        liveTopics = source
        for execution in sources {
            execution.emitsLocally = true
            for entry in execution.emitters { entry.emitter.wallMs = { [clock] in clock.wallMs() } }
        }
        lag = { [unowned self] in self.currentLag(source) }
        defer {
            lag = nil
            liveTopics = nil
            for reader in broadcastReaders { reader.close() }
            source.close()
        }
        do {
            if let failure = pool.failure { throw failure }
            live.stuckSinceNs = clock.monotonicNs()
            live.lastQuietReportNs = clock.monotonicNs()
            while !stop.isRequested {
                try turn(source, end, log)
                if end.isBounded, isFullyRead, isContextRead(log) {
                    // An epoch that failed is read again.
                    if try finishEpochOrRecover(log) { break }
                }
            }
            try finishEpochOrRecover(log)
        } catch {
            abandon()
            throw error
        }
        source.close()
        try close()
        tellNotices(log)
        var result = summary()
        result.interrupted = stop.isRequested
        return result
    }

    /// One turn: what the source says, what it holds, what the clock decides, and the trigger when it is due.
    private func turn(_ source: any LiveSource, _ end: LiveEnd, _ log: (String) -> Void) throws {
        // What is left of a slice lies at hand: nothing need be waited for.
        let isAtHand = hasMoreAtHand(end)
        if !isAtHand { gather(end) }
        let nowNs = clock.monotonicNs()
        let untilNs = isAtHand ? nowNs : min(nextTriggerNs, nowNs + 100_000_000)
        notePresent(source)
        for event in source.poll(untilNs: untilNs) { try take(event, from: source, log) }
        try startWaiting(source, log)
        try readBroadcasts(log)
        live.lastTakenNs = clock.monotonicNs()
        try work(source, end)
        tellNotices(log)
        try finishCatchingUp(log)
        announceFirstWindows(log)
        switch end {
        case .once: break
        case .never, .availableNow:
            if clock.monotonicNs() >= nextTriggerNs { try finishEpochOrRecover(log) }
        }
        reportWhenQuiet()
        if end.isBounded { try giveUpWhenStuck(source) }
    }

    /// Lets records come together: a turn for each of many small messages would cost more than the messages. The first
    /// after a silence is taken at once, the next ones up to a twentieth of the trigger later, 10 ms at most.
    private func gather(_ end: LiveEnd) {
        guard case .never = end, live.holdsAssignment, live.waiting.isEmpty, live.lastTakenNs > .min else { return }
        let nowNs = clock.monotonicNs()
        let dueNs = min(live.lastTakenNs + min(10_000_000, triggerNs / 20), nextTriggerNs)
        if dueNs - nowNs >= 1_000_000 { clock.sleep(ms: Int((dueNs - nowNs) / 1_000_000)) }
    }

    private func take(_ event: SourceEvent, from source: any LiveSource, _ log: (String) -> Void) throws {
        switch event {
        case .assigned(let ids): try assigned(ids, from: source, log)
        case .revoked(let ids):
            try finishEpochOrRecover(log)
            try giveBack(ids, to: source)
            log("partitions given back: \(PartitionID.list(ids))")
        case .lost(let ids):
            try loseEpoch(log)
            try giveBack(ids, to: source)
            log("partitions lost, the group went on without this member: \(PartitionID.list(ids))")
        case .brokerDown(let text):
            live.isReachable = false
            live.stuckSinceNs = live.stuckSinceNs ?? clock.monotonicNs()
            log(text)
        case .brokerUp(let text):
            live.isReachable = true
            log(text)
        case .warning(let text): log("warning: \(text)")
        case .failed(let error): throw JobFailure(error.description)
        }
    }

    /// Processes what is at hand and emits what that closes.
    private func work(_ source: any LiveSource, _ end: LiveEnd) throws {
        if isCatchingUp { return try catchUp() }
        let ready = tasksWithinReach(end)
        try slice(ready, bytes: options.sliceBytes)
        if end.isBounded { noteFullyRead(source) }
        let nowMs = clock.wallMs()
        let looked = Set(ready.map(\.task.id))
        forgiveGap(nowMs: nowMs)
        for source in sources {
            noteArrivals(source, nowMs: nowMs)
            noteIdle(source, looked, nowMs: nowMs)
            let before = source.watermarkMs
            source.advanceWatermark()
            source.closingRecordMs = source.closingRecordMs(before: before)
            raiseWhenAllIdle(source, nowMs: nowMs)
            raiseIdleLocally(source, nowMs: nowMs)
        }
        try emitLocal()
        try emit(trigger: false)
    }

    /// Reads again what an older state has not seen: nothing of it is shown.
    private func catchUp() throws {
        let behind = sources.flatMap { source in
            source.tasks.filter { session?.catchingUp[$0.id] != nil }.map { (source, $0) }
        }
        repeatDecisionsBehind()
        try slice(behind, bytes: options.sliceBytes)
        for source in sources {
            source.advanceWatermark()
            try source.emitLocal { _, _ in }
            try source.emit(trigger: false) { _, _ in }
        }
    }

    /// Every task but those too far ahead of the slowest one that is not idle. A bounded run does not wait for partitions
    /// it has read to their end, and leaves alone what came after it began.
    private func tasksWithinReach(_ end: LiveEnd) -> [(source: SourceExecution, task: PartitionTask)] {
        let maxAhead = job.definition.effectiveMaxAheadMs
        return sources.flatMap { source in
            let open = source.tasks.filter { !live.fullyRead.contains($0.id) }
            let slowest = open.filter { !source.isIdle($0.id) }.compactMap(\.watermarkMs).min()
            return open.filter { task in
                guard let slowest, let watermark = task.watermarkMs else { return true }
                return EventTime.difference(watermark, slowest) <= maxAhead
            }.map { (source, $0) }
        }
    }

    private func hasMoreAtHand(_ end: LiveEnd) -> Bool {
        tasksWithinReach(end).contains {
            if case .more = $0.task.outcome { true } else { false }
        }
    }

    // MARK: Bounded runs

    /// What is there is what was there when its partition was first heard of; a producer that goes on does not keep the
    /// run from ending.
    private func noteFullyRead(_ source: any LiveSource) {
        for task in sources.flatMap(\.tasks) where !live.fullyRead.contains(task.id) {
            if live.ends[task.id] == nil { live.ends[task.id] = source.bounds(of: task.id)?.high }
            if case .caughtUp = task.outcome { live.fullyRead.insert(task.id) }
            if let end = live.ends[task.id], let next = task.nextOffset, next >= end { live.fullyRead.insert(task.id) }
        }
    }

    private var isFullyRead: Bool {
        live.holdsAssignment && live.waiting.isEmpty
            && sources.flatMap(\.tasks).allSatisfy { live.fullyRead.contains($0.id) }
    }

    /// A bounded run gives up where a run without an end keeps trying.
    private func giveUpWhenStuck(_ source: any LiveSource) throws(JobFailure) {
        let isReading = sources.contains { $0.tasks.contains { $0.advanced } }
        if isReading || live.isReachable && live.holdsAssignment && live.waiting.isEmpty {
            live.stuckSinceNs = nil
            return
        }
        let sinceNs = live.stuckSinceNs ?? clock.monotonicNs()
        live.stuckSinceNs = sinceNs
        // A group gives out nothing while it waits for a member that was killed: up to its session's end, 45 s by default.
        let limitMs = options.reachTimeoutMs * (live.isReachable ? 4 : 1)
        guard clock.monotonicNs() - sinceNs > limitMs * 1_000_000 else { return }
        let limit = DurationText.compact(limitMs)
        throw JobFailure(
            live.isReachable
                ? "\(source.description): no partition to read for \(limit); do the topics exist, and is the group free?"
                : "\(source.description): no broker in reach for \(limit); is it up, and is its address right?")
    }

    // MARK: Progress

    /// Says, once for each query, when its first rows are due: nobody wonders at a quiet start.
    private func announceFirstWindows(_ log: (String) -> Void) {
        guard live.announced.count < job.queries.count else { return }
        for source in sources {
            for (place, entry) in source.emitters.enumerated() where !live.announced.contains(entry.emitter.plan.name) {
                let plan = entry.emitter.plan
                let open = source.tasks.compactMap { $0.operators[place].oldestOpenWindow }
                let oldest = (open + [entry.emitter.oldestPendingWindow].compactMap(\.self)).min()
                guard let window = oldest ?? (entry.emitter.rowsOut > 0 ? .min : nil) else { continue }
                live.announced.insert(plan.name)
                guard window > .min, !plan.neverCloses, entry.emitter.rowsOut == 0 else { continue }
                let end = plan.window.endMs(window)
                let due = EventTime.rfc3339(end + plan.latenessMs + source.definition.watermark.delayMs)
                log(
                    "query \(plan.name): first window \(EventTime.rfc3339(plan.window.startMs(window))) to "
                        + "\(EventTime.rfc3339(end)) is final when the watermark has come that far, at records of \(due)"
                )
            }
        }
    }

    /// Without an epoch, progress is told every 10 s all the same: a stream that waits says for what.
    private func reportWhenQuiet() {
        let nowNs = clock.monotonicNs()
        if hasNews { live.lastQuietReportNs = nowNs }
        guard nowNs - live.lastQuietReportNs >= 10_000_000_000 else { return }
        live.lastQuietReportNs = nowNs
        reportProgress()
    }

    private func currentLag(_ source: any LiveSource) -> Int64? {
        var total: Int64 = 0
        for task in sources.flatMap(\.tasks) {
            // The end may be a transaction's marker, which is no record.
            if case .caughtUp = task.outcome { continue }
            guard let bounds = source.bounds(of: task.id) else { return nil }
            total += max(0, bounds.high - (task.nextOffset ?? live.starts[task.id] ?? bounds.low))
        }
        return total
    }
}
