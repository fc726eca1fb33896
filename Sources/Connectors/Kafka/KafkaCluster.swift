import CRdkafka
import Platform
import StreamEngine

/// Looks at a cluster: its brokers, topics and offsets. Joins nothing, makes no topic and commits nothing.
public final class KafkaCluster {
    private let client: KafkaClient
    private let events: OpaquePointer

    /// A client for looking; returns at once, also when no broker is in reach.
    public init(
        _ connection: KafkaConnection, log: @escaping @Sendable (KafkaLogLine) -> Void = { _ in }
    ) throws(SourceError) {
        client = try KafkaClient(try KafkaConfiguration(.consumer, connection), log: log)
        guard let events = rd_kafka_queue_get_main(client.handle) else {
            throw SourceError(.fatal, "librdkafka gives no main queue")
        }
        self.events = events
    }

    deinit { rd_kafka_queue_destroy(events) }

    /// The partition counts of all topics that may be seen.
    public func partitionCounts(timeoutMs: Int) throws(SourceError) -> [String: Int32] {
        try KafkaTopics(handle: client.handle).partitionCounts(timeoutMs: timeoutMs)
    }

    /// How many brokers the cluster says it has.
    public func brokerCount(timeoutMs: Int) throws(SourceError) -> Int {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(client.handle, 0, nil, &metadata, Int32(clamping: timeoutMs))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else {
            throw KafkaErrors.error(code, "asking for the cluster's brokers")
        }
        defer { rd_kafka_metadata_destroy(metadata) }
        return Int(metadata.pointee.broker_cnt)
    }

    /// First offset of a partition and the next one to be written (of committed transactions).
    public func bounds(of partition: PartitionID, timeoutMs: Int) throws(SourceError) -> (low: Int64, high: Int64) {
        try KafkaOffsets(handle: client.handle).bounds(of: partition, timeoutMs: timeoutMs)
    }

    /// What the client has said of its brokers since the last call, such as why one does not answer.
    public func complaints() -> [String] {
        var found: [String] = []
        while let event = rd_kafka_queue_poll(events, 0) {
            for meaning in client.meaning(of: event) {
                switch meaning {
                case .brokerDown(let text), .warning(let text): found.append(text)
                case .failed(let error): found.append(error.description)
                case .brokerUp, .assigned, .revoked, .lost: break
                }
            }
            rd_kafka_event_destroy(event)
        }
        return found
    }
}
