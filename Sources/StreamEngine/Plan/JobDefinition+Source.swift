/// One source of a job.
public struct SourceDefinition: Sendable, Equatable {
    public var name: String
    public var topics: TopicSelection
    /// Read only where the group has no committed offset.
    public var startingOffsets = StartingOffsets.earliest
    /// Connection settings of the source's own, on top of the job's; `brokers` nil: the job's.
    public var kafka = KafkaConnection()
    /// The name of a registered format.
    public var format: String
    /// Labels (or `topic`, `partition`) by which the producer partitions.
    public var partitionedBy: [String] = []
    public var watermark = WatermarkDefinition()
    /// Read whole by every member, as context (SEMANTICS §9).
    public var isBroadcast = false

    /// A source with the defaults of JOBS.md.
    public init(name: String, topics: TopicSelection, format: String) {
        self.name = name
        self.topics = topics
        self.format = format
    }
}

/// Which topics a source reads.
public enum TopicSelection: Sendable, Equatable {
    case topics([String])
    /// An RE2 expression, anchored as written; new topics join.
    case pattern(String)
}

/// Where a partition starts that has no committed offset.
public enum StartingOffsets: Sendable, Equatable {
    case earliest
    case latest
    /// The first record at or after this time, ms.
    case time(ms: Int64)
    /// For each topic and partition; partitions left out start at the earliest.
    case offsets([StartingOffset])
}

/// One partition's start.
public struct StartingOffset: Sendable, Equatable {
    public var topic: String
    public var partition: Int32
    /// >= 0
    public var offset: Int64

    /// A partition's first offset to read.
    public init(topic: String, partition: Int32, offset: Int64) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }
}

/// How a source's watermark moves (SEMANTICS §3); milliseconds.
public struct WatermarkDefinition: Sendable, Equatable {
    public var delayMs: Int64 = 60_000
    /// nil: `off`, a quiet partition holds the watermark for ever.
    public var idleTimeoutMs: Int64? = 30_000
    /// nil: `off`, every time is believed.
    public var maxFutureSkewMs: Int64? = 300_000

    /// The defaults of JOBS.md.
    public init() {}
}
