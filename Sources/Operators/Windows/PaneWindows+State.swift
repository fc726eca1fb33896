import Platform
import StreamEngine

/// Checkpoints of windows.
///
///     frozenThrough, ownFrozenThrough   each 0, or 1 and 8 bytes
///     largest event time, next freeze   8 bytes each
///     ledger                            7 varints
///     groups, logged series             see `GroupDirectory`
///     panes that went                   count, then 8 bytes each
///     panes                             count, then for each: index (8 bytes), ascending groups, the states of each
///                                       column for these groups, the samples of each log
///
/// A pane's groups and samples are all of them, or those that changed since the block before.
extension PaneWindows {
    public func trackStateChanges() {
        tracksUnsaved = true
        groups.trackChanges()
    }

    public var unsavedRows: Int { panes.values.reduce(0) { $0 + $1.unsaved.count } }
    public var stateRows: Int { panes.values.reduce(0) { $0 + $1.groups.count } }

    public func encodeState(whole: Bool, to writer: inout ByteWriter) -> Int {
        // `SourceExecution.gather` has: at a barrier it comes before the epoch.
        precondition(frozenIsTaken, "what is frozen is taken at the barrier, before the epoch is written")
        writer.writeOptional(frozenThrough)
        writer.writeOptional(ownFrozenThrough)
        writer.write(maxTimestampMs)
        writer.write(nextFreezeMs)
        writer.write(ledger)
        groups.encode(whole: whole, to: &writer)
        let removed = whole ? [] : removedSaved
        writer.writeCount(removed.count)
        for index in removed { writer.write(index) }
        let written = paneOrder.compactMap { panes[$0] }.filter {
            whole || !$0.isSaved || !$0.unsaved.isEmpty || $0.logs.contains { $0.hasChanges }
        }
        writer.writeCount(written.count)
        var rows = 0
        for pane in written { rows += encode(pane, whole: whole, to: &writer) }
        removedSaved = []
        return rows
    }

    private func encode(_ pane: Pane, whole: Bool, to writer: inout ByteWriter) -> Int {
        writer.write(pane.index)
        let members = Pane.ascending(whole ? pane.groups : pane.unsaved, bound: groups.bound)
        writer.writeAscending(members)
        members.withUnsafeBufferPointer { members in
            for column in pane.states { column.encode(members, to: &writer) }
        }
        for log in pane.logs { if whole { log.encode(to: &writer) } else { log.encodeChanges(to: &writer) } }
        pane.noteSaved()
        return members.count
    }

    public func decodeState(from reader: inout ByteReader) throws(DecodingFailure) {
        frozenThrough = try reader.readOptional()
        ownFrozenThrough = try reader.readOptional()
        maxTimestampMs = try reader.read()
        nextFreezeMs = try reader.read()
        ledger = try reader.readQueryLedger()
        try groups.decode(from: &reader)
        for _ in 0..<(try reader.readCount(bytesEach: 8)) { removePane(try reader.read()) }
        for _ in 0..<(try reader.readCount(bytesEach: 9)) { try decodePane(from: &reader) }
    }

    private func decodePane(from reader: inout ByteReader) throws(DecodingFailure) {
        let index: Int64 = try reader.read()
        guard window.holds(pane: index) else { throw DecodingFailure("pane \(index) lies outside of time") }
        let pane = panes[index] ?? addPane(index)
        if pane.lone != nil { pane.spill(into: freshColumns()) }
        pane.grow(to: groups.bound)
        let members = try reader.readAscending(below: groups.bound)
        for column in pane.columns { for group in members { try column.decode(group, from: &reader) } }
        // An epoch ends with a trigger, which has shown every change.
        pane.restore(members)
        for log in pane.logs { try log.append(from: &reader, seriesBound: groups.logEntries.count) }
        pane.isSaved = true
    }

    public func finishDecodingState() { groups.finishDecoding() }
}
