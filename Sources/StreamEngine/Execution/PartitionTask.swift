/// What a task checks and keeps for its partition.
public struct TaskOptions: Sendable {
    /// Subtracted from the largest event time: the watermark's delay.
    public var delayMs: Int64
    /// Series unseen for so long are forgotten; at least a window with its lateness and delay.
    public var keyTTLMs: Int64
    public var maxSeries: Int
    /// Keep bad records for the dead letters (else they are only counted).
    public var keepsBadRecords: Bool
    /// Only samples with these event times are taken; nil: all, ms.
    public var sampleTimesMs: Range<Int64>?

    /// What a task checks and keeps.
    public init(delayMs: Int64, keyTTLMs: Int64, maxSeries: Int, keepsBadRecords: Bool) {
        self.delayMs = delayMs
        self.keyTTLMs = keyTTLMs
        self.maxSeries = maxSeries
        self.keepsBadRecords = keepsBadRecords
    }
}

/// The unit of everything (DESIGN §1): one partition's decoding, watermark and window state for all queries of its
/// source. Shares nothing; used by one thread at a time.
public final class PartitionTask {
    public let id: PartitionID
    public private(set) var reader: any PartitionReader
    public private(set) var series: SeriesDictionary
    /// One for each query of the source, in the job's order.
    public private(set) var operators: [any WindowOperator] = []
    public internal(set) var ledger = PartitionLedger()
    /// Largest event time decoded, staleness markers included; nil before the first.
    public internal(set) var maxTimestampMs: Int64?
    /// What the last read came back with.
    public private(set) var outcome = ReadOutcome.nothingYet
    /// The offset after the last record processed; nil before the first. For files, counted in lines.
    public internal(set) var nextOffset: Int64?
    /// Records were handed over by the last `process`.
    public private(set) var advanced = false
    /// What the last `process` began with: the watermark before it, and the timestamp of its first record (for latencies), ms.
    private(set) var sliceStart: (watermarkMs: Int64?, recordMs: Int64?) = (nil, nil)
    /// Why the task cannot go on.
    public private(set) var failure: (any Error)?

    private(set) var decoder: (any RecordDecoder)?
    private var isRetired = false
    private var batch = SampleBatch(capacity: 64)
    private let options: TaskOptions
    private var badRecords: [(record: BadRecord, watermarkMs: Int64)] = []
    var lastSweepMs = Int64.min
    /// What checkpoints know and need; nil where there are none.
    var checkpoint: TaskCheckpoint?
    /// Records from this offset on are not read yet (a checkpoint is caught up with); nil: all are.
    var limitOffset: Int64? { didSet { hasReachedLimit = false } }
    /// The next record is the one at `limitOffset`, or a later one.
    private(set) var hasReachedLimit = false
    /// What the dictionary held when it was found full last, nothing of it old enough to go.
    private var quiet: (insertions: Int, oldestSeenMs: Int64)?
    /// Rows of the batch looked at while the dictionary is full, and the newest time among them.
    private var peeked = (rows: 0, newestMs: Int64.min)

    /// Rows gathered before the operators are called.
    private static let rowsPerCall = 4096

    /// A task that reads `reader`; `makeOperators` builds the window operators over its series.
    public init(
        reader: any PartitionReader, decoder: any RecordDecoder, options: TaskOptions,
        makeOperators: (PartitionID, SeriesDictionary) -> [any WindowOperator]
    ) {
        id = reader.id
        self.reader = reader
        self.decoder = decoder
        self.options = options
        series = SeriesDictionary(maxSeries: options.maxSeries)
        operators = makeOperators(reader.id, series)
        series.onFull = { [unowned self] in self.makeRoom() }
    }

    /// The partition's watermark; nil before the first sample.
    public var watermarkMs: Int64? { maxTimestampMs.map { $0 - options.delayMs } }

    /// Whether the input is over for good.
    public var hasEnded: Bool {
        if case .endOfInput = outcome { return true }
        return false
    }

    /// Bytes of frozen windows that wait to be taken, and of those but the newest of each query.
    var frozenBytes: (all: Int, older: Int) {
        operators.reduce((0, 0)) { ($0.0 + $1.frozenBytes.all, $0.1 + $1.frozenBytes.older) }
    }

    /// Goes on reading after a failure that was mended: the reader stands at a place it can read from.
    func readOn() { failure = nil }

    /// Goes on with another reader of the same partition, which begins at `nextOffset`: the partition was given back to
    /// its group and came again.
    func resume(_ reader: any PartitionReader) {
        self.reader = reader
        outcome = .nothingYet
        advanced = false
    }

    /// Reads and processes about `maxBytes` bytes. Samples later than `latestTimestampMs` of their record are refused. With
    /// `isContinued` it belongs to the same slice as the call before.
    public func process(
        maxBytes: Int, isContinued: Bool = false, latestTimestampMs: (RawRecord) -> Int64
    ) {
        if !isContinued { advanced = false }
        guard failure == nil, !hasEnded else { return }
        sweepIfDue()
        do {
            outcome =
                checkpoint == nil ? try read(maxBytes, latestTimestampMs) : try readNoting(maxBytes, latestTimestampMs)
        } catch is ReachedLimit {
            hasReachedLimit = true
            outcome = .more
        } catch {
            failure = error
        }
        flush()
        // Thirty daily files are thirty tasks: those that have ended need no room for samples.
        if hasEnded { batch = SampleBatch(capacity: 16) }
    }

    private func read(_ maxBytes: Int, _ latestTimestampMs: (RawRecord) -> Int64) throws -> ReadOutcome {
        try reader.read(maxBytes: maxBytes) { record in
            if let limitOffset, record.offset >= limitOffset { throw ReachedLimit() }
            take(record, latestTimestampMs)
        }
    }

    /// Reads with a checkpoint, which knows the newest record.
    private func readNoting(_ maxBytes: Int, _ latestTimestampMs: (RawRecord) -> Int64) throws -> ReadOutcome {
        var hasNew = false
        return try reader.read(maxBytes: maxBytes) { record in
            if let limitOffset, record.offset >= limitOffset { throw ReachedLimit() }
            guard try isNew(record) else { return }
            hasNew = true
            take(record, latestTimestampMs)
        } last: { record in
            // What was only looked at is known.
            if hasNew { checkpoint?.note(record) }
        }
    }

    @inline(__always)
    private func take(_ record: RawRecord, _ latestTimestampMs: (RawRecord) -> Int64) {
        if !advanced {
            advanced = true
            sliceStart = (watermarkMs, record.timestampMs)
        }
        nextOffset = record.offset + 1
        decoder?.decode(record, latestTimestampMs: latestTimestampMs(record), series: series, into: batch)
        if batch.count >= PartitionTask.rowsPerCall || batch.bad.count >= 256 { flush() }
    }

    /// Gives back memory while the partition waits for slower ones: its reader's buffers and the room for samples.
    func hibernate() {
        reader.hibernate()
        if batch.count == 0, batch.roomForSamples > 64 { batch = SampleBatch(capacity: 64) }
    }

    /// Frees what an ended partition no longer needs, once every window of it has been taken: its series, groups and
    /// reader. The ledgers stay. Gives whether it did.
    func retireIfDone() -> Bool {
        guard !isRetired, hasEnded, operators.allSatisfy({ $0.newestOpenWindow == nil }) else { return false }
        shed()
        return true
    }

    /// Keeps the ledgers only.
    func shed() {
        guard !isRetired else { return }
        isRetired = true
        operators = operators.map { EndedWindows($0) }
        series.onFull = nil
        series = SeriesDictionary(maxSeries: 1)
        decoder = nil
        reader.close()
    }

    /// Bad records since the last call, in record order, and the partition's watermark at each (`Int64.min` before there is
    /// one).
    func takeBadRecords() -> [(record: BadRecord, watermarkMs: Int64)] {
        defer { badRecords = [] }
        return badRecords
    }

    /// Hands what is decoded to the operators.
    private func flush() {
        if let times = options.sampleTimesMs { batch.keep(times) }
        let new = series.takeNewIndices()
        if !new.isEmpty { for op in operators { op.add(series: new) } }
        for op in operators { op.process(batch) }
        if !batch.bad.isEmpty { noteBad() }
        noteSeen()
        ledger.records += batch.records
        ledger.staleMarkers += batch.staleCount
        ledger.decoded += batch.count - batch.staleCount
        batch.clear()
        peeked = (0, .min)
    }

    private func noteSeen() {
        let count = batch.count
        guard count > 0 else { return }
        let lastSeen = series.lastSeenMs
        var newest = maxTimestampMs ?? .min
        for row in 0..<count {
            let time = batch.timestamps[row]
            let id = batch.series[row]
            if id != SampleBatch.overLimit, lastSeen[Int(id)] < time { lastSeen[Int(id)] = time }
            if time > newest { newest = time }
        }
        maxTimestampMs = newest
    }

    private func noteBad() {
        for record in batch.bad {
            if record.reason == .futureTimestamp {
                ledger.future += 1
            } else {
                ledger.bad += 1
                ledger.badByReason[record.reason, default: 0] += 1
            }
        }
        guard options.keepsBadRecords else { return }
        for (record, newestMs) in zip(batch.bad, batch.newestBeforeBadMs) {
            let newest = max(newestMs, maxTimestampMs ?? .min)
            badRecords.append((record, newest == .min ? .min : newest - options.delayMs))
        }
    }

    /// Forgets old series from time to time. What a window holds is never older than the horizon.
    private func sweepIfDue() {
        guard let watermarkMs else { return }
        if lastSweepMs == .min { lastSweepMs = watermarkMs }
        guard EventTime.difference(watermarkMs, lastSweepMs) >= options.keyTTLMs / 8 else { return }
        sweep(watermarkMs)
    }

    private func sweep(_ watermarkMs: Int64) {
        lastSweepMs = watermarkMs
        let gone = series.indices(lastSeenBefore: EventTime.difference(watermarkMs, options.keyTTLMs))
        // While their labels are still there. Also when no series goes: groups that differ by row come and go by themselves.
        for op in operators { op.forget(series: gone) }
        series.forget(gone)
    }

    /// The dictionary is full: what is decoded so far is processed, and what is old enough at this very record is
    /// forgotten, so that which series are dropped depends on the partition's record order alone.
    ///
    /// A producer may send refused series without end, so this looks further only when something can have changed: a
    /// series was added, or the watermark passed the oldest series' time.
    private func makeRoom() {
        let horizonMs = horizonAtLastSample()
        if let quiet, quiet.insertions == series.insertions, horizonMs <= quiet.oldestSeenMs { return }
        let run = batch.runs.last
        flush()
        if let run { batch.beginRun(offset: run.offset, linesAreRecords: run.linesAreRecords) }
        if let watermarkMs { sweep(watermarkMs) }
        quiet = (series.insertions, series.oldestSeenMs)
    }

    /// Up to which time series are forgotten at the last sample decoded. Looks at each sample once.
    private func horizonAtLastSample() -> Int64 {
        for row in peeked.rows..<batch.count { peeked.newestMs = max(peeked.newestMs, batch.timestamps[row]) }
        peeked.rows = batch.count
        let newest = max(peeked.newestMs, maxTimestampMs ?? .min)
        return EventTime.difference(EventTime.difference(newest, options.delayMs), options.keyTTLMs)
    }
}
