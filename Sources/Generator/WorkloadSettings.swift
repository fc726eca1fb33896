/// What goes wrong in a workload.
public enum WorkloadMode: String, Sendable, CaseIterable {
    /// Nothing.
    case normal
    /// A node's memory leaks away until its process is killed.
    case memory
    /// A node's CPUs saturate; what runs there becomes slow.
    case slow
    /// One Spark executor gets most of the tasks.
    case skewed
    /// A node goes away and comes back with its counters reset; services elsewhere fail more often.
    case failure
}

/// How samples are written.
public enum WorkloadFormat: String, Sendable, CaseIterable {
    case prometheus
    case openmetrics
    case sampleJSON = "sample-json"

    /// What files of it are called.
    public var fileExtension: String {
        switch self {
        case .prometheus: "prom"
        case .openmetrics: "om"
        case .sampleJSON: "jsonl"
        }
    }
}

/// What a workload is made of. Equal settings give equal bytes.
public struct WorkloadSettings: Sendable, Equatable {
    public var seed: UInt64 = 1
    public var mode = WorkloadMode.normal
    /// Event time of the first sample, ms.
    public var startMs: Int64 = 0
    /// Event time covered, ms; nil: no end.
    public var durationMs: Int64?
    /// Time between two samples of a series, ms; at least 1.
    public var intervalMs: Int64 = 15_000
    /// Series in all; at least 1.
    public var series = 350
    /// Partitions of the metrics; a node's series are in one of them. At least 1.
    public var partitions = 1
    /// Share of the samples that come behind later ones, 0...1.
    public var disorder = 0.0
    /// How long such samples are held back at most, ms of event time; at least 1.
    public var latenessMs: Int64 = 10_000
    /// Event time in which one incident happens, ms; nil: the whole duration up to an hour, else 10 minutes.
    public var incidentPeriodMs: Int64?
    public var format = WorkloadFormat.prometheus
    /// Whether each record declares its metrics' types (`# TYPE`), as a scraped page does. Else only the first of a
    /// partition does, as in a file.
    public var declaresTypesAlways = true

    /// The defaults.
    public init() {}

    /// The time in which one incident happens, ms.
    var periodMs: Int64 {
        max(1, incidentPeriodMs ?? durationMs.map { min($0, 3_600_000) } ?? 600_000)
    }

    /// End of the event time, exclusive, ms.
    public var endMs: Int64 { durationMs.map { startMs &+ $0 } ?? .max }
}
