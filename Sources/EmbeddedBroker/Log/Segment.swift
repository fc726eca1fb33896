/// A place in a segment: the batch that starts there.
struct IndexEntry: WireStruct, Equatable {
    /// Base offset of the batch.
    var offset: Int64 = 0
    /// Its first byte in the file.
    var position: Int64 = 0
    /// The largest timestamp of the batches before it in the segment.
    var maxTimestampBeforeMs: Int64 = -1

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&offset)
        try c.field(&position)
        try c.field(&maxTimestampBeforeMs)
    }
}

/// One file of a partition's log: record batches one after the other, exactly as they came but for offset and epoch.
///
/// The offset and time index holds an entry for each `indexIntervalBytes` (24 bytes of memory each); a look-up reads
/// headers from the entry on, so at most that many bytes lie in between.
final class Segment {
    /// Bytes of log for each index entry.
    static let indexIntervalBytes = 4096

    let baseOffset: Int64
    let file: LogFile
    /// Bytes of whole batches.
    private(set) var size = 0
    /// Offset behind the last record.
    private(set) var nextOffset: Int64
    /// The largest timestamp, -1 when empty.
    private(set) var maxTimestampMs: Int64 = -1
    private(set) var index: [IndexEntry] = []

    /// An empty segment.
    init(baseOffset: Int64, file: LogFile) {
        self.baseOffset = baseOffset
        self.file = file
        nextOffset = baseOffset
    }

    /// A segment whose side file describes it.
    init(baseOffset: Int64, file: LogFile, sideFile: SegmentSideFile) {
        self.baseOffset = baseOffset
        self.file = file
        size = Int(sideFile.size)
        nextOffset = sideFile.nextOffset
        maxTimestampMs = sideFile.maxTimestampMs
        index = sideFile.index
    }

    /// The file's name for a base offset, sorted as the offsets are.
    static func name(_ baseOffset: Int64, _ suffix: String) -> String {
        let digits = String(baseOffset)
        return String(repeating: "0", count: max(0, 20 - digits.count)) + digits + suffix
    }

    /// Takes a batch that is in the file at `size` into the index.
    func add(_ batch: RecordBatchHeader) {
        if index.isEmpty || size - Int(index[index.count - 1].position) >= Self.indexIntervalBytes {
            index.append(
                IndexEntry(
                    offset: batch.baseOffset, position: Int64(size), maxTimestampBeforeMs: maxTimestampMs))
        }
        size += batch.totalBytes
        nextOffset = batch.nextOffset
        maxTimestampMs = max(maxTimestampMs, batch.maxTimestampMs)
    }

    /// The header at a position; nil at the end.
    func header(at position: Int) -> RecordBatchHeader? {
        guard position < size else { return nil }
        return file.read(at: position, count: RecordBatchHeader.size).withUnsafeBytes { RecordBatchHeader($0) }
    }

    /// The last index entry for which `isBefore` holds (it holds for a first part of them), or the start.
    private func indexStart(_ isBefore: (IndexEntry) -> Bool) -> Int {
        var low = 0
        var high = index.count
        while low < high {
            let middle = (low + high) / 2
            if isBefore(index[middle]) { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? 0 : Int(index[low - 1].position)
    }

    /// Position of the batch that holds `offset`, or of the first behind it; `size` when there is none.
    func position(of offset: Int64) -> Int {
        guard offset < nextOffset else { return size }
        var position = indexStart { $0.offset <= offset }
        while let header = header(at: position), header.lastOffset < offset, header.totalBytes > 0 {
            position += header.totalBytes
        }
        return position
    }

    /// The first batch that may hold a record at or after `timestampMs`, with its position.
    func firstBatch(atOrAfter timestampMs: Int64) -> (position: Int, header: RecordBatchHeader)? {
        guard maxTimestampMs >= timestampMs else { return nil }
        var position = indexStart { $0.maxTimestampBeforeMs < timestampMs }
        while let header = header(at: position), header.totalBytes > 0 {
            if header.maxTimestampMs >= timestampMs { return (position, header) }
            position += header.totalBytes
        }
        return nil
    }

    /// An offset not below that of any batch that starts before `position`; near it, from the index alone.
    func offsetBound(before position: Int) -> Int64 {
        var low = 0
        var high = index.count
        while low < high {
            let middle = (low + high) / 2
            if Int(index[middle].position) < position { low = middle + 1 } else { high = middle }
        }
        return low < index.count ? index[low].offset : nextOffset
    }
}

/// What is kept beside a segment that is no longer written to, so that a start need not scan it:
/// index, aborted transactions, and the producers as they were behind its last batch.
struct SegmentSideFile: WireStruct {
    var size: Int64 = 0
    var nextOffset: Int64 = 0
    var maxTimestampMs: Int64 = -1
    var index: [IndexEntry] = []
    var aborted: [AbortedTransaction] = []
    var producers: [ProducerEntry] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&size)
        try c.field(&nextOffset)
        try c.field(&maxTimestampMs)
        try c.field(&index)
        try c.field(&aborted)
        try c.field(&producers)
    }
}
