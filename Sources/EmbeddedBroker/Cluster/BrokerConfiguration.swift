/// How an `EmbeddedBroker` runs. Defaults are Kafka's, except where a development broker wants to start faster.
public struct BrokerConfiguration: Sendable {
    /// A topic to have from the start.
    public struct NewTopic: Sendable, Equatable {
        /// Its name, by Kafka's rules.
        public var name: String
        /// Partitions, at least 1.
        public var partitions: Int
        /// Topic configuration by Kafka's names, such as `retention.ms`.
        public var config: [String: String]

        /// A topic.
        public init(_ name: String, partitions: Int = 1, config: [String: String] = [:]) {
            self.name = name
            self.partitions = partitions
            self.config = config
        }
    }

    /// Address to listen on: an IPv4 or IPv6 address or a name.
    public var host = "127.0.0.1"
    /// Port to listen on; 0 picks a free one.
    public var port: UInt16 = 0
    /// Name clients are told to connect to; nil: `host`.
    public var advertisedHost: String?
    /// Folder of the data; nil keeps everything in memory and forgets it at the end.
    public var dataDirectory: String?
    /// Topics made at the start unless they exist.
    public var topics: [NewTopic] = []
    /// Whether Metadata makes a topic that a client names (`auto.create.topics.enable`).
    public var createsTopics = true
    /// Partitions of such a topic (`num.partitions`).
    public var defaultPartitions = 1
    /// Largest request, bytes (`socket.request.max.bytes`).
    public var maxRequestBytes = 100 << 20
    /// Open connections; more are refused.
    public var maxConnections = 1000
    /// `group.min.session.timeout.ms`.
    public var groupMinSessionTimeoutMs: Int32 = 6_000
    /// `group.max.session.timeout.ms`.
    public var groupMaxSessionTimeoutMs: Int32 = 1_800_000
    /// `group.initial.rebalance.delay.ms` (Kafka: 3,000).
    public var groupInitialRebalanceDelayMs: Int32 = 0
    /// How long the offsets of an empty group are kept, milliseconds (`offsets.retention.minutes`: 7 days).
    public var offsetsRetentionMs: Int64 = 7 * 24 * 3_600_000
    /// Largest metadata of a committed offset, bytes (`offset.metadata.max.bytes`).
    public var offsetMetadataMaxBytes = 4096
    /// `transaction.max.timeout.ms`.
    public var transactionMaxTimeoutMs: Int32 = 900_000
    /// Time between the decision of a transaction and its markers, milliseconds. Kafka writes them later too.
    public var transactionMarkerDelayMs: Int64 = 5
    /// Producers that have not written for so long are forgotten, milliseconds (`producer.id.expiration.ms`).
    public var producerExpirationMs: Int64 = 86_400_000
    /// Time between looks for what retention removes, milliseconds (`log.retention.check.interval.ms`: 5 min).
    public var retentionCheckMs: Int64 = 30_000
    /// Seed of everything random: topic ids, member ids, faults; nil: from the system.
    public var seed: UInt64?

    /// The defaults.
    public init() {}
}
