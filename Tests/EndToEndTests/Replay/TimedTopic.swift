import CRdkafka
import Platform
import StreamEngine
import TestSupport

/// A plain librdkafka producer for what the engine's own never does: records with times of our choosing, and records
/// deleted again. Unchecked: librdkafka's clients may be used from any thread.
final class TimedTopic: @unchecked Sendable {
    private let handle: OpaquePointer

    init(_ brokers: String) throws {
        let conf = rd_kafka_conf_new()
        rd_kafka_conf_set(conf, "bootstrap.servers", brokers, nil, 0)
        guard let handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, nil, 0) else {
            throw SourceError(.fatal, "no producer")
        }
        self.handle = handle
    }

    deinit {
        rd_kafka_flush(handle, Int32(hungAfterMs))
        rd_kafka_destroy(handle)
    }

    /// Writes a record with this time.
    func send(_ topic: String, _ partition: Int32, _ text: String, timestampMs: Int64) throws {
        var bytes = Array(text.utf8)
        let error = bytes.withUnsafeMutableBytes { payload in
            topic.withCString { name in
                var fields = [rd_kafka_vu_t](repeating: rd_kafka_vu_t(), count: 5)
                fields[0].vtype = RD_KAFKA_VTYPE_TOPIC
                fields[0].u.cstr = name
                fields[1].vtype = RD_KAFKA_VTYPE_PARTITION
                fields[1].u.i32 = partition
                fields[2].vtype = RD_KAFKA_VTYPE_VALUE
                fields[2].u.mem.ptr = payload.baseAddress
                fields[2].u.mem.size = payload.count
                fields[3].vtype = RD_KAFKA_VTYPE_TIMESTAMP
                fields[3].u.i64 = timestampMs
                fields[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS
                fields[4].u.i = RD_KAFKA_MSG_F_COPY
                return rd_kafka_produceva(handle, fields, fields.count)
            }
        }
        guard let error else { return }
        defer { rd_kafka_error_destroy(error) }
        throw SourceError(.other, String(cString: rd_kafka_error_string(error)))
    }

    /// Waits until everything is written.
    func flush() throws {
        guard rd_kafka_flush(handle, Int32(hungAfterMs)) == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw SourceError(.timedOut, "flush")
        }
    }

    /// Deletes the records before an offset, as retention does.
    func delete(_ topic: String, _ partition: Int32, before offset: Int64) throws {
        let list = rd_kafka_topic_partition_list_new(1)
        defer { rd_kafka_topic_partition_list_destroy(list) }
        rd_kafka_topic_partition_list_add(list, topic, partition).pointee.offset = offset
        var request = rd_kafka_DeleteRecords_new(list)
        defer { rd_kafka_DeleteRecords_destroy(request) }
        let queue = rd_kafka_queue_new(handle)
        defer { rd_kafka_queue_destroy(queue) }
        rd_kafka_DeleteRecords(handle, &request, 1, nil, queue)
        guard let event = rd_kafka_queue_poll(queue, Int32(hungAfterMs)) else {
            throw SourceError(.timedOut, "DeleteRecords")
        }
        defer { rd_kafka_event_destroy(event) }
        guard rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw SourceError(.other, String(cString: rd_kafka_event_error_string(event)))
        }
    }
}
