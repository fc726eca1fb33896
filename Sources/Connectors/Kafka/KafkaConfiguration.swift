import CRdkafka
import StreamEngine

/// A line of librdkafka's log.
public struct KafkaLogLine: Sendable {
    /// As in syslog: 3 error, 4 warning, 5 notice, 6 info, 7 debug.
    public let level: Int
    public let text: String
}

/// Settings of one librdkafka client: the user's, then what the engine fixes.
public struct KafkaConfiguration: Sendable {
    /// What the client is for.
    public enum Role: String, Sendable {
        case consumer, producer
    }

    /// Settings that a job may not set, with the reason. A superset of `KafkaConnection.reserved`.
    public static let reserved: [String: String] = [
        "group.id": "the group is the job's `group`",
        "enable.auto.commit": "offsets are committed with the epoch they belong to",
        "enable.auto.offset.store": "offsets are committed with the epoch they belong to",
        "auto.offset.reset": "`startingOffsets` and `onDataLoss` decide where reading begins",
        "isolation.level": "it is always read_committed",
        "enable.partition.eof": "idle partitions are found by it",
        "transactional.id": "it is made of group, checkpoint and slot",
        "transaction.timeout.ms": "the engine's recovery depends on it",
        "enable.idempotence": "it is always on",
        "bootstrap.servers": "brokers stand under `brokers`",
        "metadata.broker.list": "brokers stand under `brokers`",
        "topic.blacklist": "it holds the topics the job writes",
    ]

    public let role: Role
    /// In the order in which they are set; a later one wins.
    public private(set) var settings: [KafkaConnection.Setting]

    /// The client's settings for a connection. Fails on the first setting that is unknown, reserved or has a value
    /// librdkafka does not take (`validate` finds them all beforehand with `check`).
    public init(_ role: Role, _ connection: KafkaConnection) throws(SourceError) {
        guard let brokers = connection.brokers, !brokers.isEmpty else {
            throw SourceError(.configuration, "no Kafka brokers: set `kafka: {brokers: \"host:9092\"}` in the job")
        }
        self.role = role
        settings = [.init("client.id", "stream-job")]
        switch role {
        case .consumer:
            settings += [
                // Brokers hand out up to this many bytes of a partition at a time; the prefetch queue of a partition
                // holds about `queued.max.messages.kbytes`. The count never is what limits it.
                .init("queued.max.messages.kbytes", "32768"), .init("queued.min.messages", "10000000"),
                .init("fetch.message.max.bytes", "1048576"), .init("fetch.wait.max.ms", "100"),
                // New topics of a pattern and new partitions join within 30 s.
                .init("topic.metadata.refresh.interval.ms", "10000"),
                .init("partition.assignment.strategy", "range,roundrobin"),
            ]
            // From 2.2.0 on; before, `KafkaFetchWaker` does it.
            if Self.names.contains("fetch.queue.backoff.ms") {
                settings.append(.init("fetch.queue.backoff.ms", "10"))
            }
        case .producer:
            settings += [
                .init("partitioner", "murmur2_random"), .init("linger.ms", "5"), .init("compression.type", "lz4"),
            ]
        }
        settings.append(.init("statistics.interval.ms", "1000"))
        for setting in role == .consumer ? connection.options : connection.producerOptions {
            if let problem = Self.check(name: setting.name, value: setting.value) {
                throw SourceError(.configuration, problem)
            }
            settings.append(setting)
        }
        settings += [.init("bootstrap.servers", brokers), .init("log.queue", "true")]
        switch role {
        case .consumer:
            settings += [
                .init("isolation.level", "read_committed"), .init("enable.auto.commit", "false"),
                .init("enable.auto.offset.store", "false"), .init("enable.partition.eof", "true"),
                .init("auto.offset.reset", "error"),
            ]
        case .producer:
            settings.append(.init("enable.idempotence", "true"))
        }
    }

    /// Sets or replaces a setting of the engine's own.
    mutating func set(_ name: String, _ value: String) { settings.append(.init(name, value)) }

    /// Lets records gather until a `flush`, which sends them at once: batches are full, and nothing of what is handed over is
    /// sent, delivered and freed meanwhile, by a thread that contends with ours for the allocator. `producer` are the user's
    /// settings, which win.
    mutating func gatherUntilFlush(_ producer: [KafkaConnection.Setting]) {
        let wanted = Set(producer.map(\.name))
        guard wanted.isDisjoint(with: ["linger.ms", "queue.buffering.max.ms", "batch.size", "batch.num.messages"])
        else { return }
        // What a batch has at most is `message.max.bytes`. Who never flushes is not kept waiting for long.
        set("linger.ms", "100")
        set("batch.size", "2147483647")
        set("batch.num.messages", "1000000")
    }

    /// Adds a debug context to those the user asks for.
    mutating func add(debug context: String) {
        let own = settings.last { $0.name == "debug" }?.value
        settings.append(.init("debug", own.map { "\($0),\(context)" } ?? context))
    }

    /// What is wrong with a setting of `options` or `producerOptions`, in librdkafka's words where it is the judge; nil
    /// when it may stand.
    public static func check(name: String, value: String) -> String? {
        if let reason = reserved[name] { return "`\(name)` is reserved: \(reason)" }
        guard let conf = rd_kafka_conf_new() else { return nil }
        defer { rd_kafka_conf_destroy(conf) }
        guard let text = set(name, value, on: conf) else { return nil }
        var size = 0
        guard rd_kafka_conf_get(conf, name, nil, &size) == RD_KAFKA_CONF_UNKNOWN else {
            return "librdkafka does not take `\(name): \(KafkaConnection.Setting(name, value).shownValue)`: \(text)"
        }
        let nearest = Suggestion.nearest(name, among: names).map { "; did you mean `\($0)`?" } ?? ""
        return "librdkafka \(String(cString: rd_kafka_version_str())) knows no setting `\(name)` (\(text))\(nearest)"
    }

    /// Every setting librdkafka can be given as text.
    static let names: [String] = {
        guard let conf = rd_kafka_conf_new() else { return [] }
        defer { rd_kafka_conf_destroy(conf) }
        var count = 0
        guard let dump = rd_kafka_conf_dump(conf, &count) else { return [] }
        defer { rd_kafka_conf_dump_free(dump, count) }
        // The dump leaves aliases out.
        let aliases = [
            "linger.ms", "retries", "compression.type", "acks", "max.partition.fetch.bytes", "sasl.mechanism",
            "max.in.flight.requests.per.connection", "delivery.timeout.ms", "request.timeout.ms",
        ]
        return aliases
            + stride(from: 0, to: count, by: 2).compactMap { index in dump[index].map { String(cString: $0) } }
    }()

    /// Sets one setting; gives librdkafka's text where it refuses.
    static func set(_ name: String, _ value: String, on conf: OpaquePointer) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
            text[0] = 0
            let result = rd_kafka_conf_set(conf, name, value, text.baseAddress, text.count)
            guard result != RD_KAFKA_CONF_OK, let base = text.baseAddress else { return nil }
            return String(cString: base)
        }
    }
}
