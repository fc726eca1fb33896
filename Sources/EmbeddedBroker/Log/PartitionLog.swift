import Platform

/// One partition's log: segments, producers, open and aborted transactions.
///
/// Confined to the broker's loop. There is one replica, so the high watermark is the log's end.
final class PartitionLog {
    private let storage: LogStorage
    private let gate: WriteGate
    /// Sizes, retention and stamping; the topic's.
    var config: TopicConfig
    /// Oldest first, never empty; the last one is appended to.
    private(set) var segments: [Segment]
    private(set) var producers: ProducerStates
    /// In the order of their markers.
    private(set) var aborted: [AbortedTransaction]
    /// First offset that can be read.
    private(set) var startOffset: Int64
    /// When the last segment got its first batch, for `segment.ms`.
    private var activeSinceMs: Int64 = .max

    /// Opens the log in `storage`: scans what no side file describes and cuts a torn tail.
    /// `startOffset` is what DeleteRecords has left.
    init(
        storage: LogStorage, gate: WriteGate, config: TopicConfig, startOffset: Int64, nowMs: Int64
    ) throws(StorageError) {
        let recovered = try LogRecovery.open(storage, startOffset: startOffset, nowMs: nowMs)
        self.storage = storage
        self.gate = gate
        self.config = config
        segments = recovered.segments
        producers = recovered.producers
        aborted = recovered.aborted
        self.startOffset = max(startOffset, recovered.segments[0].baseOffset)
    }

    private var active: Segment { segments[segments.count - 1] }
    /// Offset of the next record.
    var endOffset: Int64 { active.nextOffset }
    /// Where `read_committed` readers stop.
    var lastStableOffset: Int64 { producers.lastStableOffset(end: endOffset) }
    /// Bytes of all segments.
    var sizeBytes: Int { segments.reduce(0) { $0 + $1.size } }

    // MARK: Appending

    /// Appends a producer's validated batch. Returns its base offset and, for a LogAppendTime topic, its stamp.
    func append(
        _ batch: RecordBatchHeader, _ bytes: UnsafeRawBufferPointer, nowMs: Int64
    ) throws(BatchRefusal) -> (baseOffset: Int64, appendTimeMs: Int64) {
        let stamps = config.stampsAppendTime
        if batch.hasProducer, case .duplicate(let offset, let timestampMs) = try producers.check(batch) {
            return (offset, stamps ? timestampMs : -1)
        }
        var stored = batch
        stored.baseOffset = endOffset
        var head = Array(bytes.prefix(RecordBatchHeader.size))
        if stamps {
            stored.attributes |= 0x08
            stored.maxTimestampMs = nowMs
        } else if stored.isLogAppendTime {
            // Clients may not claim the broker's stamp.
            stored.attributes &= ~0x08
        }
        head.set(bigEndian: stored.attributes, at: 21)
        head.set(bigEndian: stored.maxTimestampMs, at: 35)
        if stored.attributes != batch.attributes || stamps {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[RecordBatchHeader.size...])
            let seed = head.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[21...])) }
            stored.crc = CRC32C.checksum(rest, seed: seed)
            head.set(bigEndian: stored.crc, at: 17)
        }
        try write(stored, head: head, rest: UnsafeRawBufferPointer(rebasing: bytes[RecordBatchHeader.size...]), nowMs)
        producers.apply(stored, nowMs: nowMs)
        return (stored.baseOffset, stamps ? nowMs : -1)
    }

    /// Ends a producer's transaction here. Written even when it has no data here, as Kafka does.
    func append(_ marker: ControlBatch.Kind, producerId: Int64, epoch: Int16, nowMs: Int64) throws(BatchRefusal) {
        let bytes = ControlBatch.bytes(marker, producerId: producerId, epoch: epoch, timestampMs: nowMs)
        guard var header = bytes.withUnsafeBytes({ RecordBatchHeader($0) }) else { return }
        header.baseOffset = endOffset
        let frame = FrameBuffer(bytes)
        try write(
            header, head: Array(frame.bytes.prefix(RecordBatchHeader.size)),
            rest: UnsafeRawBufferPointer(rebasing: frame.bytes[RecordBatchHeader.size...]), nowMs)
        if let ended = producers.apply(marker: marker, header, nowMs: nowMs) { aborted.append(ended) }
    }

    private func write(
        _ header: RecordBatchHeader, head: [UInt8], rest: UnsafeRawBufferPointer, _ nowMs: Int64
    ) throws(BatchRefusal) {
        if active.size > 0
            && (active.size + header.totalBytes > config.segmentBytes || nowMs - activeSinceMs >= config.segmentMs)
        {
            do throws(StorageError) {
                try roll()
            } catch {
                throw BatchRefusal(code: .kafkaStorageError, message: error.description)
            }
        }
        if active.size == 0 { activeSinceMs = nowMs }
        var head = head
        head.set(bigEndian: header.baseOffset, at: 0)
        head.set(bigEndian: Int32(0), at: 12)
        let written = head.withUnsafeBytes { head in
            Result { () throws(StorageError) in try gate.write([head, rest], to: active.file, at: active.size) }
        }
        if case .failure(let error) = written {
            throw BatchRefusal(code: .kafkaStorageError, message: error.description)
        }
        active.add(header)
    }

    /// Starts a new segment, and writes the side file of the one before.
    private func roll() throws(StorageError) {
        try writeSideFile()
        let next = endOffset
        segments.append(Segment(baseOffset: next, file: try storage.open(Segment.name(next, ".log"))))
    }

    /// Describes the last segment beside it; also at a clean stop, so that the next start is fast.
    func writeSideFile() throws(StorageError) {
        let segment = active
        let sideFile = SegmentSideFile(
            size: Int64(segment.size), nextOffset: segment.nextOffset, maxTimestampMs: segment.maxTimestampMs,
            index: segment.index, aborted: aborted.filter { $0.lastOffset >= segment.baseOffset },
            producers: producers.snapshot)
        try storage.replace(
            Segment.name(segment.baseOffset, ".index"), with: StoredStruct.bytes(sideFile), gate: gate)
    }

    // MARK: Reading

    /// Stored bytes from the batch that holds `offset` on, below `limit` (a batch boundary), at most `maxBytes`
    /// unless the first batch alone is larger and `atLeastOneBatch`. O(log segments + log index).
    func read(
        from offset: Int64, below limit: Int64, maxBytes: Int, atLeastOneBatch: Bool
    ) -> (region: FileRegion, offsetBound: Int64)? {
        guard offset < limit, let segment = segment(holding: offset) else { return nil }
        let start = segment.position(of: offset)
        let end = limit >= segment.nextOffset ? segment.size : segment.position(of: limit)
        guard start < end else { return nil }
        var length = min(end - start, max(maxBytes, 0))
        if length < end - start {
            guard let first = segment.header(at: start) else { return nil }
            if length < first.totalBytes {
                guard atLeastOneBatch else { return nil }
                length = first.totalBytes
            }
        }
        guard length > 0 else { return nil }
        return (
            FileRegion(file: segment.file, position: start, length: length),
            min(limit, segment.offsetBound(before: start + length))
        )
    }

    /// The segment that holds `offset` or, when that was lost to retention inside the log, the next one.
    private func segment(holding offset: Int64) -> Segment? {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].nextOffset <= offset { low = middle + 1 } else { high = middle }
        }
        return low < segments.count ? segments[low] : nil
    }

    /// Transactions aborted in `[from, below)`, by first offset.
    func aborted(from: Int64, below: Int64) -> [AbortedTransaction] {
        aborted.filter { $0.lastOffset >= from && $0.firstOffset < below }.sorted { $0.firstOffset < $1.firstOffset }
    }

    /// The first record at or after a time and below `limit`: its offset and timestamp.
    func find(atOrAfter timestampMs: Int64, below limit: Int64) -> (offset: Int64, timestampMs: Int64)? {
        for segment in segments where segment.maxTimestampMs >= timestampMs {
            var position = 0
            var found = segment.firstBatch(atOrAfter: timestampMs)
            while let (at, header) = found {
                guard header.baseOffset < limit else { return nil }
                if header.lastOffset >= startOffset, !header.isControl {
                    let bytes = segment.file.read(at: at, count: header.totalBytes)
                    let record = RecordTimes.first(in: bytes, header, atOrAfter: timestampMs, from: startOffset)
                    if let record { return record }
                }
                position = at + header.totalBytes
                found = segment.header(at: position).map { (position, $0) }
            }
        }
        return nil
    }

    /// The offset and timestamp of the (first) record with the largest timestamp.
    func latestTimestamp() -> (offset: Int64, timestampMs: Int64)? {
        guard let largest = segments.map(\.maxTimestampMs).max(), largest >= 0 else { return nil }
        return find(atOrAfter: largest, below: endOffset)
    }

    // MARK: Shrinking

    /// Makes `offset` the first readable one and drops segments wholly below it.
    func advanceStart(to offset: Int64) {
        startOffset = max(startOffset, min(offset, endOffset))
        while segments.count > 1, segments[0].nextOffset <= startOffset { dropFirst() }
        aborted.removeAll { $0.lastOffset < startOffset }
    }

    private func dropFirst() {
        let segment = segments.removeFirst()
        guard !gate.isShut else { return }
        storage.remove(Segment.name(segment.baseOffset, ".index"))
        storage.remove(Segment.name(segment.baseOffset, ".log"))
    }

    /// Drops whole old segments, never the active one; returns whether any went.
    func retain(nowMs: Int64) -> Bool {
        guard config.deletes else { return false }
        let before = segments.count
        var total = sizeBytes
        while segments.count > 1 {
            let tooOld = config.retentionMs >= 0 && nowMs - segments[0].maxTimestampMs > config.retentionMs
            let tooMuch = config.retentionBytes >= 0 && total - segments[0].size >= config.retentionBytes
            guard tooOld || tooMuch, segments[0].nextOffset <= lastStableOffset else { break }
            total -= segments[0].size
            advanceStart(to: segments[0].nextOffset)
        }
        return segments.count < before
    }

    /// Forgets producers that have not written since `timestampMs`.
    func expireProducers(before timestampMs: Int64) { producers.expire(before: timestampMs) }
}

extension [UInt8] {
    /// Sets an integer, big-endian; the bytes must be there.
    fileprivate mutating func set<T: FixedWidthInteger>(bigEndian value: T, at position: Int) {
        // Places in a header, of bytes that `RecordBatchHeader` has read as one.
        precondition(position + MemoryLayout<T>.size <= count)
        for index in 0..<MemoryLayout<T>.size {
            self[position + index] = UInt8(
                truncatingIfNeeded: value >> T((MemoryLayout<T>.size - 1 - index) * 8))
        }
    }
}
