import CRdkafka
import StreamEngine

/// Finds out whether a sink's producer may write to a topic, without writing to it.
///
/// Kafka has no such question, and a record in an aborted transaction is seen by readers of the uncommitted. So one is sent
/// that the broker is bound to refuse: larger than the topic's `max.message.bytes`. A broker looks at the rights, at its
/// leadership and at the in-sync replicas before it looks at the size, and at the size before it stores anything (Kafka's
/// `KafkaApis.handleProduceRequest`, `Partition.appendRecordsToLeader`, `UnifiedLog.append`), so MESSAGE_TOO_LARGE says that
/// a smaller record would have been stored.
public final class KafkaWriteTrial {
    /// Nothing speaks against writing.
    public enum Finding: Sendable, Equatable {
        /// The broker would have stored a record of a right size; batches may have this many bytes.
        case writable(largestBatchBytes: Int)
        /// Writing was not tried, because of this.
        case untried(String)
    }

    /// Why the topic cannot be written.
    public struct Failure: Error, Sendable {
        /// What happened.
        public let text: String
        /// What to do.
        public let mend: String

        /// A failure in words.
        public init(text: String, mend: String) {
            self.text = text
            self.mend = mend
        }
    }

    /// Topics that take larger batches are not tried, bytes.
    private static let largestTrial = 16 << 20
    /// librdkafka's defaults of `batch.size` and `message.max.bytes`.
    private static let defaultBatchBytes = 1_000_000

    private let connection: KafkaConnection
    private let timeoutMs: Int

    /// A trial with the settings of a sink's producer; each question may take `timeoutMs`.
    public init(_ connection: KafkaConnection, timeoutMs: Int = 10_000) {
        self.connection = connection
        self.timeoutMs = timeoutMs
    }

    /// The largest batch the producer makes, bytes before compression. (A single larger record goes alone.)
    public var largestProducedBytes: Int {
        func setting(_ name: String) -> Int {
            connection.producerOptions.last { $0.name == name }.flatMap { Int($0.value) } ?? Self.defaultBatchBytes
        }
        return min(setting("batch.size"), setting("message.max.bytes"))
    }

    /// Tries a topic that exists.
    public func run(_ topic: String) throws(Failure) -> Finding {
        let leaderless = try ask { (topics) throws(SourceError) in
            try topics.leaderless(topic, timeoutMs: timeoutMs)
        }
        guard leaderless.isEmpty else {
            let ids = leaderless.map(String.init).joined(separator: ", ")
            throw Failure(
                text: "topic \(topic): no broker leads partition \(ids)", mend: "bring the brokers back that hold it")
        }
        let limit = try ask { (topics) throws(SourceError) -> Result<Int, SourceError> in
            do throws(SourceError) {
                return .success(try topics.largestBatchBytes(topic, timeoutMs: timeoutMs))
            } catch {
                return .failure(error)
            }
        }
        switch limit {
        case .failure(let error):
            // Without the advice, which is for who must have it.
            return .untried(String(error.description.prefix { $0 != ";" }))
        case .success(let bytes) where bytes > Self.largestTrial:
            return .untried("its max.message.bytes of \(bytes) is more than is sent for a trial")
        case .success(let bytes):
            try send(topic, bytes: bytes + 1)
            return .writable(largestBatchBytes: bytes)
        }
    }

    /// Asks whether a topic could be made; nothing is.
    public func runCreating(_ topic: String, partitions: Int, replication: Int) throws(Failure) {
        do throws(SourceError) {
            try withClient(try KafkaConfiguration(.producer, connection)) { (handle) throws(SourceError) in
                try KafkaTopics(handle: handle).create(
                    topic, partitions: partitions, replication: replication, timeoutMs: timeoutMs, validatesOnly: true)
            }
        } catch {
            throw Failure(text: error.description, mend: "mend `create` of the sink, or create the topic")
        }
    }

    private func ask<R>(_ body: (KafkaTopics) throws(SourceError) -> R) throws(Failure) -> R {
        do throws(SourceError) {
            return try withClient(try KafkaConfiguration(.producer, connection)) { (handle) throws(SourceError) in
                try body(KafkaTopics(handle: handle))
            }
        } catch {
            throw Failure(text: error.description, mend: "see above")
        }
    }

    /// A client that lives as long as `body` runs.
    private func withClient<R>(
        _ configuration: KafkaConfiguration, _ body: (OpaquePointer) throws(SourceError) -> R
    ) throws(SourceError) -> R {
        let client = try KafkaClient(configuration, log: { _ in })
        defer { withExtendedLifetime(client) {} }
        return try body(client.handle)
    }

    private func send(_ topic: String, bytes: Int) throws(Failure) {
        // A stale view of the leaders is no finding.
        var code = RD_KAFKA_RESP_ERR_NO_ERROR
        for _ in 0..<3 {
            code = try answer(topic, bytes: bytes)
            guard code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
            else { break }
        }
        guard code != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE else { return }
        throw failure(code, topic)
    }

    /// What the broker says to a record of so many bytes.
    private func answer(_ topic: String, bytes: Int) throws(Failure) -> rd_kafka_resp_err_t {
        do throws(SourceError) {
            var configuration = try KafkaConfiguration(.producer, connection)
            for (name, value) in [
                // The broker is asked once and says what it thinks, instead of being asked until the time is over.
                ("enable.idempotence", "false"), ("retries", "0"), ("acks", "all"), ("linger.ms", "0"),
                ("compression.type", "none"), ("message.max.bytes", "\(bytes + 65_536)"),
                ("queue.buffering.max.kbytes", "65536"), ("message.timeout.ms", "\(timeoutMs)"),
            ] { configuration.set(name, value) }
            return try withClient(configuration) { (client) throws(SourceError) in
                try produce(client, topic, bytes: bytes)
            }
        } catch {
            throw Failure(text: error.description, mend: "mend `kafka` in the job")
        }
    }

    private func produce(
        _ client: OpaquePointer, _ topic: String, bytes: Int
    ) throws(SourceError) -> rd_kafka_resp_err_t {
        guard let events = rd_kafka_queue_get_main(client) else {
            throw SourceError(.fatal, "librdkafka gives no main queue")
        }
        defer { rd_kafka_queue_destroy(events) }
        guard let handle = rd_kafka_topic_new(client, topic, nil) else {
            throw KafkaErrors.error(rd_kafka_last_error(), "opening topic \(topic)")
        }
        defer { rd_kafka_topic_destroy(handle) }
        // Should a broker ever take it, whoever finds it can tell where it comes from.
        var payload = Array("stream-job doctor: too large to be stored, sent to see whether writing is allowed ".utf8)
        payload += [UInt8](repeating: UInt8(ascii: "."), count: max(0, bytes - payload.count))
        let sent = payload.withUnsafeMutableBytes {
            rd_kafka_produce(handle, 0, RD_KAFKA_MSG_F_COPY, $0.baseAddress, $0.count, nil, 0, nil)
        }
        return sent == 0 ? report(events) : rd_kafka_last_error()
    }

    /// The fate of the one record; librdkafka knows it within `message.timeout.ms`.
    private func report(_ events: OpaquePointer) -> rd_kafka_resp_err_t {
        for _ in 0..<(timeoutMs / 100 + 50) {
            guard let event = rd_kafka_queue_poll(events, 100) else { continue }
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR else { continue }
            if let message = rd_kafka_event_message_next(event) { return message.pointee.err }
        }
        return RD_KAFKA_RESP_ERR__MSG_TIMED_OUT
    }

    private func failure(_ code: rd_kafka_resp_err_t, _ topic: String) -> Failure {
        let text = "topic \(topic) cannot be written: \(KafkaErrors.text(code))"
        let mend =
            switch code {
            case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
                "grant Write on topic \(topic) to the user of this job, or set other credentials in "
                    + "`kafka.producerOptions`"
            case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
                "bring the topic's other brokers back, or lower its min.insync.replicas"
            case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR: "look at the disk and the log of the topic's broker"
            case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR__TRANSPORT:
                "check that the address the topic's broker advertises can be reached from here"
            case RD_KAFKA_RESP_ERR_NO_ERROR:
                "the broker does not hold to max.message.bytes and has stored the record sent for the trial; delete it"
            default: "see the log of the topic's broker"
            }
        return Failure(
            text: code == RD_KAFKA_RESP_ERR_NO_ERROR ? "topic \(topic) takes records of any size" : text, mend: mend)
    }
}
