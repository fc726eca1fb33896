import Platform

/// What a task keeps for its checkpoints.
struct TaskCheckpoint {
    /// The last record processed, as the state has it or as it came since.
    private var known: RecordMark?
    private let seen = SeenRecord()
    /// The record that the partition must still hold where the checkpoint says it does; nil once it was seen.
    var expected: RecordMark?
    /// Something happened since the last epoch.
    var isDirty = true

    init(last: RecordMark? = nil, expected: RecordMark? = nil, isDirty: Bool = true) {
        known = last
        self.expected = expected
        self.isDirty = isDirty
    }

    /// The last record processed.
    var last: RecordMark? {
        get { seen.mark ?? known }
        set {
            known = newValue
            seen.forget()
        }
    }

    /// A record was processed.
    mutating func note(_ record: RawRecord) {
        seen.note(record)
        isDirty = true
    }
}

/// Thrown by a task's own reading: the next record is one that may not be read yet.
struct ReachedLimit: Error {}

/// The record before the position of a checkpoint is another one than the checkpoint has seen.
struct RecreatedTopicError: Error, CustomStringConvertible {
    let offset: Int64

    var description: String {
        """
        the record at offset \(offset) is not the one the checkpoint has seen: the topic was deleted and made anew, or \
        its log was cut and written again. `stream-job run --new-checkpoint` starts afresh on the topic as it is; the \
        old checkpoint is kept aside
        """
    }
}

/// Checkpoints of one partition.
///
///     next offset, largest event time   each 0, or 1 and 8 bytes
///     time of the last sweep            8 bytes
///     ledger                            varints
///     last record                       0, or 1, offset, timestamp, digest
///     decoder                           length and bytes
///     series                            see `SeriesDictionary`
extension PartitionTask {
    /// Begins to note what changes. Called before the first record.
    func trackStateChanges() {
        checkpoint = checkpoint ?? TaskCheckpoint()
        series.trackStateChanges()
        for op in operators { op.trackStateChanges() }
    }

    /// False for the record before the checkpoint's position, which is only looked at.
    func isNew(_ record: RawRecord) throws(RecreatedTopicError) -> Bool {
        guard let expected = checkpoint?.expected else { return true }
        checkpoint?.expected = nil
        guard record.offset == expected.offset else { return true }
        guard RecordMark(record) == expected else { throw RecreatedTopicError(offset: record.offset) }
        return false
    }

    /// Where reading goes on after a restart: one record early, so that it can be compared with what the checkpoint has
    /// seen.
    var rereadOffset: Int64? { checkpoint?.expected?.offset ?? nextOffset }

    /// Writes position, ledger and series, without `whole` what changed since the last call; gives how many series that
    /// were.
    func encodeState(whole: Bool, to writer: inout ByteWriter) -> Int {
        writer.writeOptional(nextOffset)
        writer.writeOptional(maxTimestampMs)
        writer.write(lastSweepMs)
        writer.write(ledger)
        let last = checkpoint?.last
        writer.write(UInt8(last == nil ? 0 : 1))
        last?.encode(to: &writer)
        var own = ByteWriter()
        decoder?.encodeState(to: &own)
        writer.write(lengthPrefixed: own.bytes)
        let rows = series.encodeState(whole: whole, to: &writer)
        checkpoint?.isDirty = false
        return rows
    }

    /// Applies what `encodeState` wrote.
    func decodeState(from reader: inout ByteReader) throws(DecodingFailure) {
        nextOffset = try reader.readOptional()
        maxTimestampMs = try reader.readOptional()
        lastSweepMs = try reader.read()
        ledger = try reader.readPartitionLedger()
        let last = try reader.readFlag() ? try RecordMark(from: &reader) : nil
        checkpoint?.last = last
        var own = ByteReader(try reader.readLengthPrefixed())
        if own.remaining > 0 { try decoder?.decodeState(from: &own) }
        try series.decodeState(from: &reader)
    }

    /// The last block of the partition was applied: series find their groups.
    func finishDecodingState() {
        for op in operators { op.finishDecodingState() }
        series.finishDecodingState()
        let all = series.takeNewIndices()
        if !all.isEmpty { for op in operators { op.add(series: all) } }
        checkpoint = TaskCheckpoint(last: checkpoint?.last, expected: checkpoint?.last, isDirty: false)
    }
}
