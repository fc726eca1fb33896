import Platform

/// What a checkpoint holds, for people: what `checkpoint show` prints. Reads headers, not state.
public struct CheckpointSummary: Sendable {
    /// One piece of state in a partition's chain.
    public struct Piece: Sendable {
        public let id: StateID
        /// Rows of its last whole block.
        public var rows = 0
        /// Rows of the changes since, of which some stand for the same row.
        public var changedRows = 0
        /// Bytes of the blocks that a start reads, in the files.
        public var bytes: Int64 = 0
        /// The same before compression.
        public var rawBytes: Int64 = 0
    }

    /// A partition at its newest epoch.
    public struct Partition: Sendable {
        public let record: PartitionRecord
        public let epoch: EpochToken
        /// Wall clock, ms.
        public let writtenMs: Int64
        /// Whether it is known that the epoch took effect.
        public let isDecided: Bool
        /// How many files its state is read from.
        public var chainLength = 0
        public var pieces: [Piece] = []
        /// Why its state cannot be read.
        public var error: CheckpointError?
    }

    /// The epochs that one process left.
    public struct Incarnation: Sendable {
        public let name: String
        public var slot = ""
        public var first: Int
        public var last: Int
        public var count = 0
        public var bytes: Int64 = 0
        public var writtenMs: Int64?
        public var isFromReplay = false
    }

    public let id: String
    public let directory: String
    public private(set) var incarnations: [Incarnation] = []
    public private(set) var partitions: [Partition] = []
    /// Shared pieces of the newest epoch that has any.
    public private(set) var shared: [Piece] = []
    /// Bytes of all files.
    public private(set) var bytes: Int64 = 0
    public private(set) var snapshotCount = 0
    /// Files that cannot be used.
    public private(set) var errors: [CheckpointError] = []

    /// Looks at a checkpoint directory.
    public init(_ directory: String, files: any FileSystem = PosixFileSystem()) throws(CheckpointError) {
        guard let checkpoint = try CheckpointDirectory.open(directory, files: files) else {
            throw CheckpointError(
                .missing,
                "\(directory) is no checkpoint directory: it has no job.json; see the job's checkpoint.location")
        }
        id = checkpoint.id
        self.directory = directory
        let inventory = try CheckpointInventory(directory, files: files)
        errors = inventory.epochs.compactMap(\.error) + inventory.snapshots.compactMap(\.error)
        bytes = inventory.epochs.reduce(0) { $0 + $1.bytes } + inventory.snapshots.reduce(0) { $0 + $1.bytes }
        snapshotCount = inventory.snapshots.count
        for epoch in inventory.epochs { add(epoch) }
        let headers = Dictionary(
            inventory.epochs.compactMap { epoch in epoch.header.map { (epoch.token, $0) } }
        ) { first, _ in first }
        var snapshots: [SnapshotName: StateFileHeader] = [:]
        for header in inventory.snapshots.compactMap(\.header) {
            guard let partition = header.sections.first?.partition else { continue }
            snapshots[SnapshotName(partition: partition, token: header.record.token)] = header
        }
        for partition in inventory.partitions {
            guard let record = inventory.records(of: partition, includesUndecided: true).last,
                let own = record.partitions.first(where: { $0.partition == partition })
            else { continue }
            var found = Partition(
                record: own, epoch: record.token, writtenMs: record.writtenMs,
                isDecided: inventory.epochs.contains { $0.token == record.token && $0.isDecided })
            Self.follow(&found, headers, snapshots)
            partitions.append(found)
        }
        let newest = inventory.epochs.compactMap(\.record).filter { !$0.shared.isEmpty }.max {
            $0.writtenMs < $1.writtenMs
        }
        for (id, token) in (newest?.shared ?? [:]).sorted(by: { "\($0.key)" < "\($1.key)" }) {
            guard let entry = headers[token]?.shared.first(where: { $0.id == id }) else { continue }
            var piece = Piece(id: id)
            piece.add(entry)
            shared.append(piece)
        }
    }

    private mutating func add(_ epoch: CheckpointInventory.Epoch) {
        if incarnations.last?.name != epoch.token.incarnation {
            incarnations.append(
                Incarnation(name: epoch.token.incarnation, first: epoch.token.number, last: epoch.token.number))
        }
        let index = incarnations.count - 1
        incarnations[index].last = epoch.token.number
        incarnations[index].count += 1
        incarnations[index].bytes += epoch.bytes
        guard let record = epoch.record else { return }
        incarnations[index].slot = record.slot
        incarnations[index].writtenMs = record.writtenMs
        incarnations[index].isFromReplay = incarnations[index].isFromReplay || record.isFromReplay
    }

    /// Walks a partition's chain from its newest section to its root, in headers.
    private static func follow(
        _ partition: inout Partition, _ headers: [EpochToken: StateFileHeader],
        _ snapshots: [SnapshotName: StateFileHeader]
    ) {
        let id = partition.record.partition
        var pieces: [StateID: Piece] = [:]
        var finished: Set<StateID> = []
        var visited: Set<EpochToken> = []
        var next: EpochToken? = partition.record.state
        while let token = next, visited.insert(token).inserted {
            let snapshot = snapshots[SnapshotName(partition: id, token: token)]
            guard let section = (snapshot ?? headers[token])?.section(id) else {
                partition.error = CheckpointError(
                    .missing, "state of \(id) at epoch \(token), which its chain goes through, cannot be read")
                break
            }
            partition.chainLength += 1
            for block in section.blocks where !finished.contains(block.id) {
                pieces[block.id, default: Piece(id: block.id)].add(block)
                if block.isWhole { finished.insert(block.id) }
            }
            next = snapshot == nil ? section.parent : nil
        }
        partition.pieces = pieces.values.sorted { "\($0.id)" < "\($1.id)" }
    }
}

extension CheckpointSummary.Piece {
    fileprivate mutating func add(_ block: BlockEntry) {
        if block.isWhole { rows = block.rows } else { changedRows += block.rows }
        bytes += Int64(block.count)
        rawBytes += Int64(block.rawCount)
    }
}
