import Platform
import StreamEngine

/// Makes a job's sinks: as they stand in the job for `run`, under one output directory for `replay` (JOBS.md "In replay").
public struct JobSinks {
    private let definition: JobDefinition
    private let registries: Registries
    /// The directory of a replay; nil in a live run.
    private let replay: OutputRoot?
    private let topics: TopicFiles?

    /// A replay starts over after a crash, so its epochs need not each wait for the disk.
    private let gatherMs: Int64

    /// Writes a replay's files behind its emission; nil where the coordinator writes itself, as it also does where the system
    /// refuses the thread.
    private let behind: WriteBehind?

    /// The producer of the epochs' transactions; nil where there are none.
    private let transactions: KafkaEpochProducer?

    /// Sinks of `definition`; `replay` is the output directory of a replay. Kafka sinks on the job's cluster write through
    /// `transactions`, where it is given. With `writesBehind` a replay's files are written by a thread of their own.
    public init(
        _ definition: JobDefinition, registries: Registries, replay: OutputRoot? = nil,
        transactions: KafkaEpochProducer? = nil, writesBehind: Bool = false
    ) {
        behind = writesBehind && replay != nil ? try? WriteBehind() : nil
        self.transactions = transactions
        self.definition = definition
        self.registries = registries
        self.replay = replay
        let gatherMs: Int64 = replay == nil ? 0 : 2000
        self.gatherMs = gatherMs
        topics = replay.map { TopicFiles(root: $0, gatherMs: gatherMs) }
    }

    /// Every sink of the job.
    public func makeOutputs(_ job: CompiledJob) throws(SinkError) -> JobOutputs {
        var queries: [QueryOutputs] = []
        for (query, plan) in zip(definition.queries, job.queries) {
            var sinks: [any Sink] = []
            for sink in query.sinks {
                sinks.append(try make(sink, query: query, input: .rows(plan.schema)))
            }
            var late: (any Sink)?
            if let sink = query.late { late = try make(sink, query: query, input: .documents) }
            var anomalies: [[any Sink]] = []
            for anomaly in query.anomalies {
                var own: [any Sink] = []
                for sink in anomaly.sinks { own.append(try makeFinding(sink, FindingTable.anomalies, query)) }
                anomalies.append(own)
            }
            var impacts: [[any Sink]] = []
            for impact in query.impacts {
                var own: [any Sink] = []
                for sink in impact.sinks { own.append(try makeFinding(sink, FindingTable.impacts, query)) }
                impacts.append(own)
            }
            queries.append(QueryOutputs(sinks: sinks, late: late, anomalies: anomalies, impacts: impacts))
        }
        var outputs = JobOutputs(
            queries: queries, deadLetter: try makeDeadLetter(),
            encodeLate: { query, id, sample in
                LateRow(
                    query: query, partition: id, offset: sample.offset, line: sample.line,
                    timestampMs: sample.timestampMs, value: sample.value, series: sample.labels,
                    windowEndMs: sample.windowEndMs, latenessMs: sample.latenessMs
                ).json
            },
            encodeDeadLetter: { DeadLetter(partition: $0, record: $1).json })
        outputs.anomalies = .anomalies
        outputs.impacts = .impacts
        return outputs
    }

    /// A sink of anomalies or impacts: a kind that takes no documents is given rows of `schema`.
    private func makeFinding(
        _ sink: SinkDefinition, _ schema: RowSchema, _ query: QueryDefinition
    ) throws(SinkError) -> any Sink {
        let takesDocuments = registries.sink(sink.kind)?.takesDocuments ?? true
        return try make(sink, query: query, input: takesDocuments ? .documents : .rows(schema))
    }

    private func make(
        _ sink: SinkDefinition, query: QueryDefinition, input: SinkInput
    ) throws(SinkError) -> any Sink {
        if let topics, sink.kind == "kafka", let topic = sink.options.text("topic") {
            var format: (any RowFormat)?
            if case .rows = input { format = RowFormats.named(sink.options.text("format") ?? "json") }
            return inTurn(try topics.sink(topic: topic, format: format, query: query.name))
        }
        guard let factory = registries.sink(sink.kind) else {
            throw SinkError("query \(query.name): this program has no sink `\(sink.kind)`")
        }
        var context = SinkContext(
            job: definition.name, query: query.name, input: input, mode: query.outputMode,
            delivery: definition.delivery, baseDirectory: replay?.path ?? "", kafka: definition.kafka)
        context.gatherMs = gatherMs
        let made = try make(factory, sink.options, context)
        // What goes to the terminal stands between the run's own lines.
        return sink.kind == "console" ? made : inTurn(made)
    }

    private func inTurn(_ sink: any Sink) -> any Sink {
        behind.map { WriteBehindSink(sink, behind: $0) } ?? sink
    }

    private func make(
        _ factory: any SinkFactory, _ options: CheckedOptions, _ context: SinkContext
    ) throws(SinkError) -> any Sink {
        if let transactions, let factory = factory as? KafkaSinkFactory {
            return try factory.make(options, context, through: transactions)
        }
        return try factory.make(options, context)
    }

    private func makeDeadLetter() throws(SinkError) -> (any Sink)? {
        guard definition.onBadRecord == .deadLetter else { return nil }
        if replay == nil, let sink = definition.deadLetter.sink {
            guard let factory = registries.sink(sink.kind) else {
                throw SinkError("deadLetter: this program has no sink `\(sink.kind)`")
            }
            let context = SinkContext(
                job: definition.name, query: nil, input: .documents, mode: .append, delivery: definition.delivery,
                baseDirectory: "", kafka: definition.kafka)
            return try make(factory, sink.options, context)
        }
        var settings = JSONLSettings()
        settings.targetFileBytes = definition.deadLetter.rollBytes
        settings.maxBytes = definition.deadLetter.maxBytes
        settings.gatherMs = gatherMs
        let directory = replay?.deadLetters ?? FilePath.join(definition.checkpoint.location, "dead-letter")
        return try JSONLSink(directory: directory, settings: settings, encoder: nil)
    }
}
