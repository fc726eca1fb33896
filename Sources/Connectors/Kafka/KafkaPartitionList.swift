import CRdkafka
import Glibc
import Platform
import StreamEngine

/// Owns an `rd_kafka_topic_partition_list_t`.
final class KafkaPartitionList {
    private let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    /// One entry of a list, copied out.
    struct Entry {
        let topic: String
        let partition: Int32
        let offset: Int64
        let metadata: String
        let error: rd_kafka_resp_err_t
    }

    /// An empty list with room for `count` entries.
    init(capacity count: Int = 8) {
        guard let pointer = rd_kafka_topic_partition_list_new(Int32(clamping: count)) else {
            OutOfMemory.end("a list of partitions", bytes: count * MemoryLayout<rd_kafka_topic_partition_t>.stride)
        }
        self.pointer = pointer
    }

    /// Partitions without offsets.
    convenience init(_ partitions: some Collection<PartitionID>) {
        self.init(capacity: partitions.count)
        for id in partitions { add(id.topic, id.partition) }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    /// Lends the list to librdkafka: it lives at least as long as the call, which a bare pointer would not see to.
    func lend<R>(_ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> R) -> R {
        withExtendedLifetime(self) { body(pointer) }
    }

    /// Appends a partition.
    func add(_ topic: String, _ partition: Int32, offset: Int64 = KafkaOffset.none, metadata: String = "") {
        guard let entry = rd_kafka_topic_partition_list_add(pointer, topic, partition) else {
            OutOfMemory.end("a list of partitions", bytes: MemoryLayout<rd_kafka_topic_partition_t>.stride)
        }
        entry.pointee.offset = offset
        guard !metadata.isEmpty else { return }
        // librdkafka frees the metadata with the list.
        let bytes = Array(metadata.utf8)
        // An offset without its token would be no place to go on from.
        guard let copy = malloc(bytes.count) else { OutOfMemory.end("an offset's token", bytes: bytes.count) }
        copy.copyMemory(from: bytes, byteCount: bytes.count)
        entry.pointee.metadata = copy
        entry.pointee.metadata_size = bytes.count
    }

    /// What the list holds now.
    var entries: [Entry] { KafkaPartitionList.entries(of: pointer) }

    /// What a list owned by somebody else holds.
    static func entries(of pointer: UnsafePointer<rd_kafka_topic_partition_list_t>) -> [Entry] {
        (0..<Int(pointer.pointee.cnt)).map { index in
            let entry = pointer.pointee.elems[index]
            let metadata = entry.metadata.map {
                String(decoding: UnsafeRawBufferPointer(start: $0, count: entry.metadata_size), as: UTF8.self)
            }
            return Entry(
                topic: String(cString: entry.topic), partition: entry.partition, offset: entry.offset,
                metadata: metadata ?? "", error: entry.err)
        }
    }
}
