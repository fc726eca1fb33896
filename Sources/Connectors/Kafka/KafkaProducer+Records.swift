import CRdkafka
import StreamEngine

extension KafkaProducer {
    /// Hands over all records of a store without copying their values: from now on the store is lent to librdkafka, until a
    /// `flush` or `purge` has seen the end of every record or the client is gone. Records without a key have none. In order,
    /// or, where it is known how keys find partitions, in the order of each partition. Waits as the other `send` does, for
    /// each record, and where there are many, as `flush` does: librdkafka's objects for those behind then lie where the ones
    /// before did, in the cache.
    func send(_ store: KafkaRecordStore, topic: String, timeoutMs: Int = 60_000) throws(SinkError) {
        guard !store.records.isEmpty else { return }
        let handle = try sinkHandle(of: topic)
        client.lend(store)
        let partitioning = partitionings[topic]
        // With the first record librdkafka says how many partitions there are now.
        partitioning?.forgetCount()
        let first = partitioning == nil ? store.records.count : 1
        try send(store, handle, topic, partition: -1, timeoutMs, count: first) { $0 }
        guard first < store.records.count else { return }
        guard let parts = partitioning?.split(store.records, from: first, topic: handle) else {
            return try send(
                store, handle, topic, partition: -1, timeoutMs, count: store.records.count - first
            ) { first + $0 }
        }
        for (partition, places) in parts {
            try send(store, handle, topic, partition: partition, timeoutMs, count: places.count) { Int(places[$0]) }
        }
    }

    /// Records handed over at most before they are flushed.
    private static var gatheredMax: Int { 16_384 }

    /// Hands over `count` records, to one partition or (-1) to where their keys belong. `place` gives where each stands.
    @inline(__always)
    private func send(
        _ store: KafkaRecordStore, _ handle: OpaquePointer, _ topic: String, partition: Int32, _ timeoutMs: Int,
        count total: Int, at place: (Int) -> Int
    ) throws(SinkError) {
        var done = 0
        while done < total {
            if gathered >= Self.gatheredMax {
                try flush(timeoutMs: timeoutMs)
                client.lend(store)
            }
            let count = min(messages.count, total - done)
            gathered += count
            for index in 0..<count {
                let record = store.records[place(done + index)]
                messages[index].payload = record.value
                messages[index].len = record.valueCount
                messages[index].key = record.keyCount == 0 ? nil : record.key
                messages[index].key_len = record.keyCount
            }
            let taken = Int(
                messages.withUnsafeMutableBufferPointer {
                    rd_kafka_produce_batch(handle, partition, 0, $0.baseAddress, Int32(count))
                })
            sent += taken
            done += count
            guard taken < count else { continue }
            // Where the queue is full, none of those that follow is taken either: their order stays.
            guard let first = messages[..<count].firstIndex(where: { $0.err != RD_KAFKA_RESP_ERR_NO_ERROR }) else {
                continue
            }
            let message = messages[first]
            try sendLater(
                handle, topic, message.key.map { UnsafeRawBufferPointer(start: $0, count: message.key_len) },
                UnsafeRawBufferPointer(start: message.payload, count: message.len), partition, 0, timeoutMs,
                message.err)
            guard taken == first else {
                throw SinkError("topic \(topic): librdkafka took records behind one that it refused")
            }
            done += first + 1 - count
        }
    }
}
