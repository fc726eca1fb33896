/// Something only the wall clock decided, with the position where it acted (SEMANTICS §3 "recorded decisions"): what a later
/// run needs to repeat this one exactly (`RecordedRun`).
///
/// The clock touches a result in three ways only: a partition's windows are frozen before its own watermark has come so far
/// (`active`, `join`, `clockWatermark`), a sample is refused (`futureTimestamp`), a verdict is given before the events it
/// asks for are all there (`context`). `idle` and `start` change no row: they say since when, and from where.
public struct Decision: Sendable, Equatable {
    /// What was decided.
    public enum Kind: Sendable, Equatable {
        /// The partition was fully read and silent for `idleTimeout`: it left the watermark's minimum.
        case idle
        /// It spoke again, at `nextOffset`. Until then the query's watermark had come to this value, ms: windows that it had
        /// closed went out without what the partition says from here on.
        case active(watermarkMs: Int64?)
        /// The watermark moved by the clock to this value, ms: the query's, as every partition is idle; or that of this
        /// one idle partition, for partition-local queries.
        case clockWatermark(ms: Int64)
        /// The partition joined a running query, whose watermark stood at this value, ms.
        case join(watermarkMs: Int64)
        /// A verdict of this detector on the window ending there (ms) did not wait for all events that might bear on it, as
        /// they were silent or `maxWait` was over. It knew the events before these offsets, and none of partitions
        /// not listed. `partition` is the one whose detector it is; nil for a query's own.
        case context(query: String, detector: String, windowEndMs: Int64, positions: [PartitionID: Int64])
        /// Samples later than this (ms) of the record at the decision's offset were too far ahead (`maxFutureSkew`).
        case futureTimestamp(limitMs: Int64)
        /// This process began to read the partition at `nextOffset`, where another one (or itself, before it gave an
        /// epoch up) had come to with this epoch; nil: the job's first reading.
        case start(after: Predecessor?)
    }

    /// The epoch that decided where a partition is gone on from.
    public struct Predecessor: Sendable, Hashable {
        public let epoch: EpochToken
        /// How many decisions its process had recorded up to it.
        public let decisionCount: Int

        /// An epoch, and the decisions of its process up to it.
        public init(epoch: EpochToken, decisionCount: Int) {
            self.epoch = epoch
            self.decisionCount = decisionCount
        }
    }

    public let kind: Kind
    public let source: String
    /// nil for what concerns all.
    public let partition: PartitionID?
    /// The partition's next offset when it was decided (nil before its first record); for `futureTimestamp` the
    /// record's own offset.
    public let nextOffset: Int64?
    /// The epoch that holds the decision.
    public internal(set) var epoch: Int

    /// The epoch that a partition is gone on from, where this says so.
    var predecessor: EpochToken? {
        if case .start(let after) = kind { after?.epoch } else { nil }
    }

    /// A decision where it acted.
    public init(kind: Kind, source: String, partition: PartitionID?, nextOffset: Int64?, epoch: Int) {
        self.kind = kind
        self.source = source
        self.partition = partition
        self.nextOffset = nextOffset
        self.epoch = epoch
    }
}
