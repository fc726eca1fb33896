/// Finds records by time inside a batch.
enum RecordTimes {
    /// The first record of a batch at or after `timestampMs` and not below offset `from`.
    ///
    /// Exact, also in compressed batches. One whose records cannot be read gives its first offset, which is at or before
    /// the exact one, so that nothing is missed.
    static func first(
        in batch: [UInt8], _ header: RecordBatchHeader, atOrAfter timestampMs: Int64, from: Int64
    ) -> (offset: Int64, timestampMs: Int64)? {
        guard header.maxTimestampMs >= timestampMs else { return nil }
        if header.isLogAppendTime { return (max(header.baseOffset, from), header.maxTimestampMs) }
        guard let bytes = BatchRecords.bytes(batch, header) else {
            return (max(header.baseOffset, from), max(header.baseTimestampMs, timestampMs))
        }
        var reader = VarintReader(bytes, at: 0)
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
