/// Something only the wall clock decided, with the position where it acted (SEMANTICS §3 "recorded decisions"): what a later
/// run needs to repeat this one exactly.
public struct Decision: Sendable, Equatable {
    /// What was decided.
    public enum Kind: Sendable, Equatable {
        /// The partition was fully read and silent for `idleTimeout`: it left the watermark's minimum.
        case idle
        /// It spoke again.
        case active
        /// Every partition of the source is idle: the query's watermark moved by the clock to this value, ms.
        case clockWatermark(ms: Int64)
        /// The partition joined a running query, whose watermark stood at this value, ms.
        case join(watermarkMs: Int64?)
        /// A verdict of this detector went without the events it depends on, as `maxWait` was over: that on the window
        /// ending there, ms.
        case contextTimeout(detector: String, windowEndMs: Int64)
        /// The sample on this line of the record at the decision's offset was too far ahead (`maxFutureSkew`).
        case futureTimestamp(line: Int)
    }

    public let kind: Kind
    public let source: String
    /// nil for `clockWatermark` and `contextTimeout`, which concern all.
    public let partition: PartitionID?
    /// The partition's next offset when it was decided (nil before its first record); for `futureTimestamp` the
    /// record's own offset.
    public let nextOffset: Int64?
    /// The epoch that holds the decision.
    public let epoch: Int

    /// A decision where it acted.
    public init(kind: Kind, source: String, partition: PartitionID?, nextOffset: Int64?, epoch: Int) {
        self.kind = kind
        self.source = source
        self.partition = partition
        self.nextOffset = nextOffset
        self.epoch = epoch
    }
}
