import Platform

/// What a live run does about an epoch that was not decided, and about state that had to be fallen back on (SEMANTICS §5).
extension JobExecution {
    /// Whether output is suppressed: records are read again that an older state has not seen.
    var isCatchingUp: Bool { !(session?.catchingUp.isEmpty ?? true) }

    /// Ends the catching up of tasks that are where their committed offsets are.
    func finishCatchingUp(_ log: (String) -> Void) throws {
        guard let session, isCatchingUp else { return }
        repeatDecisionsBehind()
        for task in sources.flatMap(\.tasks) {
            guard let target = session.catchingUp[task.id] else { continue }
            var isThere = task.nextOffset ?? 0 >= target
            if case .caughtUp = task.outcome { isThere = true }
            if task.hasReachedLimit, task.limitOffset == target { isThere = true }
            guard isThere else { continue }
            session.catchingUp[task.id] = nil
            task.limitOffset = nil
            task.nextOffset = max(target, task.nextOffset ?? target)
        }
        guard session.catchingUp.isEmpty else { return }
        for source in sources {
            // What the run before had shown by then is not shown again, also where idle partitions had not held it up; those that
            // were idle still are, so that what they say next is measured by that watermark.
            for task in source.tasks { source.setIdle(task.id, session.past.isIdle[task.id] ?? source.isIdle(task.id)) }
            source.allIdleSince = session.past.allIdleSince[source.definition.name]
            if let ms = session.past.watermarksMs[source.definition.name] { source.raiseWatermark(to: ms) }
            source.advanceWatermark()
            try source.emit(trigger: true) { _, _ in }
            try source.emitLocal { _, _ in }
            for entry in source.emitters { entry.emitter.anomalies?.discardRows() }
            for task in source.tasks { for op in task.operators { _ = op.takeLate() } }
            for task in source.tasks { recordJoin(task, source, task.nextOffset) }
        }
        session.past = PastDecisions()
        recordedRun = nil
        lastWork = TriggerWork()
        // The next epoch writes a state that is whole again.
        dirty = true
        log("caught up with the committed offsets")
    }

    /// Partitions being caught up with: freezes what the run before froze by decision up to where they are, and lets them go on
    /// to where it did so next, or to their committed offset.
    func repeatDecisionsBehind() {
        guard let session else { return }
        for source in sources {
            for task in source.tasks {
                guard let target = session.catchingUp[task.id] else { continue }
                var here = task.nextOffset ?? .min
                // Offsets may be left out in a topic: the next record may lie far behind the limit.
                if task.hasReachedLimit, let limit = task.limitOffset { here = max(here, limit) }
                if case .caughtUp = task.outcome { here = max(here, target) }
                var next = target
                for freeze in session.past.freezes[task.id] ?? [] {
                    if freeze.offset <= here {
                        source.freeze(task, atWatermarkMs: freeze.watermarkMs) { $0.isPartitionLocal == freeze.isLocal }
                    } else {
                        next = min(next, freeze.offset)
                    }
                }
                if task.limitOffset != next { task.limitOffset = next }
            }
        }
    }

    // MARK: Giving up an epoch

    /// Returns every partition to its last decided state and offset.
    func recover(_ failure: EpochFailure, _ log: (String) -> Void) throws {
        guard let session else { return }
        session.commitPoint.abort()
        if session.lastAbort.reason != failure.description { session.lastAbort = (failure.description, 0) }
        session.lastAbort.count += 1
        let gaveUp = token
        switch failure.kind {
        case .aborted:
            for sink in outputs.all { sink.discard(gaveUp) }
            session.store.discarded(gaveUp)
            session.undecided = nil
        case .unknown:
            for sink in outputs.all { sink.abandon(gaveUp) }
        }
        if !failure.isRetriable, session.lastAbort.count >= 2 {
            throw JobFailure("\(failure) (twice in a row: the epoch would fail for ever)")
        }
        log("epoch \(gaveUp.number) was \(failure.kind == .aborted ? "given up" : "perhaps not committed"): \(failure)")
        epoch += 1
        dirty = false
        lastWork = TriggerWork()
        latency.discarded()
        // What the clock decided since the last decided epoch did not happen.
        session.unwrittenDecisions = []
        let ids = sources.flatMap(\.tasks).map(\.id)
        dropLoaded(ids, session)
        live.waiting += ids.filter { !live.waiting.contains($0) }
        session.needsRenewal = session.needsRenewal || failure.needsRenewal
        live.nextTryNs = clock.monotonicNs() + min(200_000_000 << min(session.lastAbort.count, 5), 5_000_000_000)
        live.hasSaidRetry = false
    }

    /// Ends an epoch; where that fails, returns to the last decided one. False where it failed.
    @discardableResult
    func finishEpochOrRecover(_ log: (String) -> Void) throws -> Bool {
        guard !isCatchingUp else { return false }
        do {
            try emit(trigger: true)
            try commitEpoch()
            return true
        } catch let failure as EpochFailure {
            try recover(failure, log)
            return false
        }
    }
}
