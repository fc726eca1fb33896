import Platform

/// One merge on a thread of its own, beside the epochs.
final class BackgroundMerge {
    private let result = Monitor<Result<ManifestMerge, ParquetMerger.Failure>?>(nil)
    let work: ParquetMerger.Work

    /// Begins as soon as `queue` is free; without one, at once and in this thread.
    init(_ merger: ParquetMerger, _ work: ParquetMerger.Work, on queue: WorkQueue?) {
        self.work = work
        let result = self.result
        let run: @Sendable () -> Void = {
            let outcome = Result { () throws(ParquetMerger.Failure) in try merger.merge(work) }
            result.withLock { $0 = outcome }
        }
        if let queue { queue.add(run) } else { run() }
    }

    /// What came of it; nil while it goes on.
    var outcome: Result<ManifestMerge, ParquetMerger.Failure>? { result.withLock { $0 } }

    /// Waits for what comes of it.
    func wait() -> Result<ManifestMerge, ParquetMerger.Failure> {
        guard let outcome = result.wait({ $0 }) else {
            // `Monitor.wait` gives nil only where a deadline has passed.
            preconditionFailure("a wait without a limit ends with a result")
        }
        return outcome
    }
}
