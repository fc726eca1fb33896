/// A replay that repeats a run: what the clock decided then happens again, at the same positions (SEMANTICS §7).
///
/// The query's watermark goes by what partitions say, as in any replay: a window comes out later than it did in the run, with
/// the same rows. What each partition brings to it was fixed at the partition's own position.
extension JobExecution {
    /// Tells tasks and detectors where decisions act.
    func prepareRepetition() {
        guard let recordedRun else { return }
        for source in sources {
            for task in source.tasks { task.limitOffset = recordedRun.freezes(of: task.id).first?.offset }
            for entry in source.emitters {
                let query = entry.emitter.plan.name
                entry.emitter.anomalies?.recordedPositions = {
                    recordedRun.positions(query: query, detector: $0, owner: $1, windowEndMs: $2)
                }
            }
        }
    }

    /// Freezes the windows of partitions that have come to where the run froze them.
    func repeatDecisions() {
        guard let recordedRun else { return }
        for source in sources {
            for task in source.tasks where task.hasReachedLimit {
                guard let limit = task.limitOffset else { continue }
                let all = recordedRun.freezes(of: task.id)
                for freeze in all where freeze.offset == limit {
                    source.freeze(task, atWatermarkMs: freeze.watermarkMs) { $0.isPartitionLocal == freeze.isLocal }
                }
                task.limitOffset = all.first { $0.offset > limit }?.offset
            }
        }
    }
}
