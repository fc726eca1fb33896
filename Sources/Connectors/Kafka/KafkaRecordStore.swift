import StreamEngine

/// Records that wait to be sent, in memory that stays where it is: librdkafka reads the values from here until they are
/// delivered (`KafkaProducer.send(_:topic:)`), which saves a copy and an allocation of each. Used by one thread.
///
/// What a `clear` leaves is used again, up to what was filled since the one before: an epoch's rows are written where the
/// last one's were, in pages the kernel need not clear.
final class KafkaRecordStore {
    /// One record: its value, and its key right behind it.
    struct Record {
        let value: UnsafeMutableRawPointer
        let valueCount: Int
        let keyCount: Int

        var key: UnsafeMutableRawPointer { value + valueCount }
    }

    private(set) var records: [Record] = []
    /// Whether librdkafka may still read from it: until then nothing here is moved, changed or freed.
    var isLent = false

    private var chunks: [UnsafeMutableRawBufferPointer] = []
    /// Chunks that hold something; the last of them is being filled.
    private var used = 0
    /// Bytes of the last used chunk that are taken.
    private var filled = 0

    private static let chunkBytes = 256 << 10

    deinit {
        precondition(!isLent, "records that librdkafka may read are freed")
        for chunk in chunks { chunk.deallocate() }
    }

    /// Copies a record here.
    func append(value: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer) {
        precondition(!isLent, "records that librdkafka may read are added to")
        let place = room(value.count + key.count)
        place.copyMemory(from: value)
        if let base = place.baseAddress {
            UnsafeMutableRawBufferPointer(start: base + value.count, count: key.count).copyMemory(from: key)
            records.append(Record(value: base, valueCount: value.count, keyCount: key.count))
        }
    }

    /// Forgets the records.
    func clear() {
        precondition(!isLent, "records that librdkafka may read are forgotten")
        records.removeAll(keepingCapacity: true)
        // Chunks that one large record has to itself are not for others.
        for place in chunks.indices.reversed()
        where place >= used || chunks[place].count > Self.chunkBytes {
            chunks.remove(at: place).deallocate()
        }
        used = 0
        filled = 0
    }

    private func room(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if used == 0 || chunks[used - 1].count - filled < count {
            if used == chunks.count || chunks[used].count < count {
                let chunk = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: max(count, Self.chunkBytes), alignment: 16)
                chunks.insert(chunk, at: used)
            }
            used += 1
            filled = 0
        }
        defer { filled += count }
        return UnsafeMutableRawBufferPointer(rebasing: chunks[used - 1][filled..<filled + count])
    }
}
