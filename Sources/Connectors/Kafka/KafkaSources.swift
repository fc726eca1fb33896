import StreamEngine

/// The Kafka side of a job's sources, made from its definition.
public enum KafkaSources {
    /// What `run` reads: the sources that are not broadcast, as a member of the job's group, or outside any group with
    /// `delivery: none`. Connects in the background.
    public static func live(
        _ job: JobDefinition, group: String? = nil, log: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws(SourceError) -> any LiveSource {
        switch job.delivery {
        case .exactlyOnce, .atLeastOnce: return try member(job, group: group, log: log)
        case .none:
            return try KafkaTopicReader(
                job.kafka, subscriptions: subscriptions(job), end: .never, excludedTopics: writtenTopics(job), log: log)
        }
    }

    /// What a member of the job's group reads. Connects in the background.
    public static func member(
        _ job: JobDefinition, group: String? = nil, log: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws(SourceError) -> KafkaConsumer {
        var connection = job.kafka
        connection.options = gathering(job) + connection.options
        return try KafkaConsumer(
            connection, group: KafkaGroup(id: group ?? job.group, instanceID: job.kafka.instanceID),
            subscriptions: subscriptions(job), excludedTopics: writtenTopics(job), log: log)
    }

    /// A run without an end lets brokers gather records, a fortieth of its trigger, 100 ms at most: a fetch for each of many
    /// small messages costs both sides more than the messages. The job's own settings go before.
    private static func gathering(_ job: JobDefinition) -> [KafkaConnection.Setting] {
        guard case .interval(let ms) = job.trigger else { return [] }
        return [
            .init("fetch.min.bytes", "65536"), .init("fetch.wait.max.ms", "\(min(max(ms / 40, 5), 100))"),
        ]
    }

    /// What a live run reads beside its group: broadcast sources that some detector asks, each with a
    /// reader of its own. Connect in the background.
    public static func broadcasts(
        _ job: JobDefinition, log: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws(SourceError) -> [any LiveSource] {
        var readers: [any LiveSource] = []
        for source in job.sources where source.isBroadcast && job.reads(source) {
            var connection = job.kafka
            if let brokers = source.kafka.brokers { connection.brokers = brokers }
            connection.options = connection.options.filter { $0.name != "group.instance.id" } + source.kafka.options
            readers.append(
                try KafkaTopicReader(
                    connection, subscriptions: [KafkaSubscription(source)], end: .never,
                    excludedTopics: writtenTopics(job), log: log))
        }
        return readers
    }

    private static func subscriptions(_ job: JobDefinition) -> [KafkaSubscription] {
        job.sources.filter { !$0.isBroadcast }.map { KafkaSubscription($0) }
    }

    /// What `replay` of topics reads: those of the sources named, outside any group, up to `end`. `starts` takes the place
    /// of each source's `startingOffsets`; the earliest record where it names none.
    public static func bounded(
        _ job: JobDefinition, sources: Set<String>, starts: [String: StartingOffsets] = [:],
        end: KafkaReadingEnd = .present, log: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws(SourceError) -> KafkaTopicReader {
        let subscriptions = job.sources.filter { sources.contains($0.name) }.map {
            KafkaSubscription(source: $0.name, topics: $0.topics, startingOffsets: starts[$0.name] ?? .earliest)
        }
        return try KafkaTopicReader(
            job.kafka, subscriptions: subscriptions, end: end, excludedTopics: writtenTopics(job), log: log)
    }

    /// Topics of the job's own sinks: no pattern of its sources matches them (JOBS.md).
    static func writtenTopics(_ job: JobDefinition) -> [String] {
        Set(sinks(job).compactMap { $0.options.text("topic") }).sorted()
    }

    /// Every Kafka sink of a job.
    static func sinks(_ job: JobDefinition) -> [SinkDefinition] {
        var sinks = job.deadLetter.sink.map { [$0] } ?? []
        for query in job.queries {
            sinks += query.sinks + query.anomalies.flatMap(\.sinks) + query.impacts.flatMap(\.sinks)
            if let late = query.late { sinks.append(late) }
        }
        return sinks.filter { $0.kind == "kafka" }
    }
}

extension KafkaConnection {
    /// The member's static name (`group.instance.id`), where the job sets one.
    public var instanceID: String? { options.last { $0.name == "group.instance.id" }?.value }
}
