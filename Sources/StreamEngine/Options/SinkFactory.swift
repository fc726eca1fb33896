/// What a sink will be given.
public enum SinkInput: Sendable {
    /// A query's rows.
    case rows(RowSchema)
    /// Documents: late rows, dead letters, anomalies.
    case documents
}

/// What a sink is made with, beside its own options.
public struct SinkContext: Sendable {
    public let job: String
    /// The query whose rows, late rows or anomalies come; nil for the job's dead letters.
    public let query: String?
    public let input: SinkInput
    public let mode: OutputMode
    public let delivery: Delivery
    /// What relative paths lie under: the working directory, or the output directory of a replay.
    public let baseDirectory: String
    /// The job's cluster; options of the sink's own come on top.
    public let kafka: KafkaConnection
    /// How long a sink may gather published epochs before it makes them durable and visible, in ms. 0 where every epoch
    /// counts (a live run, a replay that leaves a checkpoint); a bounded replay, which starts over after a crash, allows
    /// some time, so that its epochs need not wait for the disk.
    public var gatherMs: Int64 = 0

    /// The surroundings of one sink.
    public init(
        job: String, query: String?, input: SinkInput, mode: OutputMode, delivery: Delivery, baseDirectory: String,
        kafka: KafkaConnection
    ) {
        self.job = job
        self.query = query
        self.input = input
        self.mode = mode
        self.delivery = delivery
        self.baseDirectory = baseDirectory
        self.kafka = kafka
    }

    /// An option's path: absolute ones as they are, others under `baseDirectory`.
    public func resolve(_ path: String) -> String {
        if path.hasPrefix("/") || baseDirectory.isEmpty { return path }
        return baseDirectory.hasSuffix("/") ? baseDirectory + path : "\(baseDirectory)/\(path)"
    }
}

/// A kind of sink (JOBS.md "sinks"). Adding one is one file and one line in the registry.
///
/// `schema.name` is the key in a job (`jsonl`), `schema.summary` one line for `--help` and the reference.
public protocol SinkFactory: Sendable {
    var schema: OptionSchema { get }
    /// The output modes whose rows it can take.
    var outputModes: Set<OutputMode> { get }
    /// Whether it can take documents (late rows, dead letters, anomalies).
    var takesDocuments: Bool { get }
    /// Whether it needs the names and types of all columns beforehand (Parquet); `without` is then refused.
    var needsFixedColumns: Bool { get }
    /// Whether it writes to the job's Kafka cluster, and so needs `brokers` in a live run.
    var needsKafka: Bool { get }
    /// For `explain`, such as `jsonl out/cpu`.
    func describe(_ options: CheckedOptions) -> String
    /// What is wrong with these options beyond keys and types; paths come from `options.path(_:)`.
    func check(_ options: CheckedOptions) -> [Diagnostic]
    /// Makes the sink. Connects or opens files; fails with what a user can act on.
    func make(_ options: CheckedOptions, _ context: SinkContext) throws(SinkError) -> any Sink
}

extension SinkFactory {
    /// The key in a job.
    public var kind: String { schema.name }
    public var outputModes: Set<OutputMode> { Set(OutputMode.allCases) }
    public var takesDocuments: Bool { true }
    public var needsFixedColumns: Bool { false }
    public var needsKafka: Bool { false }
    public func check(_ options: CheckedOptions) -> [Diagnostic] { [] }
}
