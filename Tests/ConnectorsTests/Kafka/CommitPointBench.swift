import EmbeddedBroker
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// A member with its commit point against a broker, turned as the engine turns them, and what others see of it.
final class CommitPointBench {
    let connection: KafkaConnection
    let consumer: KafkaConsumer
    let output: KafkaEpochProducer
    let point: KafkaCommitPoint
    let sink: KafkaSink
    /// What the commit point had to say.
    let lines: Monitor<[String]>
    private(set) var isAssigned = false
    private var waiting: [PartitionID] = []
    private(set) var failures: [SourceError] = []

    /// A member of group `g` that reads `t` and writes `out`. Its assignment is accepted unless `joins` is false.
    init(
        _ connection: KafkaConnection, slot: String = "0", locks: MembershipLocks? = nil,
        transactionTimeoutMs: Int = 60_000, timeoutMs: Int = 60_000, joins: Bool = true
    ) throws {
        self.connection = connection
        consumer = try Self.consumer(connection)
        output = try KafkaEpochProducer(
            connection, transactionalID: "g/c/\(slot)", transactionTimeoutMs: transactionTimeoutMs
        ) { _ in }
        try output.open(topic: "out", partitioner: "murmur2_random", create: nil)
        let lines = Monitor<[String]>([])
        self.lines = lines
        point = try KafkaCommitPoint(
            output, consumer: consumer, locks: locks, slot: slot, timeoutMs: timeoutMs
        ) { line in lines.withLock { $0.append(line) } }
        sink = KafkaSink(through: output, topic: "out", encoder: nil, flushTimeoutMs: 20_000)
        if joins { try run { self.isAssigned } }
    }

    static func consumer(_ connection: KafkaConnection, instanceID: String? = nil) throws -> KafkaConsumer {
        try KafkaConsumer(
            connection, group: KafkaGroup(id: "g", instanceID: instanceID),
            subscriptions: [KafkaSubscription(source: "s", topics: .topics(["t"]))], log: { _ in })
    }

    /// One turn: what the group says, as the engine answers it.
    func turn() throws {
        for event in consumer.poll(untilNs: SystemClock().monotonicNs() + 20_000_000) {
            switch event {
            case .assigned(let ids): waiting += ids
            case .revoked(let ids), .lost(let ids):
                isAssigned = false
                waiting = []
                point.assignmentEnded()
                try consumer.release(ids)
            case .failed(let error): failures.append(error)
            case .brokerDown, .brokerUp, .warning: break
            }
        }
        guard !waiting.isEmpty else { return }
        do throws(SourceError) {
            // The offsets are the epochs' numbers here, not places in the log.
            _ = try consumer.committed(waiting, timeoutMs: 1000)
            try point.assignmentAccepted()
        } catch {
            guard error.isRetriable else { throw error }
            return
        }
        _ = try consumer.start(Dictionary(uniqueKeysWithValues: waiting.map { ($0, 0) }))
        waiting = []
        isAssigned = true
    }

    /// Turns until the condition holds.
    func run(until condition: () throws -> Bool) throws {
        try waitUntil("what the member turns for", state: { "\(failures), \(lines.withLock { $0 })" }, pauseMs: 0) {
            if try condition() { return true }
            try turn()
            return false
        }
    }

    static let info = EmissionInfo(
        job: "j", query: "q", epoch: EpochToken(incarnation: "a", number: 1), watermarkMs: nil)

    /// Writes rows and brings them into the open transaction.
    func send(_ rows: [String]) throws(SinkError) {
        try sink.write(DocumentBatch(documents: rows.map { Array($0.utf8) }), Self.info)
        try sink.prepare(Self.info.epoch)
    }

    static func offset(_ number: Int) -> CommittedOffset {
        CommittedOffset(offset: Int64(number), metadata: "v1 a.\(number) a.\(number)")
    }

    func commit(_ number: Int) -> CommitOutcome { point.commit([partition("t", 0): Self.offset(number)]) }

    /// One epoch: these rows, and this offset of `t/0` with the epoch's number as metadata.
    func epoch(_ number: Int, _ rows: [String]) throws -> CommitOutcome {
        try point.begin()
        try send(rows)
        return commit(number)
    }

    /// The same until it is decided, whatever comes between, as the engine does it: what was given up is done again, what
    /// is unknown is looked up. Gives the outcomes on the way.
    @discardableResult
    func settle(_ number: Int, _ rows: [String]) throws -> [String] {
        var outcomes: [String] = []
        var isDecided = false
        try run {
            guard !isDecided, isAssigned else { return isDecided }
            do {
                let outcome = try epoch(number, rows)
                outcomes.append(outcome.name)
                switch outcome {
                case .committed: isDecided = true
                case .aborted(let error):
                    if !error.isRetriable, error.kind != .fenced { throw error }
                case .unknown, .fenced: isDecided = try lookUp() == Self.offset(number)
                }
            } catch let error as SinkError {
                outcomes.append("not sent")
                point.abort()
                sink.discard(Self.info.epoch)
                guard error.isRetriable else { throw error }
            } catch let error as SourceError {
                guard error.isRetriable || error.kind == .fenced else { throw error }
            }
            return isDecided
        }
        return outcomes
    }

    /// After an unknown outcome: a new producer, then the truth.
    func lookUp() throws -> CommittedOffset? {
        var found: CommittedOffset?
        var isKnown = false
        try run {
            do throws(SourceError) {
                try point.renew()
                found = try consumer.committed([partition("t", 0)], timeoutMs: 1000)[partition("t", 0)]
                isKnown = true
            } catch {
                guard error.isRetriable else { throw error }
            }
            return isKnown
        }
        return found
    }

    func committed() throws -> CommittedOffset? {
        try consumer.committed([partition("t", 0)], timeoutMs: Int(hungAfterMs))[partition("t", 0)]
    }

    /// What a reader of committed transactions sees in `out`, once all of them have ended.
    func visible() throws -> [String] { try Self.visible(connection) }

    static func visible(_ connection: KafkaConnection) throws -> [String] {
        try waitUntil("every transaction ends") {
            try endOfStable(connection) >= endOfLog(connection)
        }
        return try Driver.readAll(connection, ["out"]).values.values.flatMap { $0 }
    }

    private static func endOfStable(_ connection: KafkaConnection) throws -> Int64 {
        try KafkaCluster(connection).bounds(of: partition("out", 0), timeoutMs: Int(hungAfterMs)).high
    }

    private static func endOfLog(_ connection: KafkaConnection) throws -> Int64 {
        var configuration = try KafkaConfiguration(.consumer, connection)
        configuration.set("isolation.level", "read_uncommitted")
        let client = try KafkaClient(configuration) { _ in }
        return try KafkaOffsets(handle: client.handle).bounds(of: partition("out", 0), timeoutMs: Int(hungAfterMs)).high
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

/// A broker with topics `t`, of so many partitions, and `out`, of one.
func withCommitBroker(
    partitions: Int = 1, markerDelayMs: Int64 = 5, config: [String: String] = [:],
    _ body: @escaping @Sendable (EmbeddedBroker, KafkaConnection) throws -> Void
) async throws {
    try await onOwnThread {
        let directory = try TemporaryDirectory()
        var configuration = BrokerConfiguration()
        configuration.dataDirectory = directory.path
        configuration.topics = [.init("t", partitions: partitions), .init("out", config: config)]
        configuration.createsTopics = false
        configuration.transactionMarkerDelayMs = markerDelayMs
        let broker = try withOwnPort { port in
            configuration.port = port
            let broker = EmbeddedBroker(configuration)
            try broker.start()
            return broker
        }
        defer { broker.stop() }
        try body(
            broker,
            KafkaConnection(
                brokers: "127.0.0.1:\(broker.port)",
                options: [
                    // No pause of the machine outlasts it, and no test waits for its end.
                    .init("session.timeout.ms", "120000"), .init("heartbeat.interval.ms", "300"),
                    .init("reconnect.backoff.max.ms", "200"),
                ],
                producerOptions: [.init("retry.backoff.ms", "20"), .init("reconnect.backoff.max.ms", "200")]))
    }
}
