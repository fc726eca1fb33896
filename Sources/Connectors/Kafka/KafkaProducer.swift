import CRdkafka
import Platform
import StreamEngine

/// Writes records, idempotently, and knows what became of each. Used by one thread.
///
/// With a `transactionalID` its transactions are driven through `KafkaTransactions`; without one, every delivered record
/// is visible at once.
public final class KafkaProducer {
    /// Rules by which a record's partition is chosen from its key.
    public static let partitioners = [
        "murmur2_random", "murmur2", "consistent_random", "consistent", "fnv1a_random", "fnv1a", "random",
    ]

    let client: KafkaClient
    /// The transactional id, where there is one.
    public let transactionalID: String?
    private let events: OpaquePointer
    private let notice: @Sendable (KafkaLogLine) -> Void
    private let clock: any Clock
    private var topics: [String: OpaquePointer] = [:]
    /// How keys find their partitions, for topics where that is known here.
    private(set) var partitionings: [String: KafkaPartitioning] = [:]
    private var isClosed = false

    /// Records handed over and neither delivered nor failed yet, and what else waits to be served beside them.
    public var inFlight: Int { isClosed || sent == failed ? 0 : Int(rd_kafka_outq_len(client.handle)) }
    /// Records the brokers have acknowledged.
    public var delivered: Int { max(0, sent - failed - inFlight) }
    /// Records handed over.
    var sent = 0
    /// Records that were given up on.
    public private(set) var failed = 0
    /// The first failure since `flush` reported one.
    private var failure: KafkaDeliveryFailures.First?
    /// Records on their way to librdkafka.
    var messages = [rd_kafka_message_t](repeating: rd_kafka_message_t(), count: 128)
    /// Records of stores handed over since the last flush.
    var gathered = 0
    /// What the client itself failed of.
    private var clientFailure: SinkError?

    /// A producer. Returns at once, also when no broker is in reach. `sendsAtFlush`: records gather until they are flushed,
    /// for senders that flush. `log` takes librdkafka's lines and what is to be said about brokers.
    public init(
        _ connection: KafkaConnection, transactionalID: String? = nil, transactionTimeoutMs: Int = 10_000,
        sendsAtFlush: Bool = false, clock: any Clock = SystemClock(), log: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws(SourceError) {
        var configuration = try KafkaConfiguration(.producer, connection)
        if sendsAtFlush { configuration.gatherUntilFlush(connection.producerOptions) }
        // A report for each record would cost as much as the record: those that went well are only counted.
        configuration.set("delivery.report.only.error", "true")
        if let transactionalID {
            configuration.set("transactional.id", transactionalID)
            configuration.set("transaction.timeout.ms", "\(transactionTimeoutMs)")
            configuration.add(debug: KafkaBrokerVersions.debugContext)
        }
        self.transactionalID = transactionalID
        self.clock = clock
        notice = log
        client = try KafkaClient(configuration, log: log)
        guard let events = rd_kafka_queue_get_main(client.handle) else {
            throw SourceError(.fatal, "librdkafka gives no main queue")
        }
        self.events = events
    }

    deinit { close() }

    /// Makes sure that a topic is there: creates it where `create` says how, else it must exist.
    public func open(
        topic: String, partitioner: String, create: (partitions: Int, replication: Int)?, timeoutMs: Int = 30_000
    ) throws(SourceError) {
        let topicsOf = KafkaTopics(handle: client.handle)
        if try topicsOf.partitionCounts(timeoutMs: timeoutMs)[topic] == nil {
            guard let create else {
                throw SourceError(
                    .unknownTopic,
                    "topic \(topic) does not exist on \(client.brokers) (or may not be seen): create it, or let the"
                        + " sink do it: `kafka: {topic: \(topic), create: {partitions: 1, replication: 1}}`")
            }
            try topicsOf.create(
                topic, partitions: create.partitions, replication: create.replication, timeoutMs: timeoutMs)
        }
        _ = try handle(of: topic, partitioner: partitioner)
    }

    /// Sets a topic's partitioner, without asking whether the topic is there.
    func use(topic: String, partitioner: String) throws(SourceError) {
        _ = try handle(of: topic, partitioner: partitioner)
    }

    private func handle(of topic: String, partitioner: String?) throws(SourceError) -> OpaquePointer {
        if let known = topics[topic] { return known }
        let configuration = rd_kafka_default_topic_conf_dup(client.handle)
        if let partitioner, let partitioning = KafkaPartitioning(partitioner) {
            partitioning.install(configuration)
            client.keep(partitioning)
            partitionings[topic] = partitioning
        } else if let partitioner {
            var text = [CChar](repeating: 0, count: 256)
            let result = rd_kafka_topic_conf_set(configuration, "partitioner", partitioner, &text, text.count)
            guard result == RD_KAFKA_CONF_OK else {
                rd_kafka_topic_conf_destroy(configuration)
                throw SourceError(.configuration, "topic \(topic): \(KafkaClient.string(text))")
            }
        }
        guard let handle = rd_kafka_topic_new(client.handle, topic, configuration) else {
            let code = rd_kafka_last_error()
            throw KafkaErrors.error(code, "opening topic \(topic)")
        }
        topics[topic] = handle
        return handle
    }

    /// Hands a record over; it is copied. `partition` nil: chosen by the partitioner from the key. While librdkafka's
    /// queue is full this waits for deliveries, at most `timeoutMs`.
    public func send(
        topic: String, key: [UInt8]? = nil, value: UnsafeRawBufferPointer?, partition: Int32? = nil,
        timeoutMs: Int = 60_000
    ) throws(SinkError) {
        let handle = try sinkHandle(of: topic)
        guard let key else {
            return try send(handle, topic, nil, value, partition ?? -1, RD_KAFKA_MSG_F_COPY, timeoutMs)
        }
        let result = key.withUnsafeBytes { bytes -> Result<Void, SinkError> in
            do throws(SinkError) {
                // A key of no bytes is one all the same.
                let start = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)
                let key = UnsafeRawBufferPointer(start: start, count: bytes.count)
                return .success(
                    try send(handle, topic, key, value, partition ?? -1, RD_KAFKA_MSG_F_COPY, timeoutMs))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    func sinkHandle(of topic: String) throws(SinkError) -> OpaquePointer {
        do throws(SourceError) {
            return try handle(of: topic, partitioner: nil)
        } catch {
            throw SinkError(error.description, isRetriable: error.isRetriable)
        }
    }

    @inline(__always)
    private func send(
        _ handle: OpaquePointer, _ topic: String, _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?,
        _ partition: Int32, _ flags: Int32, _ timeoutMs: Int
    ) throws(SinkError) {
        // librdkafka does not write to what it is given.
        let payload = UnsafeMutableRawPointer(mutating: value?.baseAddress)
        let result = rd_kafka_produce(
            handle, partition, flags, payload, value?.count ?? 0, key?.baseAddress, key?.count ?? 0, nil)
        guard result == 0 else {
            return try sendLater(handle, topic, key, value, partition, flags, timeoutMs, rd_kafka_last_error())
        }
        sent += 1
    }

    /// A record that was not taken: again when there is room.
    @inline(never)
    func sendLater(
        _ handle: OpaquePointer, _ topic: String, _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?,
        _ partition: Int32, _ flags: Int32, _ timeoutMs: Int, _ first: rd_kafka_resp_err_t
    ) throws(SinkError) {
        let deadlineNs = clock.monotonicNs() + Int64(timeoutMs) * 1_000_000
        let payload = UnsafeMutableRawPointer(mutating: value?.baseAddress)
        var code = first
        while true {
            switch code {
            case RD_KAFKA_RESP_ERR_NO_ERROR:
                sent += 1
                return
            case RD_KAFKA_RESP_ERR__QUEUE_FULL:
                guard clock.monotonicNs() < deadlineNs else {
                    throw SinkError(
                        "topic \(topic): \(inFlight) records wait for brokers that do not take them (\(timeoutMs) ms);"
                            + " check `brokers` and the network", isRetriable: true)
                }
                // Room is nothing that librdkafka tells of.
                rd_kafka_flush(client.handle, 10)
                serve()
            case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
                throw SinkError(
                    "topic \(topic): a record of \(value?.count ?? 0) bytes is too large for the producer; raise"
                        + " `message.max.bytes` in `kafka.producerOptions` and the topic's `max.message.bytes`")
            case RD_KAFKA_RESP_ERR__STATE:
                // The transaction has failed: what made it fail is the reason.
                try flush(timeoutMs: 1000)
                throw failures.error(code, topic)
            default: throw failures.error(code, topic)
            }
            let result = rd_kafka_produce(
                handle, partition, flags, payload, value?.count ?? 0, key?.baseAddress, key?.count ?? 0, nil)
            code = result == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error()
        }
    }

    private var failures: KafkaDeliveryFailures {
        KafkaDeliveryFailures(handle: client.handle, isTransactional: transactionalID != nil)
    }

    /// Takes delivery reports and messages that are there, waiting at most `timeoutMs` for the first.
    public func serve(timeoutMs: Int = 0) {
        var wait = Int32(clamping: timeoutMs)
        while !isClosed, let event = rd_kafka_queue_poll(events, wait) {
            wait = 0
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR else {
                for meaning in client.meaning(of: event) { tell(meaning) }
                continue
            }
            while let message = rd_kafka_event_message_next(event) { takeReport(message) }
        }
    }

    private func takeReport(_ message: UnsafePointer<rd_kafka_message_t>) {
        let code = message.pointee.err
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        failed += 1
        let topic = message.pointee.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) } ?? "?"
        var first = failure ?? KafkaDeliveryFailures.First(code: code, topic: topic)
        first.records += 1
        first.largestBytes = max(first.largestBytes, message.pointee.len)
        failure = first
    }

    private func tell(_ event: SourceEvent) {
        switch event {
        case .brokerDown(let text), .warning(let text): notice(KafkaLogLine(level: 4, text: text))
        case .brokerUp(let text): notice(KafkaLogLine(level: 5, text: text))
        case .failed(let error): clientFailure = clientFailure ?? failures.error(error)
        case .assigned, .revoked, .lost: break
        }
    }

    /// Waits until the fate of every record is known. Throws the first failure since the last call (librdkafka has
    /// then tried for `message.timeout.ms`), or a retriable error when `timeoutMs` were not enough.
    public func flush(timeoutMs: Int) throws(SinkError) {
        let deadlineNs = clock.monotonicNs() + Int64(timeoutMs) * 1_000_000
        gathered = 0
        serve()
        while failure == nil, clientFailure == nil, client.transactionFailure == nil {
            guard hasInFlight() else { break }
            let leftMs = (deadlineNs - clock.monotonicNs()) / 1_000_000
            guard leftMs > 0 else {
                throw SinkError(
                    "\(inFlight) records are not acknowledged by \(client.brokers) after \(timeoutMs) ms; check"
                        + " `brokers` and the network", isRetriable: true)
            }
            // Sends without `linger.ms`, and returns as soon as every record is acknowledged. A failure is seen by `serve` alone.
            rd_kafka_flush(client.handle, Int32(min(leftMs, 20)))
            serve()
        }
        awaitReason()
        if let failure {
            self.failure = nil
            if let reason = client.transactionFailure, failure.isPurged { throw failures.error(transaction: reason) }
            throw failures.error(failure, timeoutMs: 3000)
        }
        if let clientFailure {
            self.clientFailure = nil
            throw clientFailure
        }
        if let reason = client.transactionFailure { throw failures.error(transaction: reason) }
    }

    /// Whether something is in flight; where nothing is, what was lent comes back.
    private func hasInFlight() -> Bool {
        guard !isClosed else { return false }
        guard inFlight == 0 else { return true }
        client.returnLent()
        return false
    }

    /// Where a transaction has failed, two things come, in any order: the report of the record that is to blame, and a line
    /// of the log. The record says more, unless it was only swept away with the others.
    private func awaitReason() {
        func isIncomplete() -> Bool {
            guard transactionalID != nil else { return false }
            guard let failure else { return client.transactionFailure != nil && inFlight > 0 }
            return failure.isPurged && client.transactionFailure == nil
        }
        let deadlineNs = clock.monotonicNs() + 300_000_000
        while isIncomplete(), clock.monotonicNs() < deadlineNs { serve(timeoutMs: 20) }
    }

    /// What is reported from here on concerns what is sent from here on.
    func forgetFailures() {
        serve()
        failure = nil
        clientFailure = nil
        client.transactionFailure = nil
    }

    /// Forgets what is not delivered yet, in flight or not.
    public func purge() {
        rd_kafka_purge(client.handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
        // Their reports come at once; none of them is to be taken for a failure of what is sent next.
        let deadlineNs = clock.monotonicNs() + 2_000_000_000
        serve()
        while hasInFlight(), clock.monotonicNs() < deadlineNs { serve(timeoutMs: 50) }
        forgetFailures()
    }

    /// Gives up what is not delivered and frees everything; call `flush` before.
    public func close() {
        guard !isClosed else { return }
        if inFlight > 0 { purge() }
        isClosed = true
        for handle in topics.values { rd_kafka_topic_destroy(handle) }
        topics.removeAll()
        rd_kafka_queue_destroy(events)
    }
}
