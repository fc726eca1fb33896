import Connectors
import EmbeddedBroker
import Glibc
import JobFile
import Operators
import Platform
import StreamEngine
import TestSupport
import Testing

/// A broker in this process, and a producer to it.
final class LiveBroker {
    typealias Topic = BrokerConfiguration.NewTopic

    let broker: EmbeddedBroker
    let brokers: String
    private let producer: KafkaProducer

    private init(_ configuration: BrokerConfiguration) throws {
        broker = try withOwnPort { port in
            var configuration = configuration
            configuration.port = port
            let broker = EmbeddedBroker(configuration)
            try broker.start()
            return broker
        }
        brokers = "127.0.0.1:\(broker.port)"
        producer = try KafkaProducer(KafkaConnection(brokers: brokers)) { _ in }
    }

    static func with(
        _ topics: [Topic], data: String? = nil, _ body: @escaping @Sendable (LiveBroker) throws -> Void
    ) async throws {
        try await onOwnThread {
            var configuration = BrokerConfiguration()
            configuration.topics = topics
            configuration.createsTopics = false
            configuration.dataDirectory = data
            let live = try LiveBroker(configuration)
            defer {
                live.producer.close()
                live.broker.stop()
            }
            try body(live)
        }
    }

    /// Writes messages to one partition and waits until they are there.
    func send(_ topic: String, _ partition: Int32, _ messages: [String]) throws {
        for message in messages {
            try Array(message.utf8).withUnsafeBytes {
                try producer.send(topic: topic, value: $0, partition: partition)
            }
        }
        try producer.flush(timeoutMs: Int(hungAfterMs))
    }

    /// Makes a topic while the broker runs.
    func create(_ topic: String, partitions: Int) throws {
        let producer = try KafkaProducer(KafkaConnection(brokers: brokers)) { _ in }
        defer { producer.close() }
        try producer.open(topic: topic, partitioner: "murmur2_random", create: (partitions, 1))
    }

    /// A new directory for a broker's data.
    static func makeDirectory() throws -> String {
        var template = Array("/tmp/stream-job-test-XXXXXX".utf8CString)
        return String(cString: try #require(mkdtemp(&template)))
    }

    /// Everything a topic holds, partition by partition, in order.
    func read(_ topic: String) throws -> [[String]] { try readTopic(topic, brokers) }
}

/// Everything a topic holds, partition by partition, in order.
func readTopic(_ topic: String, _ brokers: String) throws -> [[String]] {
    let source = try KafkaTopicReader(
        KafkaConnection(brokers: brokers),
        subscriptions: [KafkaSubscription(source: "s", topics: .topics([topic]), startingOffsets: .earliest)],
        end: .present, log: { _ in })
    defer { source.close() }
    var readers: [any PartitionReader] = []
    var values: [[String]] = []
    return try waitFor("topic \(topic) is read") {
        for event in source.poll(untilNs: SystemClock().monotonicNs() + 50_000_000) {
            switch event {
            case .assigned(let ids):
                readers = try source.start(try source.startingOffsets(ids, timeoutMs: Int(hungAfterMs)))
                values = readers.map { _ in [] }
            case .failed(let error): throw error
            case .revoked, .lost, .brokerDown, .brokerUp, .warning: break
            }
        }
        var open = readers.isEmpty
        for (index, reader) in readers.enumerated() {
            let outcome = try reader.read(maxBytes: 1 << 20) {
                values[index].append(String(decoding: $0.bytes, as: UTF8.self))
            }
            if case .endOfInput = outcome {} else { open = true }
        }
        return open ? nil : values
    }
}

/// Published rows and documents, seen by the test's thread while the job runs.
final class SharedSink: Sink {
    let rows: Monitor<[String]>
    private var open: [String] = []
    private let encoder: (any RowEncoder)?

    init(_ rows: Monitor<[String]>, query: String?) {
        self.rows = rows
        encoder = query.map { JSONRows().makeEncoder(query: $0) }
    }

    var description: String { "memory" }
    var written: (files: Int, bytes: Int64)? { nil }

    func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        var out = EncodedRows()
        encoder?.encode(rows, into: &out)
        for row in 0..<out.count { open.append(String(decoding: out.bytes[out.range(of: row)], as: UTF8.self)) }
    }

    func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {
        open += documents.documents.map { String(decoding: $0, as: UTF8.self) }
    }

    func prepare(_ epoch: EpochToken) throws(SinkError) {}
    func publish(_ epoch: EpochToken) throws(SinkError) {
        rows.withLock { $0 += open }
        open = []
    }
    func discard(_ epoch: EpochToken) { open = [] }
    func abandon(_ epoch: EpochToken) { open = [] }
    func close() throws(SinkError) {}
}

/// A job that runs on a thread of its own.
final class LiveJob {
    private struct State {
        var log: [String] = []
        var progress: QueryProgress?
        var decisions: [Decision] = []
        var result: Result<JobSummary, any Error>?
    }

    let rows: [Monitor<[String]>]
    let deadLetters = Monitor<[String]>([])
    let definition: JobDefinition
    private let state = Monitor(State())
    private let stopRequest = StopRequest()

    /// Where rows go.
    enum Output {
        /// Into `rows`.
        case captured
        /// Where the job says.
        case asInJob
    }

    static let registries: Registries = {
        var registries = EngineHarness.registries
        registries = Registries(
            formats: registries.formats, sinks: FileSinks.all + [KafkaSinkFactory { _ in }],
            aggregates: Aggregates.all, bucketAggregates: BucketAggregates.all, seriesFunctions: SeriesFunctions.all,
            detectors: Detectors.all)
        return registries
    }()

    /// A job file's text, with the cluster's address in place of BROKERS.
    static func definition(_ text: String, brokers: String) throws -> JobDefinition {
        let text = text.split(separator: "BROKERS", omittingEmptySubsequences: false).joined(separator: brokers)
        let checked = JobFileLoader(registries).load(SourceText(file: "job.yaml", text: text))
        return try #require(checked.definition, "\(checked.diagnostics)")
    }

    /// Starts a job. `slow` reads so few bytes a turn that the job stays behind its producer.
    init(
        _ text: String, brokers: String, output: Output = .captured, end: LiveEnd? = nil, sliceBytes: Int = 1 << 20,
        reachTimeoutMs: Int64 = 30_000
    ) throws {
        let definition = try LiveJob.definition(text, brokers: brokers)
        self.definition = definition
        let rows = definition.queries.map { _ in Monitor<[String]>([]) }
        self.rows = rows
        let (dead, state, stop) = (deadLetters, state, stopRequest)
        _ = try Thread(name: "job") {
            let result = Result {
                let job = try CompiledJob(definition, registries: LiveJob.registries)
                let outputs =
                    switch output {
                    case .captured: LiveJob.captured(job, rows, dead)
                    case .asInJob: try JobSinks(definition, registries: LiveJob.registries).makeOutputs(job)
                    }
                var options = ExecutionOptions()
                options.sliceBytes = sliceBytes
                options.reachTimeoutMs = reachTimeoutMs
                let execution = JobExecution(
                    job: job, outputs: outputs, options: options, clock: SystemClock(),
                    makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
                execution.onProgress = { progress in
                    let decisions = execution.decisions
                    state.withLock {
                        $0.progress = progress
                        $0.decisions = decisions
                    }
                }
                let source = try KafkaSources.live(definition) { _ in }
                let summary = try execution.run(source, end: end ?? definition.liveEnd, stop: stop) { line in
                    state.withLock { $0.log.append(line) }
                }
                state.withLock { $0.decisions = execution.decisions }
                return summary
            }
            state.withLock { $0.result = result }
        }
    }

    private static func captured(
        _ job: CompiledJob, _ rows: [Monitor<[String]>], _ dead: Monitor<[String]>
    ) -> JobOutputs {
        JobOutputs(
            queries: job.queries.enumerated().map {
                QueryOutputs(sinks: [SharedSink(rows[$0], query: $1.name)], late: nil)
            },
            deadLetter: SharedSink(dead, query: nil), encodeLate: { _, _, _ in [] },
            encodeDeadLetter: { DeadLetter(partition: $0, record: $1).json })
    }

    var log: [String] { state.withLock { $0.log } }
    var progress: QueryProgress? { state.withLock { $0.progress } }
    var decisions: [Decision] { state.withLock { $0.decisions } }
    func rows(_ query: Int = 0) -> [String] { rows[query].withLock { $0 } }

    var words: String { "log: \(log); rows: \(rows()); decisions: \(decisions.map(\.kind))" }

    /// Waits for a state of the job; a job that has failed fails the test.
    func wait(_ what: String, _ condition: (LiveJob) -> Bool) throws {
        try waitUntil(what, state: { words }) {
            if case .failure(let error)? = state.withLock({ $0.result }) { throw error }
            return condition(self)
        }
    }

    /// Waits for `count` rows.
    func waitForRows(_ count: Int, query: Int = 0) throws -> [String] {
        try wait("\(count) rows") { $0.rows(query).count >= count }
        return rows(query)
    }

    /// Waits until the job reads so many partitions.
    func waitUntilReading(partitions: Int) throws {
        try wait("reading \(partitions) partitions") { job in
            job.log.contains { $0.hasPrefix("reading ") && $0.split(separator: " ").count == partitions + 1 }
        }
    }

    /// Asks for the end and waits for it.
    func stop() throws -> JobSummary {
        stopRequest.request()
        return try end()
    }

    /// Waits for the end.
    func end() throws -> JobSummary {
        try waitFor("the job ends", state: { words }) { state.withLock { $0.result } }.get()
    }
}

/// Text exposition: samples of one metric, one a message.
enum Samples {
    static let baseMs: Int64 = 1_767_225_600_000

    /// A sample `second` seconds after `baseMs`.
    static func line(_ instance: String, _ second: Int64, _ value: Int = 1, base: Int64 = baseMs) -> String {
        "load{instance=\"\(instance)\"} \(value) \(base + second * 1000)\n"
    }

    static func lines(_ instance: String, _ seconds: [Int64], base: Int64 = baseMs) -> [String] {
        seconds.map { line(instance, $0, 1, base: base) }
    }
}

extension String {
    /// `start seconds/instance/n` of a JSON row, short enough to compare.
    var brief: String {
        func field(_ name: String) -> String {
            guard let at = firstRange(of: "\"\(name)\":") else { return "-" }
            let rest = self[at.upperBound...].drop { $0 == "\"" }
            return String(rest.prefix { !",\"}".contains($0) })
        }
        return "\(field("window_start").suffix(13).prefix(8)) \(field("instance")) \(field("n"))"
    }
}

extension Decision {
    /// A partition that was idle spoke again.
    var isActive: Bool { if case .active = kind { true } else { false } }
    /// A sample was too far ahead.
    var isFuture: Bool { if case .futureTimestamp = kind { true } else { false } }
}
