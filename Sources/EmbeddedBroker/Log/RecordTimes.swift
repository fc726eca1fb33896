/// Finds records by time inside a batch.
enum RecordTimes {
    /// The first record of a batch at or after `timestampMs` and not below offset `from`.
    ///
    /// Exact for uncompressed batches and those stamped by the broker. In a compressed batch, which the broker does not
    /// open, it is the batch's first record: an offset at or before the exact one, so nothing is missed.
    static func first(
        in bytes: [UInt8], _ header: RecordBatchHeader, atOrAfter timestampMs: Int64, from: Int64
    ) -> (offset: Int64, timestampMs: Int64)? {
        guard header.maxTimestampMs >= timestampMs else { return nil }
        if header.isLogAppendTime || header.codec != 0 {
            let stamp = header.isLogAppendTime ? header.maxTimestampMs : header.baseTimestampMs
            return (max(header.baseOffset, from), max(stamp, header.codec == 0 ? stamp : timestampMs))
        }
        var reader = VarintReader(bytes, at: RecordBatchHeader.size)
        for _ in 0..<max(0, header.recordCount) {
            guard let length = reader.next(), length >= 1, length <= Int64(bytes.count) else { return nil }
            let end = reader.at + Int(length)
            reader.at += 1
            guard let timestampDelta = reader.next(), let offsetDelta = reader.next(), end <= bytes.count else {
                return nil
            }
            let timestamp = header.baseTimestampMs &+ timestampDelta
            let offset = header.baseOffset &+ offsetDelta
            if timestamp >= timestampMs && offset >= from { return (offset, timestamp) }
            reader.at = end
        }
        return nil
    }
}

/// Reads zigzag varints; nil behind the end.
private struct VarintReader {
    let bytes: [UInt8]
    var at: Int

    init(_ bytes: [UInt8], at: Int) {
        self.bytes = bytes
        self.at = at
    }

    mutating func next() -> Int64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while at < bytes.count && shift < 64 {
            let byte = bytes[at]
            at += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return Int64(bitPattern: (value >> 1) ^ (0 &- (value & 1))) }
            shift += 7
        }
        return nil
    }
}
