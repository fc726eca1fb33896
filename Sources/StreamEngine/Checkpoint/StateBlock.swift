/// Names one piece of state in a checkpoint.
public enum StateID: Hashable, Sendable {
    /// A partition's series, ledger and position.
    case task(PartitionID)
    /// A query's windows over one partition: always in the section of that partition.
    case windows(query: String, PartitionID)
    /// What detectors of a partition-local query keep for one partition.
    case detectors(query: String, PartitionID)
    /// What belongs to a whole query: what was emitted, its detectors.
    case query(String)
    /// What belongs to a whole source: its watermark, which partitions are idle.
    case source(String)

    /// The partition whose section holds it; nil for what is shared by all partitions of a job.
    public var partition: PartitionID? {
        switch self {
        case .task(let id), .windows(_, let id), .detectors(_, let id): id
        case .query, .source: nil
        }
    }
}

/// One piece of state as it is written: whole, or the changes since the block before it in its chain.
public struct StateBlock: Sendable, Equatable {
    public var id: StateID
    /// Whether it stands by itself. Otherwise it is applied on top of the blocks before it.
    public var isWhole: Bool
    /// What the state is encoded as; packed where `packing` says so.
    public var bytes: [UInt8]
    /// Rows of state it holds (groups, series, samples), for people.
    public var rows: Int
    /// How `bytes` are packed; nil as they were encoded. A store hands blocks out unpacked.
    public internal(set) var packing: BlockPacking?

    /// A piece of state.
    public init(id: StateID, isWhole: Bool, bytes: [UInt8], rows: Int) {
        self.id = id
        self.isWhole = isWhole
        self.bytes = bytes
        self.rows = rows
    }
}

/// What one epoch adds to a partition's chain of state.
public struct PartitionSection: Sendable {
    public var partition: PartitionID
    /// The epoch whose section this one builds on; nil where every block is whole (a snapshot).
    public var parent: EpochToken?
    /// Of this partition only.
    public var blocks: [StateBlock]

    /// A section of one partition.
    public init(partition: PartitionID, parent: EpochToken?, blocks: [StateBlock]) {
        self.partition = partition
        self.parent = parent
        self.blocks = blocks
    }
}

/// What an epoch knows about one of the partitions it commits.
public struct PartitionRecord: Sendable, Equatable {
    public var partition: PartitionID
    /// The next offset to read.
    public var nextOffset: Int64
    /// The epoch that wrote the partition's newest section: the state token of SEMANTICS §5.
    public var state: EpochToken
    /// nil before the first sample.
    public var watermarkMs: Int64?
    public var ledger: PartitionLedger

    /// Facts about a partition at the end of an epoch.
    public init(
        partition: PartitionID, nextOffset: Int64, state: EpochToken, watermarkMs: Int64?, ledger: PartitionLedger
    ) {
        self.partition = partition
        self.nextOffset = nextOffset
        self.state = state
        self.watermarkMs = watermarkMs
        self.ledger = ledger
    }
}

/// Everything one epoch makes durable beside its output: one file (DESIGN §3).
public struct EpochRecord: Sendable {
    public var token: EpochToken
    /// Wall clock at which it was written, ms since the Unix epoch, UTC.
    public var writtenMs: Int64
    /// The slot of the member that wrote it.
    public var slot: String
    /// Whether a replay left it: a run may start from it although the group has no offsets.
    public var isFromReplay: Bool
    /// Every partition the epoch commits, also those that did not move.
    public var partitions: [PartitionRecord]
    /// For each shared piece of state the epoch in whose file it stands whole.
    public var shared: [StateID: EpochToken]
    /// What the wall clock decided in this epoch.
    public var decisions: [Decision]
    /// How many decisions the epochs of this process hold that were decided before it.
    public var earlierDecisions = 0

    /// What is known of an epoch.
    public init(
        token: EpochToken, writtenMs: Int64, slot: String, isFromReplay: Bool, partitions: [PartitionRecord],
        shared: [StateID: EpochToken], decisions: [Decision]
    ) {
        self.token = token
        self.writtenMs = writtenMs
        self.slot = slot
        self.isFromReplay = isFromReplay
        self.partitions = partitions
        self.shared = shared
        self.decisions = decisions
    }
}

/// Why a checkpoint could not be written or read. `description` says what happened, to which file, and what to do.
public struct CheckpointError: Error, Sendable, CustomStringConvertible {
    /// What callers act on.
    public enum Kind: Sendable, Hashable {
        /// A file that a chain needs is not there.
        case missing
        /// A file's bytes are not those that were written.
        case damaged
        /// The file is of a format this version does not read.
        case version
        /// The disk or the file system refused.
        case io
        /// What is there does not belong to this job, or contradicts what the group says.
        case mismatch
    }

    public let kind: Kind
    public let description: String

    /// An error in words.
    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

/// Where the state of a job is kept between processes. The files of `FileStateStore` are one way; a store for state larger
/// than memory may be another.
///
/// The coordinator calls `write` once an epoch; `load…` when partitions are taken over. A store never hands out bytes that
/// fail their checksum.
public protocol StateStore: AnyObject {
    /// Makes an epoch durable: its record, the sections of partitions that changed and the shared blocks that changed
    /// (always whole). Nothing counts before the group's committed offsets name the token.
    func write(_ record: EpochRecord, sections: [PartitionSection], shared: [StateBlock]) throws(CheckpointError)
    /// An epoch's record.
    func record(_ token: EpochToken) throws(CheckpointError) -> EpochRecord
    /// A partition's blocks at the state token, oldest first (several partitions may be loaded by several threads at once),
    /// each piece of state beginning with a whole block.
    func load(_ partition: PartitionID, at state: EpochToken) throws(CheckpointError) -> [StateBlock]
    /// The shared blocks that an epoch's record names.
    func loadShared(_ record: EpochRecord) throws(CheckpointError) -> [StateBlock]
    /// The newest record there is that names one of these partitions; nil where there is none. O(epochs).
    func newestRecord(naming partitions: Set<PartitionID>) throws(CheckpointError) -> EpochRecord?
    /// The newest decided record older than these epochs that names one of these partitions, and whose state of them and of
    /// what all share is whole; nil where there is none. O(epochs).
    func newestWholeRecord(before epochs: [PartitionID: EpochToken]) throws(CheckpointError) -> EpochRecord?
    /// What the wall clock decided of each partition after an older epoch (of those that name none: from its first record on),
    /// up to these: as much of it as can be read. O(epochs).
    func decisions(
        after older: [PartitionID: EpochToken], upTo epochs: [PartitionID: EpochToken]
    ) throws(CheckpointError) -> RecordedRun
    /// The epoch was decided: what is older than the epochs to keep may go.
    func decided(_ record: EpochRecord) throws(CheckpointError)
    /// The epoch was given up: what it wrote may go.
    func discarded(_ token: EpochToken)
    /// Bytes of a partition's chain at its newest section, and of the snapshot it begins with: tells when a new snapshot
    /// pays.
    func chainBytes(_ partition: PartitionID, at state: EpochToken) -> (snapshot: Int64, changes: Int64)?
}
