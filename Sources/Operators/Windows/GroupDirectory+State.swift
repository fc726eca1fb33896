import Platform
import StreamEngine

/// Indices that came, went or changed since the last checkpoint. O(1) each.
struct UnsavedIndices {
    var groups: Set<UInt32> = []
    var logs: Set<UInt32> = []
}

/// Checkpoints of groups and logged series, by their local indices: panes refer to these.
extension GroupDirectory {
    func trackChanges() { unsaved = unsaved ?? UnsavedIndices() }

    /// Writes the groups and the logged series; without `whole` those that changed since the last call.
    ///
    ///     groups:  bound, then for each index of the ascending list: 0 (free) or 1 and its key
    ///     series:  bound, then for each index of the ascending list: 0 (free), 1 or 2 (gone) with group, index, labels
    func encode(whole: Bool, to writer: inout ByteWriter) {
        writer.writeCount(keys.bound)
        let groups =
            whole ? (0..<UInt32(keys.bound)).filter { keys.holds($0) } : (unsaved?.groups ?? []).sorted()
        writer.writeAscending(groups)
        for group in groups {
            if let key = keys.key(of: group) {
                writer.write(UInt8(1))
                writer.write(key)
            } else {
                writer.write(UInt8(0))
            }
        }
        writer.writeCount(logEntries.count)
        let logs =
            whole
            ? logEntries.indices.filter { logEntries[$0] != nil }.map { UInt32($0) } : (unsaved?.logs ?? []).sorted()
        writer.writeAscending(logs)
        for id in logs {
            guard let entry = logEntries[Int(id)] else {
                writer.write(UInt8(0))
                continue
            }
            writer.write(UInt8(entry.isGone ? 2 : 1))
            writer.writeVarint(UInt64(entry.group))
            writer.writeVarint(UInt64(entry.series))
            writer.write(entry.labels)
        }
        if unsaved != nil { unsaved = UnsavedIndices() }
    }

    /// Takes what `encode` wrote on top of what there is. `finishDecoding` comes after the last block.
    func decode(from reader: inout ByteReader) throws(DecodingFailure) {
        // An index takes no byte where it is free, so bounds say little about the bytes: they are held to what an
        // index may be.
        let groupBound = try readBound(&reader)
        keys.lengthen(to: groupBound)
        for group in try reader.readAscending(below: keys.bound) {
            keys.remove(group)
            guard try reader.readFlag() else { continue }
            keys.restore(try reader.readGroupKey(), at: group)
        }
        let logBound = try readBound(&reader)
        while logEntries.count < logBound { logEntries.append(nil) }
        for id in try reader.readAscending(below: logEntries.count) {
            if let old = logEntries[Int(id)], Int(old.series) < logIDs.count, logIDs[Int(old.series)] == id {
                logIDs[Int(old.series)] = .max
            }
            let kind = try reader.read(UInt8.self)
            guard kind > 0 else {
                logEntries[Int(id)] = nil
                continue
            }
            guard kind <= 2 else { throw DecodingFailure("\(kind) is no kind of logged series") }
            let group = try reader.readVarint()
            let series = try reader.readVarint()
            guard group < UInt64(max(keys.bound, 1)), series < Self.indexLimit else {
                throw DecodingFailure("a logged series of group \(group), index \(series)")
            }
            logEntries[Int(id)] = LogEntry(
                labels: try reader.readSeriesLabels(), group: UInt32(group), series: UInt32(series), isGone: kind == 2)
            guard kind == 1 else { continue }
            while logIDs.count <= Int(series) { logIDs.append(.max) }
            logIDs[Int(series)] = id
        }
    }

    /// Indices a partition may use: as many as `limits.maxSeries` may allow, and more.
    static let indexLimit: UInt64 = 1 << 28

    private func readBound(_ reader: inout ByteReader) throws(DecodingFailure) -> Int {
        let bound = try reader.readVarint()
        guard bound < Self.indexLimit else { throw DecodingFailure("\(bound) indices") }
        return Int(bound)
    }

    /// After the last block of a chain: which indices are free.
    func finishDecoding() {
        freeGroups = (0..<UInt32(keys.bound)).filter { !keys.holds($0) }
        freeLogIDs = logEntries.indices.filter { logEntries[$0] == nil }.map { UInt32($0) }
        if unsaved != nil { unsaved = UnsavedIndices() }
    }
}
