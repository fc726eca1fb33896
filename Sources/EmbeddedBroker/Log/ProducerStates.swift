/// A batch a producer wrote, remembered to absorb a repetition.
struct ProducerBatch: WireStruct, Equatable {
    var firstSequence: Int32 = 0
    var lastSequence: Int32 = 0
    var baseOffset: Int64 = 0
    var maxTimestampMs: Int64 = -1

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&firstSequence)
        try c.field(&lastSequence)
        try c.field(&baseOffset)
        try c.field(&maxTimestampMs)
    }
}

/// What a partition knows of a producer.
struct ProducerEntry: WireStruct, Equatable {
    var producerId: Int64 = -1
    var epoch: Int16 = -1
    /// The last batches of this epoch, oldest first, at most `ProducerStates.batchesKept`.
    var batches: [ProducerBatch] = []
    /// First offset of its open transaction; -1: none is open.
    var transactionFirstOffset: Int64 = -1
    /// When it last wrote, by the broker's clock (records may be of any age).
    var lastTimestampMs: Int64 = -1

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&producerId)
        try c.field(&epoch)
        try c.field(&batches)
        try c.field(&transactionFirstOffset)
        try c.field(&lastTimestampMs)
    }
}

/// A transaction that was aborted in a partition.
struct AbortedTransaction: WireStruct, Equatable {
    var producerId: Int64 = -1
    /// First offset of its data.
    var firstOffset: Int64 = -1
    /// Offset of its abort marker.
    var lastOffset: Int64 = -1

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&producerId)
        try c.field(&firstOffset)
        try c.field(&lastOffset)
    }
}

/// A partition's producers: sequence checks, open transactions and the last stable offset.
///
/// Derived wholly from the batches of the log (as Kafka's `ProducerStateManager`), so recovery replays it.
struct ProducerStates {
    /// Batches of each producer checked for repetition; clients may have five requests in flight.
    static let batchesKept = 5

    private(set) var entries: [Int64: ProducerEntry] = [:]
    /// First offsets of the open transactions, by producer.
    private(set) var openTransactions: [Int64: Int64] = [:]

    /// What a batch is to the state.
    enum Verdict: Equatable {
        case new
        /// A repetition of a batch that was stored at this offset.
        case duplicate(baseOffset: Int64, maxTimestampMs: Int64)
    }

    /// Checks epoch and sequence of a batch to be appended.
    func check(_ batch: RecordBatchHeader) throws(BatchRefusal) -> Verdict {
        guard let entry = entries[batch.producerId] else { return .new }
        guard batch.producerEpoch >= entry.epoch else {
            throw BatchRefusal(
                code: .invalidProducerEpoch,
                message: "producer \(batch.producerId) has epoch \(entry.epoch), the batch \(batch.producerEpoch)")
        }
        if batch.producerEpoch > entry.epoch {
            guard batch.baseSequence == 0 || entry.epoch == -1 else { throw outOfOrder(batch, expected: 0) }
            return .new
        }
        for known in entry.batches
        where known.firstSequence == batch.baseSequence && known.lastSequence == batch.lastSequence {
            return .duplicate(baseOffset: known.baseOffset, maxTimestampMs: known.maxTimestampMs)
        }
        let last = entry.batches.last?.lastSequence ?? -1
        let expected = last == Int32.max ? 0 : last + 1
        guard batch.baseSequence == expected else { throw outOfOrder(batch, expected: expected) }
        return .new
    }

    private func outOfOrder(_ batch: RecordBatchHeader, expected: Int32) -> BatchRefusal {
        BatchRefusal(
            code: .outOfOrderSequenceNumber,
            message: "producer \(batch.producerId): sequence \(batch.baseSequence), expected \(expected)")
    }

    /// Takes in a data batch that is in the log.
    mutating func apply(_ batch: RecordBatchHeader, nowMs: Int64) {
        guard batch.hasProducer else { return }
        var entry = entries[batch.producerId] ?? ProducerEntry(producerId: batch.producerId)
        if entry.epoch != batch.producerEpoch {
            entry.epoch = batch.producerEpoch
            entry.batches = []
        }
        entry.batches.append(
            ProducerBatch(
                firstSequence: batch.baseSequence, lastSequence: batch.lastSequence, baseOffset: batch.baseOffset,
                maxTimestampMs: batch.maxTimestampMs))
        if entry.batches.count > Self.batchesKept { entry.batches.removeFirst() }
        entry.lastTimestampMs = nowMs
        if batch.isTransactional && entry.transactionFirstOffset < 0 {
            entry.transactionFirstOffset = batch.baseOffset
            openTransactions[batch.producerId] = batch.baseOffset
        }
        entries[batch.producerId] = entry
    }

    /// Takes in a control batch; returns the transaction when it aborted one that had data here.
    mutating func apply(marker: ControlBatch.Kind, _ batch: RecordBatchHeader, nowMs: Int64) -> AbortedTransaction? {
        var entry = entries[batch.producerId] ?? ProducerEntry(producerId: batch.producerId)
        if entry.epoch != batch.producerEpoch {
            entry.epoch = batch.producerEpoch
            entry.batches = []
        }
        entry.lastTimestampMs = nowMs
        let first = entry.transactionFirstOffset
        entry.transactionFirstOffset = -1
        entries[batch.producerId] = entry
        openTransactions[batch.producerId] = nil
        guard first >= 0, marker == .abort else { return nil }
        return AbortedTransaction(producerId: batch.producerId, firstOffset: first, lastOffset: batch.baseOffset)
    }

    /// The offset below which every transaction is decided, given the log's end. O(open transactions).
    func lastStableOffset(end: Int64) -> Int64 { openTransactions.values.min() ?? end }

    /// Forgets producers without an open transaction that last wrote before `timestampMs`.
    mutating func expire(before timestampMs: Int64) {
        entries = entries.filter { $0.value.transactionFirstOffset >= 0 || $0.value.lastTimestampMs >= timestampMs }
    }

    /// For a segment's side file.
    var snapshot: [ProducerEntry] {
        get { entries.values.sorted { $0.producerId < $1.producerId } }
        set {
            entries = [:]
            openTransactions = [:]
            for entry in newValue {
                entries[entry.producerId] = entry
                if entry.transactionFirstOffset >= 0 {
                    openTransactions[entry.producerId] = entry.transactionFirstOffset
                }
            }
        }
    }
}

extension ProducerEntry {
    /// An unknown producer's empty entry.
    init(producerId: Int64) {
        self.init()
        self.producerId = producerId
    }
}
