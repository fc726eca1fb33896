import Platform

/// When a live run ends by itself.
public enum LiveEnd: Sendable {
    /// Only when asked to.
    case never
    /// After one epoch with something in it.
    case once
    /// When everything that is there has been read; open windows stay open.
    case availableNow
}

extension JobExecution {
    /// Runs over a growing source until it is stopped: the whole of `run`. `log` is given lines for the person who watches.
    public func run(
        _ live: any LiveSource, end: LiveEnd, stop: StopRequest, log: (String) -> Void
    ) throws -> JobSummary {
        isLive = true
        lag = { [unowned self] in self.currentLag(live) }
        defer { lag = nil }
        let startNs = clock.monotonicNs()
        var reachable = true
        var everAssigned = false
        var isDone = false
        while !stop.isRequested && !isDone {
            let waitNs = min(nextTriggerNs, clock.monotonicNs() + 100_000_000)
            for event in live.poll(untilNs: waitNs) {
                switch event {
                case .assigned(let ids):
                    everAssigned = true
                    try take(ids, from: live, log)
                case .revoked(let ids):
                    try finishEpoch()
                    log("partitions given back: \(ids.map(\.description).joined(separator: ", "))")
                    try live.release(ids)
                    for source in sources { source.remove(Set(ids)) }
                case .lost(let ids):
                    log("partitions lost to another member: \(ids.map(\.description).joined(separator: ", "))")
                    try live.release(ids)
                    for source in sources { source.remove(Set(ids)) }
                case .brokerDown(let text):
                    reachable = false
                    log(text)
                case .brokerUp(let text):
                    reachable = true
                    log(text)
                case .warning(let text):
                    log("warning: \(text)")
                case .failed(let error):
                    throw JobFailure(error.description)
                }
            }
            try work()
            if clock.monotonicNs() >= nextTriggerNs {
                let hadNews = hasNews
                try finishEpoch()
                if case .once = end, hadNews { isDone = true }
            }
            if case .availableNow = end, everAssigned, allCaughtUp { isDone = true }
            if case .never = end {
            } else if !everAssigned || !reachable {
                try giveUpIfUnreachable(live, sinceNs: startNs)
            }
        }
        try finishEpoch()
        live.close()
        try close()
        var result = summary()
        result.interrupted = stop.isRequested
        return result
    }

    private func giveUpIfUnreachable(_ live: any LiveSource, sinceNs: Int64) throws(JobFailure) {
        guard clock.monotonicNs() - sinceNs > 30_000_000_000 else { return }
        throw JobFailure("\(live.description): nothing in reach for 30 s; is the broker up and its address right?")
    }

    /// Starts assigned partitions. State lives in memory, so each run begins at the job's `startingOffsets`.
    private func take(_ ids: [PartitionID], from live: any LiveSource, _ log: (String) -> Void) throws {
        let offsets = try resolveStart(ids, live, log)
        let readers = try live.start(offsets)
        let nowMs = clock.wallMs()
        for source in sources {
            let own = readers.filter { $0.id.source == source.definition.name }
            for reader in own {
                source.lastArrivalMs[reader.id] = nowMs
                if source.watermarkMs != nil {
                    record(
                        Decision(
                            kind: .join(watermarkMs: source.watermarkMs), source: source.definition.name,
                            partition: reader.id, nextOffset: offsets[reader.id], epoch: epoch))
                }
            }
            try add(own, to: source)
        }
        let list = offsets.sorted { $0.key < $1.key }.map { "\($0.key)@\($0.value)" }
        log("reading \(list.count) partitions: \(list.joined(separator: " "))")
    }

    /// The job's `startingOffsets` at the broker. A time-out is not an answer: asked again, said once.
    private func resolveStart(
        _ ids: [PartitionID], _ live: any LiveSource, _ log: (String) -> Void
    ) throws(SourceError) -> [PartitionID: Int64] {
        var tries = 0
        while true {
            do throws(SourceError) {
                return try live.startingOffsets(ids, timeoutMs: 10_000)
            } catch {
                tries += 1
                guard error.isRetriable, tries < 6 else { throw error }
                if tries == 1 { log("\(error); trying again") }
            }
        }
    }

    /// Processes what is at hand and emits what that closes.
    private func work() throws {
        try slice(tasksWithinReach(), bytes: options.sliceBytes)
        let nowMs = clock.wallMs()
        for source in sources {
            noteArrivals(source, nowMs: nowMs)
            noteIdle(source, nowMs: nowMs)
            source.advanceWatermark()
            raiseWhenAllIdle(source, nowMs: nowMs)
        }
        try emitLocal()
        try emit(trigger: false)
    }

    /// Every task but those too far ahead of the slowest one that is not idle.
    private func tasksWithinReach() -> [(source: SourceExecution, task: PartitionTask)] {
        let maxAhead = job.definition.effectiveMaxAheadMs
        return sources.flatMap { source in
            let slowest = source.tasks.filter { !source.isIdle($0.id) }.compactMap(\.watermarkMs).min()
            return source.tasks.filter { task in
                guard let slowest, let watermark = task.watermarkMs else { return true }
                return watermark - slowest <= maxAhead
            }.map { (source, $0) }
        }
    }

    private func noteArrivals(_ source: SourceExecution, nowMs: Int64) {
        for task in source.tasks where task.advanced {
            source.lastArrivalMs[task.id] = nowMs
            source.allIdleSince = nil
            guard source.isIdle(task.id) else { continue }
            source.setIdle(task.id, false)
            record(decision(.active, source, task))
        }
    }

    /// Idle: the fetcher reported the partition's end after the last record was processed, and nothing came for
    /// `idleTimeout`. A slow consumer is never idle (SEMANTICS §3).
    private func noteIdle(_ source: SourceExecution, nowMs: Int64) {
        guard let timeout = source.definition.watermark.idleTimeoutMs else { return }
        for task in source.tasks where !source.isIdle(task.id) {
            guard case .caughtUp = task.outcome, let arrived = source.lastArrivalMs[task.id] else { continue }
            guard nowMs - arrived >= timeout else { continue }
            source.setIdle(task.id, true)
            record(decision(.idle, source, task))
        }
    }

    /// When nothing comes from any partition, the clock moves the watermark, so that the last windows come out.
    private func raiseWhenAllIdle(_ source: SourceExecution, nowMs: Int64) {
        guard source.allIdle else { return }
        if source.allIdleSince == nil {
            // The last value is what the partitions had said, idle ones included.
            guard let said = source.tasks.compactMap(\.watermarkMs).min() else { return }
            let arrived = source.tasks.compactMap { source.lastArrivalMs[$0.id] }.max() ?? nowMs
            source.allIdleSince = (max(said, source.watermarkMs ?? .min), arrived)
        }
        guard let since = source.allIdleSince, source.hasOpenWindows else { return }
        let raised = since.watermarkMs + (nowMs - since.arrivalMs)
        guard raised > source.watermarkMs ?? .min else { return }
        let closesSomething = source.closes(atWatermarkMs: raised)
        source.raiseWatermark(to: raised)
        if closesSomething {
            record(
                Decision(
                    kind: .clockWatermark(ms: raised), source: source.definition.name, partition: nil, nextOffset: nil,
                    epoch: epoch))
        }
    }

    private func decision(_ kind: Decision.Kind, _ source: SourceExecution, _ task: PartitionTask) -> Decision {
        Decision(
            kind: kind, source: source.definition.name, partition: task.id, nextOffset: task.nextOffset, epoch: epoch)
    }

    private func finishEpoch() throws {
        try emit(trigger: true)
        try commitEpoch()
    }

    private var allCaughtUp: Bool {
        sources.flatMap(\.tasks).allSatisfy {
            if case .caughtUp = $0.outcome { return true }
            return false
        }
    }

    private func currentLag(_ live: any LiveSource) -> Int64? {
        var total: Int64 = 0
        for task in sources.flatMap(\.tasks) {
            guard let bounds = live.bounds(of: task.id) else { return nil }
            total += max(0, bounds.high - (task.nextOffset ?? bounds.low))
        }
        return total
    }
}
