import Connectors
import Platform
import StreamEngine

/// Makes a job's sinks: as they stand in the job for `run`, under one output directory for `replay` (JOBS.md "In replay").
struct SinkPlan {
    private let definition: JobDefinition
    private let registries: Registries
    /// The directory of a replay; nil in a live run.
    private let replay: OutputRoot?
    private var shared: [String: SharedLines.Owner] = [:]

    init(_ definition: JobDefinition, registries: Registries, replay: OutputRoot?) {
        self.definition = definition
        self.registries = registries
        self.replay = replay
    }

    /// Every sink of the job.
    mutating func makeOutputs(_ job: CompiledJob) throws(SinkError) -> JobOutputs {
        var queries: [QueryOutputs] = []
        for (query, plan) in zip(definition.queries, job.queries) {
            var sinks: [any Sink] = []
            for sink in query.sinks {
                sinks.append(try make(sink, query: query, input: .rows(plan.schema)))
            }
            var late: (any Sink)?
            if let sink = query.late { late = try make(sink, query: query, input: .documents) }
            queries.append(QueryOutputs(sinks: sinks, late: late))
        }
        return JobOutputs(
            queries: queries, deadLetter: try makeDeadLetter(),
            encodeLate: { query, id, sample in
                LateRow(
                    query: query, partition: id, offset: sample.offset, line: sample.line,
                    timestampMs: sample.timestampMs, value: sample.value, series: sample.labels,
                    windowEndMs: sample.windowEndMs, latenessMs: sample.latenessMs
                ).json
            },
            encodeDeadLetter: { DeadLetter(partition: $0, record: $1).json })
    }

    private mutating func make(
        _ sink: SinkDefinition, query: QueryDefinition, input: SinkInput
    ) throws(SinkError) -> any Sink {
        if let replay, sink.kind == "kafka", let topic = sink.options.text("topic") {
            return try topicDirectory(replay.directory(topic: topic), query: query.name, input: input)
        }
        guard let factory = registries.sink(sink.kind) else {
            throw SinkError("query \(query.name): this program has no sink `\(sink.kind)`")
        }
        var context = SinkContext(
            job: definition.name, query: query.name, input: input, mode: query.outputMode,
            delivery: definition.delivery, baseDirectory: replay?.path ?? "", kafka: definition.kafka)
        context.gatherMs = gatherMs
        return try factory.make(sink.options, context)
    }

    /// A replay starts over after a crash, so its epochs need not each wait for the disk.
    private var gatherMs: Int64 { replay == nil ? 0 : 2000 }

    /// What would go to a topic goes to `DIR/<topic>/*.jsonl`; several queries may share a topic, so they share the files.
    private mutating func topicDirectory(
        _ directory: String, query: String, input: SinkInput
    ) throws(SinkError) -> any Sink {
        let owner: SharedLines.Owner
        if let known = shared[directory] {
            owner = known
        } else {
            var settings = JSONLSettings()
            settings.gatherMs = gatherMs
            owner = SharedLines.Owner(try JSONLSink(directory: directory, settings: settings, encoder: nil))
            shared[directory] = owner
        }
        var encoder: (any RowEncoder)?
        if case .rows = input { encoder = JSONRows().makeEncoder(query: query) }
        return SharedLines(owner, encoder: encoder)
    }

    private mutating func makeDeadLetter() throws(SinkError) -> (any Sink)? {
        guard definition.onBadRecord == .deadLetter else { return nil }
        if replay == nil, let sink = definition.deadLetter.sink {
            guard let factory = registries.sink(sink.kind) else {
                throw SinkError("deadLetter: this program has no sink `\(sink.kind)`")
            }
            let context = SinkContext(
                job: definition.name, query: nil, input: .documents, mode: .append, delivery: definition.delivery,
                baseDirectory: "", kafka: definition.kafka)
            return try factory.make(sink.options, context)
        }
        var settings = JSONLSettings()
        settings.targetFileBytes = definition.deadLetter.rollBytes
        settings.maxBytes = definition.deadLetter.maxBytes
        settings.gatherMs = gatherMs
        let directory = replay?.deadLetters ?? FilePath.join(definition.checkpoint.location, "dead-letter")
        return try JSONLSink(directory: directory, settings: settings, encoder: nil)
    }
}

/// One of several writers to the same JSON lines. The first one prepares, publishes and closes for all.
final class SharedLines: Sink {
    /// The files, and which writer acts for all.
    final class Owner {
        let sink: JSONLSink
        var isTaken = false

        init(_ sink: JSONLSink) { self.sink = sink }
    }

    private let owner: Owner
    private let encoder: (any RowEncoder)?
    private let actsForAll: Bool
    private var encoded = EncodedRows()

    /// A writer; rows are encoded by `encoder`, nil for documents only.
    init(_ owner: Owner, encoder: (any RowEncoder)?) {
        self.owner = owner
        self.encoder = encoder
        actsForAll = !owner.isTaken
        owner.isTaken = true
    }

    var description: String { owner.sink.description }
    var written: (files: Int, bytes: Int64)? { owner.sink.written }

    func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        guard let encoder else { preconditionFailure("\(description) was made for documents") }
        encoded.clear()
        encoder.encode(rows, into: &encoded)
        let documents = (0..<encoded.count).map { Array(encoded.bytes[encoded.range(of: $0)]) }
        try owner.sink.write(DocumentBatch(documents: documents), info)
    }

    func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {
        try owner.sink.write(documents, info)
    }

    func prepare(_ epoch: EpochToken) throws(SinkError) {
        if actsForAll { try owner.sink.prepare(epoch) }
    }

    func publish(_ epoch: EpochToken) throws(SinkError) {
        if actsForAll { try owner.sink.publish(epoch) }
    }

    func discard(_ epoch: EpochToken) {
        if actsForAll { owner.sink.discard(epoch) }
    }

    func close() throws(SinkError) {
        if actsForAll { try owner.sink.close() }
    }
}
