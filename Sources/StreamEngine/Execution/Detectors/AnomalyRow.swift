/// What a detector has to say, as it is written (JOBS.md "Rows out").
public struct AnomalyRow: Sendable, Equatable {
    /// What the row tells.
    public enum State: String, Sendable {
        /// An incident begins.
        case firing
        /// It is over.
        case resolved
        /// `emit: flags` and `all`: a flagged window.
        case flagged
        /// `emit: all`: any other window.
        case normal
    }

    public var query: String
    /// The detector's name in the job.
    public var detector: String
    /// Its type.
    public var type: String
    public var windowStartMs: Int64
    public var windowEndMs: Int64
    /// The key's columns, then the job's own labels, which win; by column.
    public var labels: [Label]
    /// nil where it looks at no column.
    public var column: String?
    /// nil where there is no value in this window.
    public var value: Double?
    public var expected: Double?
    public var lower: Double?
    public var upper: Double?
    /// 0...1
    public var score: Double
    public var state: State
    public var severity: String
    /// One sentence, without a full stop.
    public var reason: String
    /// When the incident began: the end of the first flagged window of its stretch; nil without one.
    public var startedAtMs: Int64?
    /// The same for every row of an incident, in every run; nil without one.
    public var incidentID: String?
    public var context: [AnomalyEvent]
    public var annotations: [Label]
    /// The key columns alone, for Kafka keys: all rows of an incident have one key.
    public var key: [Label]
}

/// An event beside a verdict.
public struct AnomalyEvent: Sendable, Equatable {
    public let source: String
    public let timestampMs: Int64
    public let type: ByteString
    public let reason: ByteString
    public let severity: ByteString
    public let object: ByteString
    public let message: ByteString
    /// Its other labels.
    public let labels: [Label]
    /// What it did to the verdict.
    public let action: ContextPlan.Action
}
