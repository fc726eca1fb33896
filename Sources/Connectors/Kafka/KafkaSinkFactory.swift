import StreamEngine

/// `kafka: {topic: cpu-5m, format: json}` (JOBS.md "sinks").
public struct KafkaSinkFactory: SinkFactory {
    private let log: @Sendable (KafkaLogLine) -> Void

    /// `log` takes what the producers have to say.
    public init(log: @escaping @Sendable (KafkaLogLine) -> Void) { self.log = log }

    public var schema: OptionSchema {
        OptionSchema(
            "kafka", "records on a Kafka topic, keyed by the row's key columns",
            [
                .required("topic", .text(.topic), "where to; it must exist unless `create` says how to make it"),
                .defaulted(
                    "format", .word(RowFormats.all.map(\.name)), .text("json"),
                    "how rows are written; documents (late rows, dead letters, anomalies) are JSON always"),
                .defaulted(
                    "partitioner", .word(KafkaProducer.partitioners), .text("murmur2_random"),
                    "how the key chooses the partition; murmur2 is the Java client's way"),
                .defaulted(
                    "create", .either([.word(["off"]), .object(KafkaSinkFactory.createSchema)]), .text("off"),
                    "make the topic where it does not exist"),
                .optional("brokers", .string, absent: "the job's", "another cluster; needs `delivery: atLeastOnce`"),
                .optional(
                    "options", .map(.string), absent: "none", "librdkafka settings of this sink's producer"),
                .optional(
                    "producerOptions", .map(.string), absent: "the job's", "the same, under the job's name for them"),
            ])
    }

    private static let createSchema = OptionSchema(
        "create", "the topic to make",
        [
            .defaulted("partitions", .integer(1...100_000), .integer(1), "how many partitions"),
            .defaulted("replication", .integer(1...1000), .integer(1), "copies of each partition"),
        ])

    public var needsKafka: Bool { true }

    public func describe(_ options: CheckedOptions) -> String {
        let format = options.requiredText("format")
        return "kafka \(options.requiredText("topic"))" + (format == "json" ? "" : " (\(format))")
    }

    public func check(_ options: CheckedOptions) -> [Diagnostic] {
        ["options", "producerOptions"].flatMap { key in
            Self.settings(options, key).compactMap { setting in
                KafkaConfiguration.check(name: setting.name, value: setting.value).map {
                    Diagnostic($0, path: "\(options.path(key)).\(setting.name)")
                }
            }
        }
    }

    /// What a sink sets of its producer.
    static func settings(of options: CheckedOptions) -> [KafkaConnection.Setting] {
        settings(options, "options") + settings(options, "producerOptions")
    }

    /// How a sink of these options reaches its cluster, in a job with this connection.
    public static func connection(_ options: CheckedOptions, _ kafka: KafkaConnection) -> KafkaConnection {
        var connection = kafka
        if let brokers = options.text("brokers") { connection.brokers = brokers }
        connection.producerOptions += settings(of: options)
        return connection
    }

    private static func settings(_ options: CheckedOptions, _ key: String) -> [KafkaConnection.Setting] {
        options.map(key).compactMap { pair in
            if case .text(let value) = pair.value { KafkaConnection.Setting(pair.key, value) } else { nil }
        }
    }

    public func make(_ options: CheckedOptions, _ context: SinkContext) throws(SinkError) -> any Sink {
        let connection = Self.connection(options, context.kafka)
        do throws(SourceError) {
            let producer = try KafkaProducer(connection, sendsAtFlush: true, log: log)
            let topic = options.requiredText("topic")
            try producer.open(
                topic: topic, partitioner: options.requiredText("partitioner"), create: creation(options))
            return KafkaSink(producer: producer, topic: topic, encoder: encoder(options, context))
        } catch {
            throw SinkError(error.description, isRetriable: error.isRetriable)
        }
    }

    /// A sink that writes in the epochs' transactions, through the producer they share. One with `brokers` of its own
    /// cannot: it writes at least once.
    func make(
        _ options: CheckedOptions, _ context: SinkContext, through shared: KafkaEpochProducer
    ) throws(SinkError) -> any Sink {
        guard options.text("brokers") == nil else { return try make(options, context) }
        let topic = options.requiredText("topic")
        do throws(SourceError) {
            try shared.open(topic: topic, partitioner: options.requiredText("partitioner"), create: creation(options))
        } catch {
            throw SinkError(error.description, isRetriable: error.isRetriable)
        }
        return KafkaSink(through: shared, topic: topic, encoder: encoder(options, context))
    }

    private func creation(_ options: CheckedOptions) -> (partitions: Int, replication: Int)? {
        options.object("create").map { ($0.requiredInteger("partitions"), $0.requiredInteger("replication")) }
    }

    private func encoder(_ options: CheckedOptions, _ context: SinkContext) -> (any RowEncoder)? {
        guard case .rows = context.input else { return nil }
        return RowFormats.named(options.requiredText("format"))?.makeEncoder(query: context.query ?? context.job)
    }
}
