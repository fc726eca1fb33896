import Platform

/// What the last record of a partition looked like: when the partition is taken over, the record at that offset must be
/// the same, or the topic is not the one it was (re-created, truncated).
struct RecordMark: Equatable {
    let offset: Int64
    let timestampMs: Int64?
    /// XXH64 over the first and last bytes and the length.
    let digest: UInt64

    /// Bytes looked at, at each end.
    private static let span = 256

    init(_ record: RawRecord) {
        offset = record.offset
        timestampMs = record.timestampMs
        let bytes = UnsafeRawBufferPointer(record.bytes)
        let head = XXH64.hash(UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.span)), seed: UInt64(bytes.count))
        digest =
            bytes.count <= Self.span
            ? head : XXH64.hash(UnsafeRawBufferPointer(rebasing: bytes.suffix(Self.span)), seed: head)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        offset = try reader.read()
        timestampMs = try reader.readOptional()
        digest = try reader.read()
    }

    func encode(to writer: inout ByteWriter) {
        writer.write(offset)
        writer.writeOptional(timestampMs)
        writer.write(digest)
    }
}
