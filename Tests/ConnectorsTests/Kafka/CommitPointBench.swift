import EmbeddedBroker
import Platform
import StreamEngine
import Testing

@testable import Connectors

/// A member with its commit point against the embedded broker, and what others see of it.
final class CommitPointBench {
    let connection: KafkaConnection
    let consumer: KafkaConsumer
    let driver: Driver
    let output: KafkaEpochProducer
    let point: KafkaCommitPoint
    let sink: KafkaSink
    /// What the commit point had to say.
    private(set) var lines: [String] = []

    /// A member of group `g` that reads `t` and writes `out`, with its assignment accepted.
    init(
        _ connection: KafkaConnection, slot: String = "0", locks: MembershipLocks? = nil, instanceID: String? = nil,
        transactionTimeoutMs: Int = 10_000, mustBeAssigned: Bool = true
    ) throws {
        self.connection = connection
        consumer = try Self.consumer(connection, instanceID: instanceID)
        driver = Driver(consumer)
        output = try KafkaEpochProducer(
            connection, transactionalID: "g/c/\(slot)", transactionTimeoutMs: transactionTimeoutMs
        ) { _ in }
        try output.open(topic: "out", partitioner: "murmur2_random", create: nil)
        let lines = Monitor<[String]>([])
        point = try KafkaCommitPoint(output, consumer: consumer, locks: locks, slot: slot) { line in
            lines.withLock { $0.append(line) }
        }
        sink = KafkaSink(through: output, topic: "out", encoder: nil, flushTimeoutMs: 20_000)
        if mustBeAssigned {
            try driver.run { !$0.readers.isEmpty }
            try point.assignmentAccepted()
        }
    }

    static func consumer(_ connection: KafkaConnection, instanceID: String? = nil) throws -> KafkaConsumer {
        try KafkaConsumer(
            connection, group: KafkaGroup(id: "g", instanceID: instanceID),
            subscriptions: [KafkaSubscription(source: "s", topics: .topics(["t"]))], log: { _ in })
    }

    static let info = EmissionInfo(
        job: "j", query: "q", epoch: EpochToken(incarnation: "a", number: 1), watermarkMs: nil)

    /// Writes rows and brings them into the open transaction.
    func send(_ rows: [String]) throws {
        try sink.write(DocumentBatch(documents: rows.map { Array($0.utf8) }), Self.info)
        try sink.prepare(Self.info.epoch)
    }

    /// One epoch: these rows, and this offset of `t/0` with the epoch's number as metadata.
    func epoch(_ number: Int, _ rows: [String]) throws -> CommitOutcome {
        try point.begin()
        try send(rows)
        return point.commit(Self.offsets(number))
    }

    static func offsets(_ number: Int) -> [PartitionID: CommittedOffset] {
        [partition("t", 0): CommittedOffset(offset: Int64(number), metadata: "v1 a.\(number) a.\(number)")]
    }

    func committed() throws -> CommittedOffset? {
        try consumer.committed([partition("t", 0)], timeoutMs: 15_000)[partition("t", 0)]
    }

    /// What a reader of committed transactions sees in `out`.
    func visible() throws -> [String] { try Self.visible(connection) }

    static func visible(_ connection: KafkaConnection, topic: String = "out") throws -> [String] {
        let source = try KafkaTopicReader(
            connection, subscriptions: [KafkaSubscription(source: "s", topics: .topics([topic]))], end: .present,
            log: { _ in })
        defer { source.close() }
        let driver = Driver(source)
        try driver.run { driver in
            !driver.failures.isEmpty
                || !driver.readers.isEmpty
                    && driver.readers.keys.allSatisfy {
                        if case .endOfInput? = driver.outcomes[$0] { true } else { false }
                    }
        }
        #expect(driver.failures.isEmpty)
        return driver.values.values.flatMap { $0 }
    }

    func close() {
        consumer.close()
        point.close()
    }
}

extension CommitOutcome {
    /// The case's name.
    var name: String {
        switch self {
        case .committed: "committed"
        case .aborted: "aborted"
        case .unknown: "unknown"
        case .fenced: "fenced"
        }
    }

    /// The reason, where there is one.
    var reason: SourceError? {
        switch self {
        case .committed: nil
        case .aborted(let error), .unknown(let error), .fenced(let error): error
        }
    }
}

/// A broker with topics `t` and `out`, one partition each.
func withCommitBroker(
    markerDelayMs: Int64 = 5, config: [String: String] = [:],
    _ body: @escaping @Sendable (EmbeddedBroker, KafkaConnection) throws -> Void
) async throws {
    try await onThread {
        let directory = try TemporaryDirectory()
        var configuration = BrokerConfiguration()
        configuration.dataDirectory = directory.path
        configuration.topics = [.init("t"), .init("out", config: config)]
        configuration.createsTopics = false
        configuration.transactionMarkerDelayMs = markerDelayMs
        let broker = EmbeddedBroker(configuration)
        let port = try broker.start()
        defer { broker.stop() }
        try body(
            broker,
            KafkaConnection(
                brokers: "127.0.0.1:\(port)",
                options: [.init("session.timeout.ms", "6000"), .init("heartbeat.interval.ms", "300")],
                producerOptions: [.init("retry.backoff.ms", "20"), .init("reconnect.backoff.max.ms", "200")]))
    }
}
