import Platform

/// The header of a record batch in message format v2 (Kafka documentation, "Record Batch"):
///
///     0 baseOffset i64 | 8 batchLength i32 | 12 partitionLeaderEpoch i32 | 16 magic i8 | 17 crc u32
///     21 attributes i16 | 23 lastOffsetDelta i32 | 27 baseTimestamp i64 | 35 maxTimestamp i64
///     43 producerId i64 | 51 producerEpoch i16 | 53 baseSequence i32 | 57 recordCount i32 | 61 records
///
/// The checksum covers everything from the attributes on, so base offset and leader epoch can be set without it.
struct RecordBatchHeader: Equatable {
    /// Bytes of the header.
    static let size = 61
    /// Bytes before those `batchLength` counts.
    static let lengthOverhead = 12

    var baseOffset: Int64
    var batchLength: Int32
    var magic: Int8
    var crc: UInt32
    var attributes: Int16
    var lastOffsetDelta: Int32
    var baseTimestampMs: Int64
    var maxTimestampMs: Int64
    var producerId: Int64
    var producerEpoch: Int16
    var baseSequence: Int32
    var recordCount: Int32

    /// Reads a header; nil when there are fewer bytes than one has.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.size else { return nil }
        func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> T {
            T(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
        }
        baseOffset = load(0)
        batchLength = load(8)
        magic = load(16)
        crc = load(17)
        attributes = load(21)
        lastOffsetDelta = load(23)
        baseTimestampMs = load(27)
        maxTimestampMs = load(35)
        producerId = load(43)
        producerEpoch = load(51)
        baseSequence = load(53)
        recordCount = load(57)
    }

    /// Bytes of the whole batch.
    var totalBytes: Int { Int(batchLength) + Self.lengthOverhead }
    /// Offset of the last record.
    var lastOffset: Int64 { baseOffset &+ Int64(lastOffsetDelta) }
    /// Offset behind the last record.
    var nextOffset: Int64 { lastOffset &+ 1 }
    /// Sequence number of the last record; sequences go from 0 to 2³¹-1 and round again.
    var lastSequence: Int32 {
        Int32(truncatingIfNeeded: (Int64(baseSequence) + Int64(lastOffsetDelta)) % (Int64(Int32.max) + 1))
    }
    var isTransactional: Bool { attributes & 0x10 != 0 }
    var isControl: Bool { attributes & 0x20 != 0 }
    /// Whether the broker's clock stamps the records.
    var isLogAppendTime: Bool { attributes & 0x08 != 0 }
    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    var codec: Int16 { attributes & 0x07 }
    var hasProducer: Bool { producerId >= 0 }

    /// Whether a whole batch with the right checksum starts the bytes.
    static func isWhole(_ bytes: UnsafeRawBufferPointer) -> RecordBatchHeader? {
        guard let header = RecordBatchHeader(bytes), header.magic == 2, header.batchLength >= Self.size - 12,
            header.totalBytes <= bytes.count, header.lastOffsetDelta >= 0, header.baseOffset >= 0
        else { return nil }
        let covered = UnsafeRawBufferPointer(rebasing: bytes[21..<header.totalBytes])
        return CRC32C.checksum(covered) == header.crc ? header : nil
    }
}

/// Why a produced batch is refused: Kafka's code, and its reason for people.
struct BatchRefusal: Error, Equatable {
    let code: ErrorCode
    let message: String
}

extension RecordBatchHeader {
    /// The one batch a producer may send for a partition, checked as Kafka checks it without decompressing.
    static func validated(
        _ bytes: UnsafeRawBufferPointer, maxBytes: Int
    ) throws(BatchRefusal) -> RecordBatchHeader {
        guard bytes.count > 16 else {
            throw BatchRefusal(code: .corruptMessage, message: "\(bytes.count) bytes are no record batch")
        }
        let magic = bytes[16]
        guard magic == 2 else {
            throw BatchRefusal(
                code: .unsupportedForMessageFormat,
                message: "message format v\(magic); this broker stores v2 only (clients since Kafka 0.11)")
        }
        guard let header = RecordBatchHeader(bytes), header.batchLength >= size - lengthOverhead,
            header.totalBytes <= bytes.count
        else { throw BatchRefusal(code: .corruptMessage, message: "a record batch is cut short") }
        guard header.totalBytes == bytes.count else {
            throw BatchRefusal(code: .invalidRecord, message: "more than one record batch for a partition")
        }
        guard bytes.count <= maxBytes else {
            throw BatchRefusal(
                code: .messageTooLarge, message: "batch of \(bytes.count) bytes; max.message.bytes is \(maxBytes)")
        }
        guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[21...])) == header.crc else {
            throw BatchRefusal(code: .corruptMessage, message: "the record batch's CRC does not match")
        }
        guard !header.isControl else {
            throw BatchRefusal(code: .invalidRecord, message: "clients cannot write control batches")
        }
        guard header.recordCount > 0, header.lastOffsetDelta == header.recordCount - 1 else {
            throw BatchRefusal(
                code: .invalidRecord,
                message: "\(header.recordCount) records with last offset delta \(header.lastOffsetDelta)")
        }
        guard header.codec <= 4 else {
            throw BatchRefusal(code: .unsupportedCompressionType, message: "unknown codec \(header.codec)")
        }
        guard !header.isTransactional || header.hasProducer else {
            throw BatchRefusal(code: .invalidRecord, message: "a transactional batch without a producer id")
        }
        guard !header.hasProducer || (header.producerEpoch >= 0 && header.baseSequence >= 0) else {
            throw BatchRefusal(code: .invalidRecord, message: "a producer id without epoch and sequence")
        }
        return header
    }
}
