import CRdkafka
import StreamEngine

/// Who else is in a group.
struct KafkaGroupMembers {
    let handle: OpaquePointer

    /// How many members a group has; 0 for one that no broker knows.
    func count(of group: String, timeoutMs: Int) throws(SourceError) -> Int {
        var list: UnsafePointer<rd_kafka_group_list>?
        let code = rd_kafka_list_groups(handle, group, &list, Int32(clamping: timeoutMs))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let list else {
            throw KafkaErrors.error(code, "asking for the members of group \(group)")
        }
        defer { rd_kafka_group_list_destroy(list) }
        return (0..<Int(list.pointee.group_cnt)).reduce(0) { $0 + Int(list.pointee.groups[$1].member_cnt) }
    }
}

extension KafkaTopicOwners {
    /// Every partition of the sources' topics, as the brokers tell now.
    func partitions(handle: OpaquePointer, timeoutMs: Int) throws(SourceError) -> Set<PartitionID> {
        var found: Set<PartitionID> = []
        for (topic, count) in try KafkaTopics(handle: handle).partitionCounts(timeoutMs: timeoutMs) {
            guard isRead(topic) else { continue }
            let source = try owner(of: topic).source
            for number in 0..<count { found.insert(PartitionID(source: source, topic: topic, partition: number)) }
        }
        return found
    }
}
