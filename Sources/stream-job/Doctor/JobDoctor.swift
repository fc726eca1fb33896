import Connectors
import Platform
import StreamEngine

/// Walks the chain from the broker to the sinks and stops at the first broken link.
final class JobDoctor {
    let job: CompiledJob
    let registries: Registries
    let clock = SystemClock()
    /// Is given each finding as it comes.
    let report: (DoctorFinding) -> Void
    /// Records to look at for each source.
    let recordsWanted: Int
    private var clusters: [String: KafkaCluster] = [:]

    init(
        _ job: CompiledJob, registries: Registries, recordsWanted: Int, report: @escaping (DoctorFinding) -> Void
    ) {
        self.job = job
        self.registries = registries
        self.recordsWanted = recordsWanted
        self.report = report
    }

    var definition: JobDefinition { job.definition }

    /// Sources that some query reads, and those read as context.
    private var sources: [SourceDefinition] {
        definition.sources.filter { source in
            source.isBroadcast || definition.queries.contains { $0.from == source.name }
        }
    }

    /// Walks; throws the broken link.
    func walk() throws(BrokenLink) {
        for connection in distinctConnections() { report(try checkBroker(connection)) }
        var partitions: [[PartitionID]] = []
        for source in sources { partitions.append(try checkTopics(source)) }
        var samples: [SourceSample] = []
        for (source, ids) in zip(sources, partitions) { samples.append(try checkRecords(source, ids)) }
        for sample in samples { report(try checkParsing(sample)) }
        for sample in samples {
            for query in definition.queries where query.from == sample.source.name { try checkSelect(query, sample) }
            warnOfPartitioning(sample)
        }
        for sample in samples { report(try checkWatermark(sample)) }
        for sample in samples {
            for plan in job.plans(of: sample.source.name) { report(try checkWindows(plan, sample)) }
        }
        try checkSinks()
    }

    /// Topics the job writes: patterns never match them.
    private var writtenTopics: [String] {
        let sinks = definition.queries.flatMap { $0.sinks + ($0.late.map { [$0] } ?? []) }
        return (sinks + (definition.deadLetter.sink.map { [$0] } ?? [])).filter { $0.kind == "kafka" }
            .compactMap { $0.options.text("topic") }
    }

    // MARK: Broker

    /// How a source's topics are reached.
    func connection(_ source: SourceDefinition) -> KafkaConnection {
        var connection = definition.kafka
        if let brokers = source.kafka.brokers { connection.brokers = brokers }
        connection.options += source.kafka.options
        return connection
    }

    private func distinctConnections() -> [KafkaConnection] {
        var found: [KafkaConnection] = []
        for connection in sources.map({ connection($0) })
        where !found.contains(where: { $0.brokers == connection.brokers }) {
            found.append(connection)
        }
        return found
    }

    /// The client for a cluster, made once.
    func cluster(_ connection: KafkaConnection) throws(BrokenLink) -> KafkaCluster {
        let brokers = connection.brokers ?? ""
        if let known = clusters[brokers] { return known }
        do throws(SourceError) {
            let cluster = try KafkaCluster(connection)
            clusters[brokers] = cluster
            return cluster
        } catch {
            throw BrokenLink(.broker, error.description, mend: "mend `kafka` in the job")
        }
    }

    private func checkBroker(_ connection: KafkaConnection) throws(BrokenLink) -> DoctorFinding {
        let brokers = connection.brokers ?? ""
        let cluster = try cluster(connection)
        let startNs = clock.monotonicNs()
        do throws(SourceError) {
            let count = try cluster.brokerCount(timeoutMs: 5000)
            let took = FigureText.duration(seconds: Double(clock.monotonicNs() - startNs) / 1e9)
            return .ok(.broker, "broker \(brokers) answers (\(Plural.of(count, "node")), \(took))")
        } catch {
            let why = cluster.complaints().first ?? error.description
            throw BrokenLink(
                .broker, "broker \(brokers) does not answer: \(why)",
                mend: "start it, or mend `kafka.brokers`; for a try: stream-job broker --memory --listen \(brokers)")
        }
    }

    // MARK: Topics and records

    private func checkTopics(_ source: SourceDefinition) throws(BrokenLink) -> [PartitionID] {
        let connection = connection(source)
        let counts = try ask(connection, .topics) { cluster throws(SourceError) in
            try cluster.partitionCounts(timeoutMs: 10_000)
        }
        let subscription = KafkaSubscription(source)
        let names: [String]
        switch source.topics {
        case .topics(let wanted):
            names = wanted
            for name in wanted where counts[name] == nil {
                throw BrokenLink(
                    .topics, "source \(source.name): there is no topic \(name)",
                    mend: wayToTopic(name, source, Array(counts.keys), connection))
            }
        case .pattern(let pattern):
            names = counts.keys.filter { subscription.takes($0) && !writtenTopics.contains($0) }.sorted()
            guard !names.isEmpty else {
                throw BrokenLink(
                    .topics, "source \(source.name): no topic matches \(pattern)",
                    mend: "topics: \(counts.keys.sorted().prefix(12).joined(separator: ", "))")
            }
        }
        let ids = names.flatMap { name in
            (0..<(counts[name] ?? 0)).map { PartitionID(source: source.name, topic: name, partition: $0) }
        }
        let what = names.count == 1 ? "topic \(names[0])" : Plural.of(names.count, "topic")
        report(.ok(.topics, "\(what): \(Plural.of(ids.count, "partition"))"))
        return ids
    }

    private func wayToTopic(
        _ name: String, _ source: SourceDefinition, _ known: [String], _ connection: KafkaConnection
    ) -> String {
        let list = known.isEmpty ? "the cluster has none" : known.sorted().prefix(12).joined(separator: ", ")
        if let near = Suggestion.nearest(name, among: known) { return "did you mean \(near)? topics: \(list)" }
        return "topics: \(list); for a try: \(generate(name, source, connection))"
    }

    /// A command that fills a topic.
    private func generate(_ topic: String, _ source: SourceDefinition, _ connection: KafkaConnection) -> String {
        let flag = job.formats[source.name]?.kind == .events ? "--mode slow --events-topic" : "--topic"
        return "stream-job generate --brokers \(connection.brokers ?? "") \(flag) \(topic)"
    }

    private func checkRecords(
        _ source: SourceDefinition, _ partitions: [PartitionID]
    ) throws(BrokenLink) -> SourceSample {
        guard let format = job.formats[source.name] else {
            throw BrokenLink(.parse, "source \(source.name) has no format", mend: "mend `format`")
        }
        let connection = connection(source)
        let probe = SourceProbe(
            source: source, connection: connection, format: format, limits: job.decodeLimits(of: source),
            excludedTopics: writtenTopics, wanted: recordsWanted)
        let cluster = try cluster(connection)
        let sample: SourceSample
        do {
            sample = try probe.read(cluster, partitions)
        } catch {
            throw BrokenLink(.records, "source \(source.name) cannot be read: \(error)", mend: "see above")
        }
        let held = sample.partitions.reduce(Int64(0)) { $0 + $1.held }
        let topics = Set(partitions.map(\.topic)).sorted().joined(separator: ", ")
        guard sample.records > 0 else {
            guard held == 0 else {
                throw BrokenLink(
                    .records, "\(topics): of \(FigureText.count(Int(held))) records none came in 10 s",
                    mend: "an open transaction or a slow broker? look with: kcat -b \(connection.brokers ?? "") -t "
                        + "\(topics) -o -5 -e")
            }
            throw BrokenLink(
                .records, "\(topics): no record in any of \(Plural.of(partitions.count, "partition"))",
                mend: "does the producer run, and against this cluster? for a try: "
                    + generate(partitions.first?.topic ?? "", source, connection))
        }
        var text = "\(topics): \(Plural.of(Int(held), "record"))"
        if let newestMs = sample.newestRecordMs {
            text += ", newest \(Self.age(clock.wallMs() - newestMs)) old"
        }
        report(.ok(.records, text))
        if source.startingOffsets == .latest {
            report(
                .warn(
                    .records, "source \(source.name) starts at `latest`: what is there now is not read",
                    mend: "startingOffsets: earliest reads it"))
        }
        return sample
    }

    private func checkParsing(_ sample: SourceSample) throws(BrokenLink) -> DoctorFinding {
        let name = sample.source.name
        let bad = sample.bad.filter { $0.record.reason != .futureTimestamp }
        let read = "\(Plural.of(sample.records, "sampled record")) of \(name)"
        let first = bad.min { ($0.partition, $0.record.offset) < ($1.partition, $1.record.offset) }.map {
            "\($0.partition)@\($0.record.offset): \($0.record.reason.rawValue): \($0.record.detail)"
        }
        guard sample.samples > 0 || sample.future > 0 else {
            throw BrokenLink(
                .parse, "\(read): nothing parses as \(sample.source.format)" + (first.map { "; \($0)" } ?? ""),
                mend: "mend `format` of source \(name) (formats: "
                    + registries.formats.map(\.name).joined(separator: ", ") + "), or the producer")
        }
        guard sample.samples > 0 else {
            let skew = sample.source.watermark.maxFutureSkewMs.map { DurationText.compact($0) } ?? "off"
            throw BrokenLink(
                .parse, "\(read): all \(FigureText.count(sample.future)) samples lie more than \(skew) in the future",
                mend: "check the producer's clock and unit (s, ms), or set watermark.maxFutureSkew of source \(name)")
        }
        let text =
            "\(read) parse as \(sample.source.format): \(Plural.of(sample.samples, "sample")), "
            + "\(FigureText.count(bad.count)) bad"
        if let first, !bad.isEmpty {
            return .warn(.parse, "\(text); the first: \(first)", mend: "bad ones go to the dead letters")
        }
        guard sample.future == 0 else {
            return .warn(
                .parse, "\(text), \(FigureText.count(sample.future)) in the future", mend: "check the producers' clocks"
            )
        }
        return .ok(.parse, text)
    }

    // MARK: Words

    /// Asks a cluster something; a failure breaks `link`.
    func ask<R>(
        _ connection: KafkaConnection, _ link: DoctorFinding.Link, _ body: (KafkaCluster) throws(SourceError) -> R
    ) throws(BrokenLink) -> R {
        let cluster = try cluster(connection)
        do throws(SourceError) {
            return try body(cluster)
        } catch {
            throw BrokenLink(link, error.description, mend: "see above")
        }
    }

    /// A span of time for people; one that lies ahead says so.
    static func age(_ ms: Int64) -> String {
        ms < 0 ? "less than 0 s" : FigureText.duration(seconds: Double(ms) / 1000)
    }

    /// A time of today without its date.
    func clockText(_ timeMs: Int64) -> String {
        let text = EventTime.consoleText(EventTime.floorDivide(timeMs, 1000) * 1000)
        return (abs(clock.wallMs() - timeMs) < 43_200_000 ? String(text.suffix(8)) : text) + "Z"
    }
}
