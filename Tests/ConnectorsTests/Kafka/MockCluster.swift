import CRdkafka
import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// librdkafka's cluster in this process. Its data lives in memory; it has groups, no real transactions, and does not
/// create topics through the admin API.
final class MockCluster {
    private let handle: OpaquePointer
    let pointer: OpaquePointer

    init(brokers: Int32 = 1) throws {
        let conf = rd_kafka_conf_new()
        var text = [CChar](repeating: 0, count: 512)
        // Its own client connects to nothing; what it would log is of no interest.
        rd_kafka_conf_set(conf, "log_level", "0", &text, text.count)
        handle = try #require(rd_kafka_new(RD_KAFKA_PRODUCER, conf, &text, text.count))
        pointer = try #require(rd_kafka_mock_cluster_new(handle, brokers))
    }

    deinit {
        rd_kafka_mock_cluster_destroy(pointer)
        rd_kafka_destroy(handle)
    }

    var servers: String { String(cString: rd_kafka_mock_cluster_bootstraps(pointer)) }

    func create(_ topic: String, partitions: Int32, replication: Int32 = 1) {
        let code = rd_kafka_mock_topic_create(pointer, topic, partitions, replication)
        #expect(code == RD_KAFKA_RESP_ERR_NO_ERROR)
    }

    /// The next requests of this kind fail with these codes, one each.
    func failNext(_ apiKey: Int16, _ codes: [rd_kafka_resp_err_t]) {
        rd_kafka_mock_push_request_errors_array(pointer, apiKey, codes.count, codes)
    }

    /// Stops the brokers for good: where they come back and somebody has taken a port of theirs, librdkafka ends the
    /// process.
    func stop() { rd_kafka_mock_broker_set_down(pointer, -1) }

    func connection(
        options: [KafkaConnection.Setting] = [], producerOptions: [KafkaConnection.Setting] = []
    ) -> KafkaConnection {
        // No pause of the machine outlasts the session. This cluster waits for its end where a member leaves: tests of that
        // ask our broker.
        KafkaConnection(
            brokers: servers,
            options: [.init("session.timeout.ms", "120000"), .init("heartbeat.interval.ms", "300")] + options,
            producerOptions: producerOptions)
    }

    /// Writes values to one partition and waits until they are there.
    func produce(_ topic: String, _ partition: Int32, _ values: [String?], key: String? = nil) throws {
        try connection().produce(topic, partition, values, key: key)
    }

    /// Everything that these topics hold, by partition.
    func values(of topics: [String]) throws -> [PartitionID: [String]] {
        try Driver.readAll(connection(), topics).values
    }
}

extension KafkaConnection {
    /// Makes a topic of one partition.
    func create(_ topic: String) throws {
        let producer = try KafkaProducer(self) { _ in }
        try producer.open(topic: topic, partitioner: "murmur2_random", create: (1, 1))
        producer.close()
    }

    /// Writes values to one partition and waits until they are there.
    func produce(_ topic: String, _ partition: Int32, _ values: [String?], key: String? = nil) throws {
        let producer = try KafkaProducer(self) { _ in }
        let key = key.map { Array($0.utf8) }
        for value in values {
            if let value {
                try Array(value.utf8).withUnsafeBytes {
                    try producer.send(topic: topic, key: key, value: $0, partition: partition)
                }
            } else {
                try producer.send(topic: topic, key: key, value: nil, partition: partition)
            }
        }
        try producer.flush(timeoutMs: Int(hungAfterMs))
        producer.close()
    }
}

/// What a test saw of a source: drives it as the engine's loop does, but by turns that the test can see.
final class Driver {
    let source: any LiveSource
    private(set) var events: [SourceEvent] = []
    private(set) var readers: [PartitionID: any PartitionReader] = [:]
    /// Values read, by partition.
    private(set) var values: [PartitionID: [String]] = [:]
    private(set) var offsets: [PartitionID: [Int64]] = [:]
    private(set) var timestamps: [PartitionID: [Int64?]] = [:]
    private(set) var outcomes: [PartitionID: ReadOutcome] = [:]
    private(set) var failures: [SourceError] = []
    /// Answers `assigned` with these offsets instead of asking the group.
    var startAt: ((PartitionID) -> Int64)?
    var isReading = true
    var maxBytes = 1 << 20

    init(_ source: any LiveSource) { self.source = source }

    func turn() throws {
        for event in source.poll(untilNs: SystemClock().monotonicNs() + 50_000_000) {
            events.append(event)
            switch event {
            case .assigned(let partitions):
                guard !partitions.isEmpty else { continue }
                var from: [PartitionID: Int64] = [:]
                if let startAt {
                    for id in partitions { from[id] = startAt(id) }
                } else {
                    let committed = try source.committed(partitions, timeoutMs: Int(hungAfterMs))
                    let fresh = partitions.filter { committed[$0] == nil }
                    from = try source.startingOffsets(fresh, timeoutMs: Int(hungAfterMs))
                    for (id, offset) in committed { from[id] = offset.offset }
                }
                for reader in try source.start(from) { readers[reader.id] = reader }
            case .revoked(let partitions), .lost(let partitions):
                try source.release(partitions)
                for id in partitions { readers[id] = nil }
            case .failed(let error): failures.append(error)
            case .brokerDown, .brokerUp, .warning: break
            }
        }
        if isReading { read() }
    }

    func add(_ reader: any PartitionReader) { readers[reader.id] = reader }

    func read() {
        for (id, reader) in readers {
            do {
                outcomes[id] = try reader.read(maxBytes: maxBytes) { record in
                    values[id, default: []].append(String(decoding: record.bytes, as: UTF8.self))
                    offsets[id, default: []].append(record.offset)
                    timestamps[id, default: []].append(record.timestampMs)
                }
            } catch let error as SourceError {
                failures.append(error)
            } catch {
                Issue.record("not a SourceError: \(error)")
            }
        }
    }

    /// Turns until the condition holds.
    func run(until condition: (Driver) throws -> Bool) throws {
        try ConnectorsTests.run([self]) { try condition(self) }
    }

    /// Whether every partition is read to its end, or something failed.
    var isOver: Bool {
        !failures.isEmpty || !readers.isEmpty && readers.keys.allSatisfy { Self.isEnd(outcomes[$0]) }
    }

    private static func isEnd(_ outcome: ReadOutcome?) -> Bool {
        if case .endOfInput? = outcome { true } else { false }
    }

    /// Reads topics from `start` to `end`.
    static func readAll(
        _ connection: KafkaConnection, _ topics: [String], start: StartingOffsets = .earliest,
        end: KafkaReadingEnd = .present
    ) throws -> Driver {
        let source = try KafkaTopicReader(
            connection,
            subscriptions: [KafkaSubscription(source: "s", topics: .topics(topics), startingOffsets: start)], end: end,
            log: { _ in })
        defer { source.close() }
        let driver = Driver(source)
        try driver.run { $0.isOver }
        #expect(driver.failures.isEmpty)
        return driver
    }

    var total: Int { values.values.reduce(0) { $0 + $1.count } }

    func outcome(_ topic: String, _ partition: Int32) -> ReadOutcome? {
        outcomes.first { $0.key.topic == topic && $0.key.partition == partition }?.value
    }
}

/// Turns all drivers until the condition holds.
func run(_ drivers: [Driver], until condition: () throws -> Bool) throws {
    func words() -> String { "\(drivers.map { ($0.events, $0.values.mapValues(\.count), $0.failures) })" }
    try waitUntil("what the drivers turn for", state: words, pauseMs: 0) {
        if try condition() { return true }
        for driver in drivers { try driver.turn() }
        return false
    }
}

func partition(_ topic: String, _ number: Int32, source: String = "s") -> PartitionID {
    PartitionID(source: source, topic: topic, partition: number)
}
