import Platform

/// The record batch that ends a transaction in a partition (Kafka documentation, "Control Batches").
enum ControlBatch {
    /// What a marker says; raw values as in the control record's key.
    enum Kind: Int16 {
        case abort = 0
        case commit = 1
    }

    /// The bytes of a marker, its offset still 0.
    static func bytes(_ kind: Kind, producerId: Int64, epoch: Int16, timestampMs: Int64) -> [UInt8] {
        // One record: attributes, timestamp and offset deltas; key = version, kind; value = version, coordinator epoch.
        var record: [UInt8] = [0, 0, 0, 8, 0, 0, 0, UInt8(kind.rawValue), 12, 0, 0, 0, 0, 0, 0, 0]
        record.insert(UInt8(record.count * 2), at: 0)
        var covered: [UInt8] = []
        func append<T: FixedWidthInteger>(_ value: T) {
            withUnsafeBytes(of: value.bigEndian) { covered.append(contentsOf: $0) }
        }
        append(Int16(0x30))
        append(Int32(0))
        append(timestampMs)
        append(timestampMs)
        append(producerId)
        append(epoch)
        append(Int32(-1))
        append(Int32(1))
        covered.append(contentsOf: record)
        let crc = CRC32C.checksum(covered)
        let tail = covered
        covered = []
        append(Int64(0))
        append(Int32(tail.count + 9))
        append(Int32(0))
        append(Int8(2))
        append(crc)
        return covered + tail
    }

    /// What the control batch in `bytes` says; nil for a kind we do not write.
    static func kind(_ bytes: UnsafeRawBufferPointer) -> Kind? {
        // Behind the header: record length, attributes, two deltas, key length, key version (2 bytes), kind (2 bytes).
        let at = RecordBatchHeader.size + 1 + 1 + 1 + 1 + 1 + 2
        guard bytes.count >= at + 2 else { return nil }
        return Kind(rawValue: Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int16.self)))
    }
}
