/// Where one query's output goes.
public struct QueryOutputs {
    public var sinks: [any Sink]
    /// The `late` side output.
    public var late: (any Sink)?
    /// One list for each detector, in the query's order.
    public var anomalies: [[any Sink]]
    /// One list for each impact, in the query's order.
    public var impacts: [[any Sink]]

    /// Sinks of one query.
    public init(sinks: [any Sink], late: (any Sink)?, anomalies: [[any Sink]] = [], impacts: [[any Sink]] = []) {
        self.sinks = sinks
        self.late = late
        self.anomalies = anomalies
        self.impacts = impacts
    }
}

/// Where a job's output goes. Owned by the coordinator.
public struct JobOutputs {
    /// One for each query, in the job's order.
    public var queries: [QueryOutputs]
    /// nil: bad records are only counted.
    public var deadLetter: (any Sink)?
    /// A late sample as a JSON document: query, partition, sample.
    public var encodeLate: (String, PartitionID, LateSample) -> [UInt8]
    /// A bad record as a JSON document.
    public var encodeDeadLetter: (PartitionID, BadRecord) -> [UInt8]
    /// How what detectors found is written.
    public var anomalies = FindingForms<AnomalyRow>(document: { _, _ in ([], []) })
    /// How the impacts of events are written.
    public var impacts = FindingForms<ImpactRow>(document: { _, _ in ([], []) })

    /// Sinks and the documents' encoders.
    public init(
        queries: [QueryOutputs], deadLetter: (any Sink)?,
        encodeLate: @escaping (String, PartitionID, LateSample) -> [UInt8],
        encodeDeadLetter: @escaping (PartitionID, BadRecord) -> [UInt8]
    ) {
        self.queries = queries
        self.deadLetter = deadLetter
        self.encodeLate = encodeLate
        self.encodeDeadLetter = encodeDeadLetter
    }

    /// Every sink, results first.
    var all: [any Sink] {
        queries.flatMap { $0.sinks + $0.anomalies.joined() + $0.impacts.joined() + ($0.late.map { [$0] } ?? []) }
            + (deadLetter.map { [$0] } ?? [])
    }
}
