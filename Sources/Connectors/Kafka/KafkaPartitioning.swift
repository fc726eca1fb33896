import CRdkafka
import Synchronization

/// How the records of one topic find their partitions, by a rule that librdkafka has: known here, so that a batch whose
/// keys all lie in one partition can be handed over as such, which spares librdkafka half of what each record costs it.
///
/// It stands in for the rule in librdkafka, which tells it with each call how many partitions there are. Where that
/// changes between a call and the records behind it, these go where keys went until then, as with any client whose
/// metadata are a moment old.
final class KafkaPartitioning: Sendable {
    typealias Rule =
        @convention(c) (
            OpaquePointer?, UnsafeRawPointer?, Int, Int32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?
        ) -> Int32

    private let rule: Rule
    /// Partitions at the last call; 0 before one. librdkafka calls from threads of its own too.
    private let partitions = Atomic<Int32>(0)

    /// By a rule's name; nil for rules by which librdkafka treats records without a key in a way of its own, or which do
    /// not go by keys.
    init?(_ name: String) {
        switch name {
        case "murmur2_random": rule = rd_kafka_msg_partitioner_murmur2_random
        case "consistent_random": rule = rd_kafka_msg_partitioner_consistent_random
        case "fnv1a_random": rule = rd_kafka_msg_partitioner_fnv1a_random
        default: return nil
        }
    }

    /// Makes it the rule of topics of this configuration. It is to outlive them.
    func install(_ configuration: OpaquePointer?) {
        rd_kafka_topic_conf_set_opaque(configuration, Unmanaged.passUnretained(self).toOpaque())
        rd_kafka_topic_conf_set_partitioner_cb(configuration) { topic, key, keyCount, count, own, record in
            guard let own else { return 0 }
            let partitioning = Unmanaged<KafkaPartitioning>.fromOpaque(own).takeUnretainedValue()
            partitioning.partitions.store(count, ordering: .relaxed)
            return partitioning.rule(topic, key, keyCount, count, nil, record)
        }
    }

    /// Forgets how many partitions there are, until the next call.
    func forgetCount() { partitions.store(0, ordering: .relaxed) }

    /// Places of records from `first` on, partition by partition in their order; nil where that is not known, or a record
    /// has no key.
    func split(
        _ records: [KafkaRecordStore.Record], from first: Int, topic: OpaquePointer
    ) -> [(partition: Int32, places: [Int32])]? {
        let count = partitions.load(ordering: .relaxed)
        guard count > 0, records.count <= Int32.max, records.allSatisfy({ $0.keyCount > 0 }) else { return nil }
        if count == 1 { return [(0, Array(Int32(first)..<Int32(records.count)))] }
        var places = [[Int32]](repeating: [], count: Int(count))
        for place in first..<records.count {
            let partition = rule(topic, records[place].key, records[place].keyCount, count, nil, nil)
            guard places.indices.contains(Int(partition)) else { return nil }
            places[Int(partition)].append(Int32(place))
        }
        return places.enumerated().filter { !$1.isEmpty }.map { (Int32($0), $1) }
    }
}
