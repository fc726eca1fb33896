import Platform

/// What the last record of a partition looked like: when the partition is taken over, the record at that offset must be
/// the same, or the topic is not the one it was (re-created, truncated).
struct RecordMark: Equatable {
    let offset: Int64
    let timestampMs: Int64?
    /// XXH64 over the first and last bytes and the length.
    let digest: UInt64

    /// Bytes looked at, at each end.
    static let span = 256

    init(_ record: RawRecord) {
        let bytes = UnsafeRawBufferPointer(record.bytes)
        self.init(
            offset: record.offset, timestampMs: record.timestampMs, count: bytes.count,
            head: UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.span)),
            tail: UnsafeRawBufferPointer(rebasing: bytes.suffix(Self.span)))
    }

    /// Of a record of `count` bytes that begins with `head` and ends with `tail`.
    init(
        offset: Int64, timestampMs: Int64?, count: Int, head: UnsafeRawBufferPointer, tail: UnsafeRawBufferPointer
    ) {
        self.offset = offset
        self.timestampMs = timestampMs
        let digest = XXH64.hash(head, seed: UInt64(count))
        self.digest = count <= Self.span ? digest : XXH64.hash(tail, seed: digest)
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

/// The ends of the newest record, kept so that its mark can be made when an epoch ends: most records are followed by another
/// before that, and copying is cheaper than hashing each.
final class SeenRecord {
    private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * RecordMark.span, alignment: 16)
    private var offset: Int64?
    private var timestampMs: Int64?
    private var count = 0

    deinit { bytes.deallocate() }

    /// The mark of the record noted last; nil where there is none.
    var mark: RecordMark? {
        guard let offset else { return nil }
        let kept = min(count, RecordMark.span)
        return RecordMark(
            offset: offset, timestampMs: timestampMs, count: count,
            head: UnsafeRawBufferPointer(rebasing: bytes[..<kept]),
            tail: UnsafeRawBufferPointer(rebasing: bytes[RecordMark.span..<RecordMark.span + kept]))
    }

    func note(_ record: RawRecord) {
        offset = record.offset
        timestampMs = record.timestampMs
        count = record.bytes.count
        guard let from = record.bytes.baseAddress, let to = bytes.baseAddress else { return }
        let kept = min(count, RecordMark.span)
        to.copyMemory(from: from, byteCount: kept)
        // The whole of a short record is in front.
        guard count > RecordMark.span else { return }
        (to + RecordMark.span).copyMemory(from: from + (count - kept), byteCount: kept)
    }

    func forget() { offset = nil }
}
