/// What a run did: the balance that `run` and `replay` end with (JOBS.md).
public struct JobSummary: Sendable {
    /// One query's part.
    public struct Query: Sendable {
        public let name: String
        public let ledger: QueryLedger
        public let rows: Int
    }

    /// One source partition's part.
    public struct Partition: Sendable {
        public let id: PartitionID
        public let ledger: PartitionLedger
        public let watermarkMs: Int64?
    }

    public var job = ""
    public var epochs = 0
    public var anomalies = 0
    public var impacts = 0
    public var closedByEnd = 0
    public var seconds = 0.0
    public var peakRSSBytes: Int64 = 0
    /// How long final rows took (`run`); nil where none was counted.
    public var latency: LatencyFigures?
    /// Whether a signal ended the run before its input did.
    public var interrupted = false
    public var queries: [Query] = []
    public var partitions: [Partition] = []
    /// `jsonl out/cpu: 2 files, 1.2 MiB`, for people.
    public var outputs: [(description: String, written: (files: Int, bytes: Int64)?)] = []

    public init() {}

    public var records: Int { partitions.reduce(0) { $0 + $1.ledger.records } }
    public var samples: Int { partitions.reduce(0) { $0 + $1.ledger.samples } }
    public var badRecords: Int { partitions.reduce(0) { $0 + $1.ledger.bad } }
    public var future: Int { partitions.reduce(0) { $0 + $1.ledger.future } }
    /// Offsets that Kafka no longer held (`onDataLoss: continue`).
    public var lostOffsets: Int { partitions.reduce(0) { $0 + $1.ledger.lostOffsets } }
    public var staleMarkers: Int { partitions.reduce(0) { $0 + $1.ledger.staleMarkers } }
    public var rows: Int { queries.reduce(0) { $0 + $1.rows } }
    public var late: Int { queries.reduce(0) { $0 + $1.ledger.late } }
    public var partlyLate: Int { queries.reduce(0) { $0 + $1.ledger.partlyLate } }
    public var lateAfterIdle: Int { queries.reduce(0) { $0 + $1.ledger.lateAfterIdle } }
    public var limitDrops: Int { queries.reduce(0) { $0 + $1.ledger.limitDrops } }
    public var samplesPerSecond: Double { seconds > 0 ? Double(samples) / seconds : 0 }

    /// Whether every query's ledger balances (SEMANTICS §6).
    public var balances: Bool { queries.allSatisfy { $0.ledger.balances } }
}
