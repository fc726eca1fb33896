/// Opens a partition's files after a stop of any kind.
///
/// Segments before the last are described by their side files; one without (or with one that does not fit) is scanned.
/// The last is trusted as far as its side file goes when that was written by a clean stop; else it is scanned with
/// checksums, and cut where the first batch is torn or damaged.
enum LogRecovery {
    struct Recovered {
        var segments: [Segment] = []
        var producers = ProducerStates()
        var aborted: [AbortedTransaction] = []
    }

    /// Opens or makes the log in `storage`; `startOffset` is the first offset of a log without files.
    static func open(_ storage: LogStorage, startOffset: Int64, nowMs: Int64) throws(StorageError) -> Recovered {
        var recovered = Recovered()
        let bases = try storage.names().compactMap { name in
            name.hasSuffix(".log") ? Int64(name.dropLast(4)) : nil
        }
        for (position, base) in bases.enumerated() {
            if let last = recovered.segments.last, last.nextOffset != base {
                // What follows a cut segment no longer joins it.
                storage.remove(Segment.name(base, ".log"))
                storage.remove(Segment.name(base, ".index"))
                continue
            }
            let file = try storage.open(Segment.name(base, ".log"))
            let isLast = position == bases.count - 1
            if let sideFile = try readSideFile(storage, base), sideFile.size == Int64(try file.length()) {
                recovered.segments.append(Segment(baseOffset: base, file: file, sideFile: sideFile))
                recovered.aborted.append(contentsOf: sideFile.aborted)
                recovered.producers.snapshot = sideFile.producers
            } else {
                recovered.segments.append(try scan(file, base: base, nowMs: nowMs, into: &recovered))
            }
            // The side file of the last segment ends to be true with the next append.
            if isLast { storage.remove(Segment.name(base, ".index")) }
        }
        if recovered.segments.isEmpty {
            let file = try storage.open(Segment.name(startOffset, ".log"))
            recovered.segments.append(Segment(baseOffset: startOffset, file: file))
        }
        return recovered
    }

    private static func readSideFile(
        _ storage: LogStorage, _ base: Int64
    ) throws(StorageError) -> SegmentSideFile? {
        let name = Segment.name(base, ".index")
        guard storage.contains(name) else { return nil }
        let file = try storage.open(name)
        return try file.withMapped(count: try file.length()) {
            StoredStruct.read(SegmentSideFile.self, $0, at: 0)?.value
        }
    }

    /// Walks whole, undamaged batches whose offsets follow on, and cuts the file behind the last.
    private static func scan(
        _ file: LogFile, base: Int64, nowMs: Int64, into recovered: inout Recovered
    ) throws(StorageError) -> Segment {
        let segment = Segment(baseOffset: base, file: file)
        let length = try file.length()
        var producers = recovered.producers
        var aborted: [AbortedTransaction] = []
        try file.withMapped(count: length) { bytes in
            while segment.size < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[segment.size...])
                guard let batch = RecordBatchHeader.isWhole(rest), batch.baseOffset == segment.nextOffset else { break }
                if batch.isControl {
                    if let kind = ControlBatch.kind(rest),
                        let ended = producers.apply(marker: kind, batch, nowMs: nowMs)
                    {
                        aborted.append(ended)
                    }
                } else {
                    producers.apply(batch, nowMs: nowMs)
                }
                segment.add(batch)
            }
        }
        recovered.producers = producers
        recovered.aborted.append(contentsOf: aborted)
        if segment.size < length { try file.truncate(to: segment.size) }
        return segment
    }
}
