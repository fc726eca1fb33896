import Platform

/// What a running job knows of its checkpoint: which epochs hold the state of its partitions, and whether the last one was
/// decided. Owned by the coordinator.
public final class CheckpointSession {
    public let store: any StateStore
    public let commitPoint: any CommitPoint
    /// Whether offsets are committed after the output is visible (`delivery: atLeastOnce`).
    public let publishesFirst: Bool

    /// The newest decided section of each partition.
    var states: [PartitionID: EpochToken] = [:]
    /// The epoch in whose file each shared piece of state stands, and its bytes.
    var shared: [StateID: (epoch: EpochToken, bytes: [UInt8])] = [:]
    /// An epoch that was prepared and whose decision is not known.
    var undecided: EpochToken?
    /// The commit point must be made anew before anything is asked.
    var needsRenewal = false
    /// Why the last epochs were given up, and how many in a row were for that reason.
    var lastAbort: (reason: String, count: Int) = ("", 0)
    /// Partitions that the source is reading already: they are sought rather than started.
    var started: Set<PartitionID> = []
    /// Decisions of the clock that no epoch holds yet.
    var unwrittenDecisions: [Decision] = []
    /// The epochs that loaded partitions go on from.
    var predecessors: [PartitionID: Decision.Predecessor] = [:]
    /// How many decisions the decided epochs of this process hold.
    var decisionCount = 0
    /// Partitions being caught up with from an older state: output is suppressed until they are at these offsets.
    var catchingUp: [PartitionID: Int64] = [:]
    /// What was decided on the way there.
    var past = PastDecisions()

    /// Where partitions start whose state was set aside; nil: they go on from their state.
    public var freshStart: FreshStart?
    /// Has a snapshot made of a partition's chain, in the background, where one is due: the closure turns the chain's
    /// blocks into whole ones.
    public var compact: ((PartitionID, EpochToken, @escaping @Sendable ([StateBlock]) throws -> [StateBlock]) -> Void)?

    /// Compresses blocks on the threads that make them; nil: the store does.
    public var packing: Compression?

    /// Where a partition starts with empty state.
    public enum FreshStart: Sendable {
        /// At the group's committed offset; at `startingOffsets` where there is none.
        case committed
        /// At `startingOffsets`, whatever the group has committed.
        case startingOffsets
    }

    /// A session over a store and a commit point.
    public init(store: any StateStore, commitPoint: any CommitPoint, publishesFirst: Bool) {
        self.store = store
        self.commitPoint = commitPoint
        self.publishesFirst = publishesFirst
    }
}

/// An epoch that was not, or perhaps not, decided.
struct EpochFailure: Error, CustomStringConvertible {
    enum Kind {
        /// Nothing of it took effect.
        case aborted
        /// Nobody knows yet.
        case unknown
    }

    let kind: Kind
    let description: String
    /// Whether the same may go well later without anybody changing anything.
    let isRetriable: Bool
    /// Whether the commit point can go on as it is.
    let needsRenewal: Bool
}
