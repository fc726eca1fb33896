/// How to reach a Kafka cluster.
public struct KafkaConnection: Sendable, Equatable {
    /// One setting handed to librdkafka as it is.
    public struct Setting: Sendable, Hashable {
        public var name: String
        public var value: String

        /// A setting.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }

        /// The value, hidden where the name says that it is a secret.
        public var shownValue: String {
            let secret = ["password", "secret", "token", "key.pem", "jaas", "sasl.oauthbearer.config"]
            return secret.contains { name.contains($0) } ? "***" : value
        }
    }

    /// `host:port,host:port`; nil for a job that is only ever replayed.
    public var brokers: String?
    /// The consumer's settings, in the order written.
    public var options: [Setting]
    /// The producer's settings, in the order written.
    public var producerOptions: [Setting]

    /// A connection.
    public init(brokers: String? = nil, options: [Setting] = [], producerOptions: [Setting] = []) {
        self.brokers = brokers
        self.options = options
        self.producerOptions = producerOptions
    }

    /// Settings that the engine itself decides on (JOBS.md).
    public static let reserved: Set<String> = [
        "group.id", "enable.auto.commit", "enable.auto.offset.store", "auto.offset.reset", "isolation.level",
        "enable.partition.eof", "transactional.id", "transaction.timeout.ms", "enable.idempotence",
    ]
}
