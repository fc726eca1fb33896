import Platform

/// A sample that came too late for every window: a row of the `late` output.
public struct LateSample: Sendable {
    public let offset: Int64
    public let line: Int
    public let timestampMs: Int64
    public let value: Double
    public let labels: SeriesLabels
    /// End of the newest window it missed.
    public let windowEndMs: Int64
    /// How far the partition's watermark had passed that window's end + allowed lateness.
    public let latenessMs: Int64

    /// A late sample with what it missed.
    public init(
        offset: Int64, line: Int, timestampMs: Int64, value: Double, labels: SeriesLabels, windowEndMs: Int64,
        latenessMs: Int64
    ) {
        self.offset = offset
        self.line = line
        self.timestampMs = timestampMs
        self.value = value
        self.labels = labels
        self.windowEndMs = windowEndMs
        self.latenessMs = latenessMs
    }
}

/// One partition's contribution to one window, by its local groups: mergeable state (DESIGN §1 "closed-window partials").
public final class WindowPartial {
    /// The window's number.
    public let window: Int64
    /// Local groups with at least one sample, in the order in which they first appeared.
    public let groups: [UInt32]
    /// State columns of the query, in the plan's order.
    public let columns: [any StateColumn]
    /// Whether `columns` are indexed by group; else by position in `groups`.
    public let indexedByGroup: Bool
    /// For each sample log of the plan: the pane logs of this window in time order, and how many samples count.
    public let logs: [[(log: SampleLog, count: Int)]]
    /// Groups that changed since the last trigger (update mode).
    public let changed: [UInt32]
    /// Keys of `groups` that the operator had not told before; whoever takes the partial takes them.
    var newKeys: PackedKeys

    /// A contribution as it stands.
    public init(
        window: Int64, groups: [UInt32], columns: [any StateColumn], indexedByGroup: Bool,
        logs: [[(log: SampleLog, count: Int)]], changed: [UInt32], newKeys: PackedKeys = PackedKeys()
    ) {
        self.newKeys = newKeys
        self.window = window
        self.groups = groups
        self.columns = columns
        self.indexedByGroup = indexedByGroup
        self.logs = logs
        self.changed = changed
    }
}

/// Windows of one query over one partition: a pure function of the partition's records (DESIGN §1). Used by one thread at
/// a time: by its task while it processes, by the coordinator at the barrier.
public protocol WindowOperator: AnyObject {
    var ledger: QueryLedger { get }
    /// Takes the samples of a batch in record order. One call a batch.
    func process(_ batch: SampleBatch)
    /// Decides new series: selected or not, and their group.
    func add(series: [UInt32])
    /// Forgets series whose indices are free again, and groups that no series and no window holds any more.
    func forget(series: [UInt32])
    /// Contributions frozen by the partition's own watermark, or by `freeze`, since the last call, in window order.
    func takeFrozen() -> [WindowPartial]
    /// Bytes of frozen windows that wait to be taken, and of those but the newest.
    var frozenBytes: (all: Int, older: Int) { get }
    /// Freezes every window up to `window` (it is being emitted without waiting for this partition).
    func freeze(through window: Int64)
    /// The newest frozen window; nil before there is one.
    var frozenThrough: Int64? { get }
    /// For update and complete mode: contributions of open windows that changed since the last call (all of them with
    /// `all`), as they stand now.
    func snapshotOpen(all: Bool) -> [WindowPartial]
    /// The newest window with data that is not frozen yet; nil when there is none.
    var newestOpenWindow: Int64? { get }
    /// The oldest window with data that is not frozen yet; nil when there is none.
    var oldestOpenWindow: Int64? { get }
    /// Late samples since the last call, kept only where the query has a `late` output.
    func takeLate() -> [LateSample]
    /// The key of a local group.
    func key(of group: UInt32) -> GroupKey
    /// One more than the largest local group index.
    var groupBound: Int { get }
    /// Bumped whenever local group indices were given back: maps by group index are then stale.
    var groupGeneration: Int { get }
    /// Labels and local group of a local series in a sample log; valid as long as `groupGeneration`.
    func logSeries(_ series: UInt32) -> (labels: SeriesLabels, group: UInt32)
    /// Bytes of state held.
    var stateBytes: Int { get }

    // MARK: Checkpoints

    /// Begins to note what changes, for `encodeState` without `whole`. Called before the first sample.
    func trackStateChanges()
    /// Rows of state held, and those changed since the last `encodeState`.
    var stateRows: Int { get }
    var unsavedRows: Int { get }
    /// Writes the state, without `whole` what changed since the last call; gives how many rows that were. What is frozen
    /// has been taken before.
    func encodeState(whole: Bool, to writer: inout ByteWriter) -> Int
    /// Applies what `encodeState` wrote: a whole block first, then changes in order. Hostile bytes are a failure.
    func decodeState(from reader: inout ByteReader) throws(DecodingFailure)
    /// The last block was applied. `add(series:)` with every series of the partition follows.
    func finishDecodingState()
}
