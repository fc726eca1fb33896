import CRdkafka
import StreamEngine

/// Committing offsets outside of a transaction, with an answer.
enum KafkaGroupCommit {
    /// Commits and waits for the answer, at most `timeoutMs`.
    static func commit(
        _ list: KafkaPartitionList, of group: String, handle: OpaquePointer, timeoutMs: Int
    ) throws(SourceError) {
        let what = "committing offsets of group \(group)"
        guard let answers = rd_kafka_queue_new(handle) else { throw SourceError(.fatal, "\(what): no queue") }
        defer { rd_kafka_queue_destroy(answers) }
        let asked = list.lend { rd_kafka_commit_queue(handle, $0, answers, nil, nil) }
        guard asked == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaErrors.error(asked, what) }
        guard let event = rd_kafka_queue_poll(answers, Int32(clamping: timeoutMs)) else {
            throw SourceError(.timedOut, "\(what): no answer in \(timeoutMs) ms; check `brokers` and the network")
        }
        defer { rd_kafka_event_destroy(event) }
        let entries = rd_kafka_event_topic_partition_list(event).map { KafkaPartitionList.entries(of: $0) } ?? []
        for entry in entries where entry.error != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw KafkaErrors.error(entry.error, "\(what): \(entry.topic)/\(entry.partition)@\(entry.offset)")
        }
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaErrors.error(code, what) }
    }
}
