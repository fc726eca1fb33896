import CRdkafka
import StreamEngine

extension KafkaTopics {
    /// Partitions of a topic that no broker leads now. Asks for all topics, as `partitionCounts` does.
    func leaderless(_ name: String, timeoutMs: Int) throws(SourceError) -> [Int32] {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(handle, 1, nil, &metadata, Int32(clamping: timeoutMs))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else {
            throw KafkaErrors.error(code, "asking for the cluster's topics")
        }
        defer { rd_kafka_metadata_destroy(metadata) }
        for index in 0..<Int(metadata.pointee.topic_cnt) {
            let topic = metadata.pointee.topics[index]
            guard String(cString: topic.topic) == name else { continue }
            return (0..<Int(topic.partition_cnt)).map { topic.partitions[$0] }.filter { $0.leader < 0 }.map(\.id)
        }
        return []
    }

    /// A topic's `max.message.bytes`: the largest batch it takes. Needs the right to describe its configuration.
    func largestBatchBytes(_ name: String, timeoutMs: Int) throws(SourceError) -> Int {
        let what = "asking for max.message.bytes of topic \(name)"
        guard let resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name) else {
            throw SourceError(.fatal, "\(what): out of memory")
        }
        defer { rd_kafka_ConfigResource_destroy(resource) }
        var text = [CChar](repeating: 0, count: 512)
        let options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)
        defer { rd_kafka_AdminOptions_destroy(options) }
        rd_kafka_AdminOptions_set_request_timeout(options, Int32(clamping: timeoutMs), &text, text.count)
        guard let queue = rd_kafka_queue_new(handle) else { throw SourceError(.fatal, "\(what): no queue") }
        defer { rd_kafka_queue_destroy(queue) }
        var list: [OpaquePointer?] = [resource]
        rd_kafka_DescribeConfigs(handle, &list, 1, options, queue)
        guard let event = rd_kafka_queue_poll(queue, Int32(clamping: timeoutMs + 1000)) else {
            throw SourceError(.timedOut, "\(what): no answer in \(timeoutMs) ms; check `brokers` and the network")
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let detail = rd_kafka_event_error_string(event).map { String(cString: $0) }
            throw KafkaErrors.error(code, what, detail: detail)
        }
        var count = 0
        guard let result = rd_kafka_event_DescribeConfigs_result(event),
            let described = rd_kafka_DescribeConfigs_result_resources(result, &count), count == 1,
            let topic = described[0]
        else { throw SourceError(.other, "\(what): an answer without the topic") }
        let error = rd_kafka_ConfigResource_error(topic)
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaErrors.error(error, what) }
        guard let entries = rd_kafka_ConfigResource_configs(topic, &count) else {
            throw SourceError(.other, "\(what): an answer without a configuration")
        }
        for index in 0..<count {
            guard let entry = entries[index], let name = rd_kafka_ConfigEntry_name(entry),
                String(cString: name) == "max.message.bytes", let value = rd_kafka_ConfigEntry_value(entry),
                let bytes = Int(String(cString: value))
            else { continue }
            return bytes
        }
        throw SourceError(.other, "\(what): it is not told")
    }
}
