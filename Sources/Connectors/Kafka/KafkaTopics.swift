import CRdkafka
import StreamEngine

/// Questions about topics, and their creation.
struct KafkaTopics {
    let handle: OpaquePointer

    /// The partition counts of all topics this client may see. Asks for all of them: a question about one topic would
    /// make a broker with auto-creation create it.
    func partitionCounts(timeoutMs: Int) throws(SourceError) -> [String: Int32] {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(handle, 1, nil, &metadata, Int32(clamping: timeoutMs))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else {
            throw KafkaErrors.error(code, "asking for the cluster's topics")
        }
        defer { rd_kafka_metadata_destroy(metadata) }
        var result: [String: Int32] = [:]
        for index in 0..<Int(metadata.pointee.topic_cnt) {
            let topic = metadata.pointee.topics[index]
            let name = String(cString: topic.topic)
            switch topic.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR: result[name] = topic.partition_cnt
            case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE: break
            default: throw KafkaErrors.error(topic.err, "topic \(name)")
            }
        }
        return result
    }

    /// Creates a topic; one that exists already is left as it is. `validatesOnly`: asks whether it could be.
    func create(
        _ name: String, partitions: Int, replication: Int, timeoutMs: Int, validatesOnly: Bool = false
    ) throws(SourceError) {
        let what = "creating topic \(name) (partitions: \(partitions), replication: \(replication))"
        var text = [CChar](repeating: 0, count: 512)
        guard
            let topic = rd_kafka_NewTopic_new(
                name, Int32(clamping: partitions), Int32(clamping: replication), &text, text.count)
        else { throw SourceError(.configuration, "\(what): \(KafkaClient.string(text))") }
        defer { rd_kafka_NewTopic_destroy(topic) }
        let options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS)
        defer { rd_kafka_AdminOptions_destroy(options) }
        // The topic is there on all brokers when the answer comes.
        rd_kafka_AdminOptions_set_operation_timeout(options, Int32(clamping: timeoutMs), &text, text.count)
        rd_kafka_AdminOptions_set_request_timeout(options, Int32(clamping: timeoutMs), &text, text.count)
        if validatesOnly { rd_kafka_AdminOptions_set_validate_only(options, 1, &text, text.count) }
        guard let queue = rd_kafka_queue_new(handle) else { throw SourceError(.fatal, "\(what): no queue") }
        defer { rd_kafka_queue_destroy(queue) }
        var list: [OpaquePointer?] = [topic]
        rd_kafka_CreateTopics(handle, &list, 1, options, queue)
        guard let event = rd_kafka_queue_poll(queue, Int32(clamping: timeoutMs + 1000)) else {
            throw SourceError(.timedOut, "\(what): no answer in \(timeoutMs) ms; check `brokers` and the network")
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let detail = rd_kafka_event_error_string(event).map { String(cString: $0) }
            throw KafkaErrors.error(code, what, detail: detail)
        }
        guard let result = rd_kafka_event_CreateTopics_result(event) else { return }
        var count = 0
        guard let topics = rd_kafka_CreateTopics_result_topics(result, &count) else { return }
        for index in 0..<count {
            let code = rd_kafka_topic_result_error(topics[index])
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR, code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS else { continue }
            let detail = rd_kafka_topic_result_error_string(topics[index]).map { String(cString: $0) }
            throw KafkaErrors.error(code, what, detail: detail)
        }
    }

    /// A configuration entry of a topic; nil where the broker does not say.
    func setting(_ name: String, of topic: String, timeoutMs: Int) throws(SourceError) -> String? {
        let what = "asking for `\(name)` of topic \(topic)"
        guard let resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic),
            let queue = rd_kafka_queue_new(handle)
        else { throw SourceError(.fatal, "\(what): out of memory") }
        defer {
            rd_kafka_ConfigResource_destroy(resource)
            rd_kafka_queue_destroy(queue)
        }
        let options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)
        defer { rd_kafka_AdminOptions_destroy(options) }
        var text = [CChar](repeating: 0, count: 512)
        rd_kafka_AdminOptions_set_request_timeout(options, Int32(clamping: timeoutMs), &text, text.count)
        var list: [OpaquePointer?] = [resource]
        rd_kafka_DescribeConfigs(handle, &list, 1, options, queue)
        guard let event = rd_kafka_queue_poll(queue, Int32(clamping: timeoutMs)) else {
            throw SourceError(.timedOut, "\(what): no answer in \(timeoutMs) ms")
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaErrors.error(code, what) }
        var count = 0
        guard
            let resources = rd_kafka_event_DescribeConfigs_result(event).flatMap({
                rd_kafka_DescribeConfigs_result_resources($0, &count)
            }), count == 1
        else { return nil }
        var entries = 0
        guard let configs = rd_kafka_ConfigResource_configs(resources[0], &entries) else { return nil }
        for index in 0..<entries {
            guard let key = rd_kafka_ConfigEntry_name(configs[index]), String(cString: key) == name else { continue }
            return rd_kafka_ConfigEntry_value(configs[index]).map { String(cString: $0) }
        }
        return nil
    }
}
