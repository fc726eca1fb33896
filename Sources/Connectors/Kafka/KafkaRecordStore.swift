import StreamEngine

/// Records that wait to be sent, in memory that stays where it is: librdkafka reads the values from here until they are
/// delivered (`KafkaProducer.send(_:topic:)`), which saves a copy and an allocation of each. Used by one thread.
///
/// What a `clear` leaves is used again, up to what was filled since the one before: an epoch's rows are written where the
/// last one's were. Keys have memory of their own: librdkafka copies them when it takes a record, and finds them side by
/// side, not each a row away from the next.
final class KafkaRecordStore {
    /// One record.
    struct Record {
        let value: UnsafeMutableRawPointer
        let valueCount: Int
        let key: UnsafeMutableRawPointer
        let keyCount: Int
    }

    private(set) var records: [Record] = []
    /// Whether librdkafka may still read from it: until then nothing here is moved, changed or freed.
    var isLent = false

    private var values = StableBytes()
    private var keys = StableBytes()

    // `KafkaClient` holds what is lent until librdkafka has let go of it or has ended.
    deinit { precondition(!isLent, "records that librdkafka may read are freed") }

    /// Copies a record here.
    func append(value: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer) {
        precondition(!isLent, "records that librdkafka may read are added to")
        let place = values.room(value.count)
        place.copyMemory(from: value)
        if let base = place.baseAddress { note(base, value.count, key) }
    }

    /// Copies rows here, those without bytes left out; `key` gives the key of each, good until it returns.
    func append(_ rows: borrowing EncodedRows, key: (Int, (UnsafeRawBufferPointer) -> Void) -> Void) {
        precondition(!isLent, "records that librdkafka may read are added to")
        rows.bytes.withUnsafeBytes { bytes in
            var row = 0
            while row < rows.count {
                // As many as the chunk has room for are copied at once; one at least.
                let first = rows.range(of: row).lowerBound
                let left = values.left
                var end = row + 1
                while end < rows.count, rows.range(of: end).upperBound - first <= left { end += 1 }
                let part = UnsafeRawBufferPointer(rebasing: bytes[first..<rows.range(of: end - 1).upperBound])
                let place = values.room(part.count)
                place.copyMemory(from: part)
                for row in row..<end {
                    let range = rows.range(of: row)
                    // Samples of a row that has none (all cells null) are no record.
                    guard !range.isEmpty, let base = place.baseAddress else { continue }
                    key(row) { note(base + (range.lowerBound - first), range.count, $0) }
                }
                row = end
            }
        }
    }

    private func note(_ value: UnsafeMutableRawPointer, _ count: Int, _ key: UnsafeRawBufferPointer) {
        let place = keys.room(key.count)
        place.copyMemory(from: key)
        records.append(
            Record(value: value, valueCount: count, key: place.baseAddress ?? value, keyCount: key.count))
    }

    /// Forgets the records.
    func clear() {
        precondition(!isLent, "records that librdkafka may read are forgotten")
        records.removeAll(keepingCapacity: true)
        values.clear()
        keys.clear()
    }
}
