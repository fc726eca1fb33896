import CRdkafka
import Glibc
import Platform
import StreamEngine
import Testing

@testable import Connectors

/// librdkafka's cluster in this process. Its data lives in memory; it has groups, no real transactions, and does not
/// create topics through the admin API.
final class MockCluster {
    private let handle: OpaquePointer
    let pointer: OpaquePointer
    /// Sockets that keep the ports of brokers that are down.
    private var keptPorts: [Int32] = []

    init(brokers: Int32 = 1) throws {
        let conf = rd_kafka_conf_new()
        var text = [CChar](repeating: 0, count: 512)
        // Its own client connects to nothing; what it would log is of no interest.
        rd_kafka_conf_set(conf, "log_level", "0", &text, text.count)
        handle = try #require(rd_kafka_new(RD_KAFKA_PRODUCER, conf, &text, text.count))
        pointer = try #require(rd_kafka_mock_cluster_new(handle, brokers))
    }

    deinit {
        for socket in keptPorts { close(socket) }
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

    func setTopicError(_ topic: String, _ code: rd_kafka_resp_err_t) {
        rd_kafka_mock_topic_set_error(pointer, topic, code)
    }

    /// Stops the brokers, or lets them listen again where they did. Meanwhile their ports are kept: librdkafka ends the process
    /// where somebody else has taken one.
    func setDown(_ isDown: Bool) {
        if isDown {
            rd_kafka_mock_broker_set_down(pointer, -1)
            keptPorts += servers.split(separator: ",").compactMap { server in
                server.split(separator: ":").last.flatMap { UInt16($0) }.flatMap(Self.keep(port:))
            }
        } else {
            for socket in keptPorts { close(socket) }
            keptPorts = []
            rd_kafka_mock_broker_set_up(pointer, -1)
        }
    }

    /// A socket bound to a port of this host that takes no connections; nil where it cannot be had.
    private static func keep(port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0 {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    func connection(
        options: [KafkaConnection.Setting] = [], producerOptions: [KafkaConnection.Setting] = []
    ) -> KafkaConnection {
        KafkaConnection(
            brokers: servers,
            options: [.init("session.timeout.ms", "6000"), .init("heartbeat.interval.ms", "300")] + options,
            producerOptions: producerOptions)
    }

    /// Writes values to one partition and waits until they are there.
    func produce(_ topic: String, _ partition: Int32, _ values: [String?], key: String? = nil) throws {
        let producer = try KafkaProducer(connection()) { _ in }
        for value in values {
            let bytes = value.map { Array($0.utf8) }
            if let bytes {
                try bytes.withUnsafeBytes {
                    try producer.send(topic: topic, key: key.map { Array($0.utf8) }, value: $0, partition: partition)
                }
            } else {
                try producer.send(topic: topic, key: key.map { Array($0.utf8) }, value: nil, partition: partition)
            }
        }
        try producer.flush(timeoutMs: 20_000)
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
                    let committed = try source.committed(partitions, timeoutMs: 10_000)
                    let fresh = partitions.filter { committed[$0] == nil }
                    from = try source.startingOffsets(fresh, timeoutMs: 10_000)
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

    /// Turns until the condition holds; a test that never gets there fails after 30 s.
    func run(until condition: (Driver) throws -> Bool) throws {
        let deadlineNs = SystemClock().monotonicNs() + 30_000_000_000
        while try !condition(self) {
            guard SystemClock().monotonicNs() < deadlineNs else {
                Issue.record("not reached in 30 s; events: \(events), read: \(values.mapValues(\.count)), \(failures)")
                return
            }
            try turn()
        }
    }

    var total: Int { values.values.reduce(0) { $0 + $1.count } }

    func outcome(_ topic: String, _ partition: Int32) -> ReadOutcome? {
        outcomes.first { $0.key.topic == topic && $0.key.partition == partition }?.value
    }
}

/// Turns all drivers until the condition holds.
func run(_ drivers: [Driver], until condition: () throws -> Bool) throws {
    let deadlineNs = SystemClock().monotonicNs() + 30_000_000_000
    while try !condition() {
        guard SystemClock().monotonicNs() < deadlineNs else {
            Issue.record("not reached in 30 s: \(drivers.map { ($0.events, $0.failures) })")
            return
        }
        for driver in drivers { try driver.turn() }
    }
}

func partition(_ topic: String, _ number: Int32, source: String = "s") -> PartitionID {
    PartitionID(source: source, topic: topic, partition: number)
}

/// Runs a test's body on a thread of its own: these tests wait for brokers, and would hold up all others in the pool. It
/// stays in the test's task, so what it expects is the test's.
func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withTaskExecutorPreference(OwnThread()) { try body() }
}

/// Each piece of a task on a new thread.
private final class OwnThread: TaskExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let run: @Sendable () -> Void = { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        do { _ = try Thread(name: "test", run) } catch { run() }
    }
}
