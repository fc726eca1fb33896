/// How long final rows took, from the Kafka timestamp of the record that closed their window until a `read_committed` reader
/// has them: `LatencyHistogram`'s figures.
public struct LatencyFigures: Sendable {
    /// Rows counted.
    public let rows: Int
    public let p50Ms: Int64
    public let p99Ms: Int64
    public let maxMs: Int64

    /// The figures of a histogram; nil where nothing was counted.
    public init?(_ histogram: LatencyHistogram) {
        guard let p50 = histogram.quantileMs(0.5), let p99 = histogram.quantileMs(0.99) else { return nil }
        (rows, p50Ms, p99Ms, maxMs) = (histogram.count, p50, p99, histogram.maxMs)
    }
}

/// What one trigger did: for listeners, the status line and `--json`, as Structured Streaming's progress.
public struct QueryProgress: Sendable {
    /// How one source stands.
    public struct Source: Sendable {
        public let name: String
        public let watermarkMs: Int64?
        /// The partition that holds the watermark back, and its own watermark.
        public let holder: PartitionID?
        public let holderWatermarkMs: Int64?
        /// How long nothing has come from the holder, ms of the clock; nil in replay.
        public let holderQuietMs: Int64?
        public let partitions: Int
        public let ended: Int
        public let idle: Int
    }

    public let epoch: Int
    /// Samples taken since the last trigger.
    public let samples: Int
    public let samplesPerSecond: Double
    /// Rows written since the last trigger.
    public let rows: Int
    /// Anomalies written since the last trigger.
    public let anomalies: Int
    /// How long prepare, decide and publish took.
    public let commitMs: Double
    /// Records the broker holds beyond what was processed; nil where unknown (replay).
    public let lag: Int64?
    /// How long final rows took since the start; nil in replay, and before the first.
    public let latency: LatencyFigures?
    /// The longest of the last trigger that had such rows, ms.
    public let latestLatencyMs: Int64?
    /// Since the start.
    public let late: Int
    /// Since the start.
    public let bad: Int
    public let sources: [Source]
}

extension SourceExecution {
    /// How the source stands; `nowMs` is the wall clock of a live run.
    func progress(nowMs: Int64?) -> QueryProgress.Source {
        let holder = self.holder
        let arrived = holder.flatMap { lastArrivalMs[$0.id] }
        return QueryProgress.Source(
            name: definition.name, watermarkMs: watermarkMs, holder: holder?.id, holderWatermarkMs: holder?.watermarkMs,
            holderQuietMs: nowMs.flatMap { now in arrived.map { now - $0 } },
            partitions: tasks.count, ended: tasks.count { $0.hasEnded }, idle: tasks.count { isIdle($0.id) })
    }

    /// One query's ledger over all partitions.
    func ledger(_ place: Int) -> QueryLedger {
        var total = QueryLedger()
        for task in everyTask { total += task.operators[place].ledger }
        return total
    }

    var lateCount: Int { emitters.indices.reduce(0) { $0 + ledger($1).late } }
    var badCount: Int { everyTask.reduce(0) { $0 + $1.ledger.bad } }

    /// What came out of each partition, those given back included.
    var partitionSummaries: [JobSummary.Partition] {
        everyTask.map { JobSummary.Partition(id: $0.id, ledger: $0.ledger, watermarkMs: $0.watermarkMs) }
            .sorted { $0.id < $1.id }
    }
}
