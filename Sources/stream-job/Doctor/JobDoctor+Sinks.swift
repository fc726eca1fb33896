import Connectors
import StreamEngine

extension JobDoctor {
    /// Whether every sink could be written: by trying it, so that nothing of the trial can be seen afterwards.
    func checkSinks() throws(BrokenLink) {
        var found: [String] = []
        var tried: Set<String> = []
        for query in definition.queries {
            for sink in query.sinks + (query.late.map { [$0] } ?? []) {
                found.append(try check(sink, "query \(query.name)", &tried))
            }
        }
        if let sink = definition.deadLetter.sink, definition.onBadRecord == .deadLetter {
            found.append(try check(sink, "deadLetter", &tried))
        }
        try tryDirectory(definition.checkpoint.location, "checkpoint")
        report(.ok(.sinks, "sinks can be written: \(found.isEmpty ? "none" : found.joined(separator: ", "))"))
    }

    /// `tried`: the topics and directories that need no second trial.
    private func check(
        _ sink: SinkDefinition, _ owner: String, _ tried: inout Set<String>
    ) throws(BrokenLink) -> String {
        let text = registries.sink(sink.kind)?.describe(sink.options) ?? sink.kind
        if sink.kind == "kafka", let topic = sink.options.text("topic") {
            let connection = KafkaSinkFactory.connection(sink.options, definition.kafka)
            let isNew = tried.insert("\(connection.brokers ?? "") \(topic)").inserted
            return isNew ? try tryTopic(topic, sink, connection, "\(owner): sink \(text)", text) : text
        }
        if sink.options.declares("path"), let path = sink.options.text("path"), tried.insert(path).inserted {
            try tryDirectory(path, "\(owner): sink \(text)")
        }
        return text
    }

    private func tryTopic(
        _ topic: String, _ sink: SinkDefinition, _ connection: KafkaConnection, _ what: String, _ text: String
    ) throws(BrokenLink) -> String {
        let counts = try ask(connection, .sinks) { cluster throws(SourceError) in
            try cluster.partitionCounts(timeoutMs: 10_000)
        }
        let trial = KafkaWriteTrial(connection)
        do throws(KafkaWriteTrial.Failure) {
            guard counts[topic] != nil else {
                guard let create = sink.options.object("create") else {
                    throw missing(topic, connection, Array(counts.keys))
                }
                try trial.runCreating(
                    topic, partitions: create.requiredInteger("partitions"),
                    replication: create.requiredInteger("replication"))
                return "\(text) (to be made)"
            }
            switch try trial.run(topic) {
            case .writable(let bytes) where bytes < trial.largestProducedBytes:
                report(
                    .warn(
                        .sinks,
                        "\(what): the topic takes batches of at most \(FigureText.count(bytes)) bytes, the sink makes them "
                            + "up to \(FigureText.count(trial.largestProducedBytes)) before compression",
                        mend: "raise max.message.bytes of topic \(topic), or give the sink "
                            + "`producerOptions: {batch.size: \"\(bytes)\"}`"))
            case .writable: break
            case .untried(let reason):
                report(
                    .warn(
                        .sinks, "\(what): the topic is there; whether it may be written was not tried: \(reason)",
                        mend: "the right to describe the topic's configuration lets the doctor see more"))
            }
            return text
        } catch {
            throw BrokenLink(.sinks, "\(what): \(error.text)", mend: error.mend)
        }
    }

    private func missing(
        _ topic: String, _ connection: KafkaConnection, _ known: [String]
    ) -> KafkaWriteTrial.Failure {
        let near = Suggestion.nearest(topic, among: known).map { "did you mean \($0)? " } ?? ""
        return KafkaWriteTrial.Failure(
            text: "there is no topic \(topic) on \(connection.brokers ?? "")",
            mend: near + "create it, or let the sink do it: `kafka: {topic: \(topic), create: {partitions: 1, "
                + "replication: 1}}`")
    }

    private func tryDirectory(_ path: String, _ what: String) throws(BrokenLink) {
        do throws(DirectoryTrial.Failure) {
            try DirectoryTrial().run(path)
        } catch {
            throw BrokenLink(.sinks, "\(what): \(error.text)", mend: error.mend)
        }
    }
}
