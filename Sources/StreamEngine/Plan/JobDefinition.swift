/// A job as its author means it: pure data, checked for types, made alike by a job file and by the Swift API.
///
/// Two definitions are equal when they mean the same; positions in a file do not count.
public struct JobDefinition: Sendable, Equatable {
    /// `[a-z0-9-]+`
    public var name: String
    /// The consumer group; the job's name unless given.
    public var group: String
    /// The job's own cluster.
    public var kafka = KafkaConnection()
    /// In the order written; names are unique.
    public var sources: [SourceDefinition]
    /// In the order written; names are unique.
    public var queries: [QueryDefinition]
    public var trigger = TriggerDefinition.interval(ms: 1000)
    public var checkpoint: CheckpointDefinition
    public var deadLetter = DeadLetterDefinition()
    public var onBadRecord = BadRecordAction.deadLetter
    public var onDataLoss = DataLossAction.fail
    public var delivery = Delivery.exactlyOnce
    public var limits = LimitsDefinition()
    /// How far, in event time, a partition may run ahead of the slowest; nil: `effectiveMaxAheadMs` decides.
    public var maxAheadMs: Int64?

    /// A job with every default of JOBS.md.
    public init(name: String, sources: [SourceDefinition] = [], queries: [QueryDefinition] = []) {
        self.name = name
        group = name
        self.sources = sources
        self.queries = queries
        checkpoint = CheckpointDefinition(location: "checkpoints/\(name)")
    }

    /// `maxAhead`, or its default: the larger of two largest windows and 10 minutes.
    public var effectiveMaxAheadMs: Int64 {
        maxAheadMs ?? max(2 * (queries.map(\.window.sizeMs).max() ?? 0), 600_000)
    }

    /// The source of this name. O(sources).
    public func source(_ name: String) -> SourceDefinition? { sources.first { $0.name == name } }
    /// Whether a query reads a source, or a detector or an impact asks it for events.
    public func reads(_ source: SourceDefinition) -> Bool {
        queries.contains { query in
            query.from == source.name
                || query.anomalies.contains { $0.context.contains { $0.text("from") == source.name } }
                || query.impacts.contains { $0.events.text("from") == source.name }
        }
    }
    /// The query of this name. O(queries).
    public func query(_ name: String) -> QueryDefinition? { queries.first { $0.name == name } }
}

/// When a trigger fires.
public enum TriggerDefinition: Sendable, Equatable {
    /// Every so many milliseconds; 0: as fast as possible.
    case interval(ms: Int64)
    /// One epoch, then the end.
    case once
    /// What is there at the start, then the end.
    case availableNow
}

/// Where and how state is kept.
public struct CheckpointDefinition: Sendable, Equatable {
    /// The codec of state files.
    public enum Compression: String, Sendable, CaseIterable {
        case zstd
        case lz4
        case none
    }

    /// A directory, as written: relative to the working directory.
    public var location: String
    public var compression = Compression.zstd
    /// How many epochs back can be gone to.
    public var retainEpochs = 100
    /// A task is written whole when its deltas have grown to so many times its last snapshot.
    public var snapshotRatio = 2.0

    /// A checkpoint directory with the defaults.
    public init(location: String) { self.location = location }
}

/// Where records go that cannot be used.
public struct DeadLetterDefinition: Sendable, Equatable {
    /// A sink; nil: JSONL in `dead-letter` inside the checkpoint directory.
    public var sink: SinkDefinition?
    /// Bytes at which a file is closed and the next begun.
    public var rollBytes: Int64 = 128 << 20
    /// Bytes in all, after which bad records are only counted.
    public var maxBytes: Int64 = 1 << 30

    /// The default: inside the checkpoint directory.
    public init() {}
}

/// What is done with a record that cannot be used.
public enum BadRecordAction: String, Sendable, CaseIterable {
    case deadLetter
    /// Counted only.
    case skip
    /// The job stops at the first one.
    case fail
}

/// What is done when Kafka no longer holds an offset the checkpoint needs.
public enum DataLossAction: String, Sendable, CaseIterable {
    case fail
    case `continue`
}

/// What is done with a series beyond `maxSeries`.
public enum LimitAction: String, Sendable, CaseIterable {
    case fail
    /// Its samples are counted as limit drops.
    case drop
}

/// Bounds on memory (SEMANTICS §6).
public struct LimitsDefinition: Sendable, Equatable {
    /// Per source partition.
    public var maxSeries = 1_000_000
    /// Labels of one series, the name not counted.
    public var maxLabelsPerSeries = 64
    public var maxLineBytes = 64 << 10
    public var maxMessageBytes = 16 << 20
    /// nil: no limit.
    public var maxStateBytes: Int64?
    /// A key unseen for so long in event time is forgotten.
    public var keyTTLMs: Int64 = 86_400_000
    public var onLimit = LimitAction.fail

    /// The defaults of JOBS.md.
    public init() {}
}
