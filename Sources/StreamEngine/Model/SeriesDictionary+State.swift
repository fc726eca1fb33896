import Platform

/// What checkpoints know of the series: 8 bytes a series.
struct SavedSeries {
    /// The time of each series' last sample as it was written; `unsaved` where it was not.
    private(set) var seenMs: [Int64] = []
    /// Indices set free that a checkpoint knows.
    private(set) var removed: [UInt32] = []

    static let unsaved = Int64.max

    mutating func add(_ index: UInt32) {
        while seenMs.count <= Int(index) { seenMs.append(Self.unsaved) }
    }

    mutating func forget(_ index: UInt32) {
        guard Int(index) < seenMs.count, seenMs[Int(index)] != Self.unsaved else { return }
        seenMs[Int(index)] = Self.unsaved
        removed.append(index)
    }

    mutating func note(_ index: Int, seenMs newMs: Int64) {
        while seenMs.count <= index { seenMs.append(Self.unsaved) }
        seenMs[index] = newMs
    }

    mutating func clearRemoved() { removed = [] }
}

/// Checkpoints of a partition's series. Spellings are not part of it: they come back with the first scrape.
///
///     removed   count and indices (varints)
///     new       ascending indices, then the labels of each
///     seen      ascending indices (new ones are among them), then the time of each one's last sample as the difference
///               from the one before (zigzag)
extension SeriesDictionary {
    /// Begins to note what changes.
    public func trackStateChanges() {
        guard saved == nil else { return }
        var fresh = SavedSeries()
        for index in 0..<indexBound { fresh.add(UInt32(index)) }
        saved = fresh
    }

    /// Writes the series, without `whole` what changed since the last call; gives how many series that were. O(series).
    public func encodeState(whole: Bool, to writer: inout ByteWriter) -> Int {
        var known = saved ?? SavedSeries()
        var new: [UInt32] = []
        var seen: [UInt32] = []
        for index in 0..<indexBound where holds(index) {
            let savedMs = index < known.seenMs.count ? known.seenMs[index] : SavedSeries.unsaved
            if whole || savedMs == SavedSeries.unsaved { new.append(UInt32(index)) }
            guard whole || savedMs != lastSeenMs[index] else { continue }
            seen.append(UInt32(index))
            known.note(index, seenMs: lastSeenMs[index])
        }
        let removed = whole ? [] : known.removed
        writer.writeCount(removed.count)
        for index in removed { writer.writeVarint(UInt64(index)) }
        writer.writeAscending(new)
        for index in new { if let labels = labels(of: index) { writer.write(labels) } }
        writer.writeAscending(seen)
        var last: Int64 = 0
        for index in seen {
            writer.writeZigzag(lastSeenMs[Int(index)] &- last)
            last = lastSeenMs[Int(index)]
        }
        known.clearRemoved()
        if saved != nil { saved = known }
        return seen.count
    }

    /// Applies what `encodeState` wrote.
    public func decodeState(from reader: inout ByteReader) throws(DecodingFailure) {
        let removed = try reader.readCount(bytesEach: 1)
        for _ in 0..<removed {
            let index = try reader.readVarint()
            guard index < UInt64(indexBound), let labels = labels(of: UInt32(index)) else {
                throw DecodingFailure("series \(index) is removed, but there is none")
            }
            remove(UInt32(index), labels)
            // The index may stand for another series soon, which no checkpoint knows then.
            saved?.forget(UInt32(index))
        }
        if removed > 0, needsCompacting { compact() }
        for index in try reader.readAscending(below: 1 << 28) {
            while indexBound <= Int(index) { append() }
            guard !holds(Int(index)) else { throw DecodingFailure("series \(index) comes twice") }
            let labels = try reader.readSeriesLabels()
            guard restore(labels, at: index) else { throw DecodingFailure("\(labels) comes twice, or finds no room") }
        }
        var last: Int64 = 0
        for index in try reader.readAscending(below: indexBound) {
            last &+= try reader.readZigzag()
            lastSeenMs[Int(index)] = last
            saved?.note(Int(index), seenMs: last)
        }
    }

    /// The last block was applied: every series counts as new to the operators.
    public func finishDecodingState() {
        freeIndices = (0..<indexBound).filter { !holds($0) }.map { UInt32($0) }
        newIndices = (0..<indexBound).filter { holds($0) }.map { UInt32($0) }
        saved?.clearRemoved()
    }
}
