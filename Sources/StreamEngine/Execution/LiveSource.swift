/// Why a live source could not do what was asked. `description` says what happened, where, and what to do.
public struct SourceError: Error, Sendable, CustomStringConvertible {
    /// What callers act on.
    public enum Kind: Sendable, Hashable {
        /// The job or the options are wrong; trying again does not help.
        case configuration
        /// No broker answers. The client keeps trying by itself.
        case unreachable
        /// An answer did not come in time; nothing is known about what was asked ("no offset" it is not).
        case timedOut
        case notAuthorised
        case unknownTopic
        /// The offset asked for is not in the log any more, or not yet (retention, truncation, a topic made anew):
        /// `onDataLoss` decides (SEMANTICS §6). `low` is the first offset that is there, `high` the next one to be
        /// written; both nil when the broker did not say.
        case dataLoss(wanted: Int64, low: Int64?, high: Int64?)
        /// Another member took this one's place (same static instance), or the group moved on without it.
        case fenced
        /// The client cannot go on and must be made anew.
        case fatal
        case other
    }

    public let kind: Kind
    public let description: String
    /// The partition concerned, where it is one.
    public let partition: PartitionID?

    /// An error in words.
    public init(_ kind: Kind, _ description: String, partition: PartitionID? = nil) {
        self.kind = kind
        self.description = description
        self.partition = partition
    }

    /// Whether the same call may succeed later without anybody changing anything.
    public var isRetriable: Bool {
        switch kind {
        case .unreachable, .timedOut: true
        case .configuration, .notAuthorised, .unknownTopic, .dataLoss, .fenced, .fatal, .other: false
        }
    }
}

/// What a live source has to say between records. Assignment events want an answer: see each case.
public enum SourceEvent: Sendable {
    /// These partitions are this member's now (added to those it has). Nothing is read of them before
    /// `start(_:)` says from which offset.
    case assigned([PartitionID])
    /// These partitions go to another member. Finish or give up the epoch, commit, then call `release(_:)`: the group
    /// waits for that (at most `max.poll.interval.ms`).
    case revoked([PartitionID])
    /// These partitions are gone already, another member may be reading them: nothing may be committed for them.
    /// Call `release(_:)`.
    case lost([PartitionID])
    /// For the log, once for each change: no broker answers any more, or this one does not.
    case brokerDown(String)
    /// For the log: what `brokerDown` said is over.
    case brokerUp(String)
    /// For the log: something a person should know that does not stop the source, such as a topic that is not there
    /// (yet).
    case warning(String)
    /// The source cannot go on by itself.
    case failed(SourceError)
}

/// An offset as the group keeps it.
public struct CommittedOffset: Sendable, Hashable {
    /// The next offset to read.
    public var offset: Int64
    /// Text stored beside it (SEMANTICS §5: `v1 <epoch token> <state token>`); empty where none was given.
    public var metadata: String

    /// An offset with its metadata.
    public init(offset: Int64, metadata: String = "") {
        self.offset = offset
        self.metadata = metadata
    }
}

/// A source of partitions that come, go and grow: what `run` drives (and `replay` of a topic: there the partitions end).
///
/// One thread, the coordinator's, makes all calls, none of them while a reader is in `read` on another thread;
/// different readers may be read on different threads at the same time. A turn is
/// `poll` → answer its events → read the readers → process → `commit`.
///
/// Memory is bounded without the engine's doing: what is not read stays in the client's prefetch queue of that
/// partition, and the broker is not asked for more.
public protocol LiveSource: AnyObject {
    /// For messages, such as `kafka localhost:9092 group node-cpu`.
    var description: String { get }
    /// Waits until there is an event or some reader may have records, at most until `deadlineNs` (monotonic clock);
    /// a deadline that has passed only looks. Never fails: what goes wrong is an event. Call it at least every few
    /// seconds, also when all readers are full: it keeps the membership alive.
    func poll(untilNs deadlineNs: Int64) -> [SourceEvent]
    /// What the group has committed for assigned partitions. A partition that is missing from the answer has no
    /// committed offset; anything uncertain (a time-out, an open transaction, an error on one partition) throws.
    func committed(
        _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: CommittedOffset]
    /// The first offsets of partitions without a committed one: the job's `startingOffsets`, resolved at the broker.
    func startingOffsets(_ partitions: [PartitionID], timeoutMs: Int) throws(SourceError) -> [PartitionID: Int64]
    /// The first offsets there are, whatever `startingOffsets` says: for partitions made while the job runs.
    func firstOffsets(_ partitions: [PartitionID], timeoutMs: Int) throws(SourceError) -> [PartitionID: Int64]
    /// Every partition of the sources' topics, whoever reads it, as the brokers tell now.
    func partitions(timeoutMs: Int) throws(SourceError) -> Set<PartitionID>
    /// How many members the group has; nil where there is no group.
    func memberCount(timeoutMs: Int) throws(SourceError) -> Int?
    /// Begins to read assigned partitions at these offsets, and hands out their readers in the order of
    /// `PartitionID`.
    func start(_ offsets: [PartitionID: Int64]) throws(SourceError) -> [any PartitionReader]
    /// Goes on reading a started partition at another offset (after an aborted epoch, or past lost data). Its reader
    /// stays the same.
    func seek(_ partition: PartitionID, to offset: Int64) throws(SourceError)
    /// Gives partitions back: the answer to `revoked` and `lost`. Their readers are closed by it.
    func release(_ partitions: [PartitionID]) throws(SourceError)
    /// Commits offsets for the group. With `wait` it returns when the broker has answered; without, a failure comes as
    /// a later event.
    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) throws(SourceError)
    /// First offset and next offset to be written, as last heard from the broker; nil before it was. Asks nobody.
    func bounds(of partition: PartitionID) -> (low: Int64, high: Int64)?
    /// Leaves the group and frees everything, readers included. The source is not used afterwards.
    func close()
}
