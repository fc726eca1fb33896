/// What the wall clock decides in a live run (SEMANTICS §3).
extension JobExecution {
    /// Time in which nothing was looked at (a suspended process, a sink that waited long for its broker) is nobody's
    /// silence: it does not count.
    func forgiveGap(nowMs: Int64) {
        defer { live.lastTurnMs = nowMs }
        guard let last = live.lastTurnMs, nowMs - last > 2000 else { return }
        for source in sources {
            source.lastArrivalMs = source.lastArrivalMs.mapValues { $0 + (nowMs - last) }
            if let since = source.allIdleSince {
                source.allIdleSince = (since.watermarkMs, since.arrivalMs + (nowMs - last))
            }
        }
    }

    /// Partitions that spoke.
    func noteArrivals(_ source: SourceExecution, nowMs: Int64) {
        for task in source.tasks where task.advanced {
            source.lastArrivalMs[task.id] = nowMs
            source.allIdleSince = nil
            guard source.isIdle(task.id) else { continue }
            source.setIdle(task.id, false)
            // What was frozen without it stands as of the last emission, which was by this watermark.
            record(
                Decision(
                    kind: .active(watermarkMs: source.watermarkMs), source: source.definition.name, partition: task.id,
                    nextOffset: source.restingOffsets.removeValue(forKey: task.id), epoch: epoch))
        }
    }

    /// Idle: the fetcher reported the partition's end after the last record was processed, and nothing came for
    /// `idleTimeout`. A slow consumer is never idle, nor is a partition that was not `looked` at because it is ahead:
    /// what its last read said may be long ago.
    func noteIdle(_ source: SourceExecution, _ looked: Set<PartitionID>, nowMs: Int64) {
        guard let timeout = source.definition.watermark.idleTimeoutMs else { return }
        for task in source.tasks where !source.isIdle(task.id) {
            guard case .caughtUp = task.outcome, let arrived = source.lastArrivalMs[task.id] else { continue }
            guard looked.contains(task.id) else {
                source.lastArrivalMs[task.id] = nowMs
                continue
            }
            guard nowMs - arrived >= timeout else { continue }
            source.setIdle(task.id, true)
            record(decision(.idle, source, task))
        }
    }

    /// When nothing comes from any partition, the clock moves the watermark, so that the last windows come out.
    func raiseWhenAllIdle(_ source: SourceExecution, nowMs: Int64) {
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

    /// Partition-local queries: each idle partition's own watermark moves by the clock.
    func raiseIdleLocally(_ source: SourceExecution, nowMs: Int64) {
        for task in source.tasks where source.isIdle(task.id) {
            guard let said = task.watermarkMs, let arrived = source.lastArrivalMs[task.id] else { continue }
            let raised = said + (nowMs - arrived)
            guard source.closeLocally(task, atWatermarkMs: raised) else { continue }
            record(decision(.clockWatermark(ms: raised), source, task))
        }
    }

    private func decision(_ kind: Decision.Kind, _ source: SourceExecution, _ task: PartitionTask) -> Decision {
        Decision(
            kind: kind, source: source.definition.name, partition: task.id, nextOffset: task.nextOffset, epoch: epoch)
    }
}
