import Platform

/// How a job goes back to a time: which kept epoch each partition goes on from, and which newer files must not be met by a
/// later start. Makes nothing; `setAside` moves the files once the offsets are committed.
///
/// A partition goes on from the newest decided, whole epoch all of whose partitions are at or before the time: by their
/// watermarks, so that every window that ends after the time is computed again; by their offsets where there is no watermark
/// yet. Where queries are not partition-local, all partitions go on from one epoch. Without such an epoch a partition begins
/// with empty state, early enough for windows that end after the time to be whole.
public struct RewindPlan: Sendable {
    /// What the brokers say of a partition.
    public struct Facts: Sendable {
        /// What the group has committed; nil: nothing.
        public var committed: CommittedOffset?
        /// The first offset that is there.
        public var low: Int64
        /// The first offset whose record is of the time or later; where there is none, the next one to be written.
        public var atTime: Int64
        /// The same for the time less what windows need.
        public var atReadFrom: Int64

        /// What stands beside the committed offset, where this job committed it.
        var token: CommittedToken? { committed.flatMap { CommittedToken(metadata: $0.metadata) } }

        public init(committed: CommittedOffset?, low: Int64, atTime: Int64, atReadFrom: Int64) {
            self.committed = committed
            self.low = low
            self.atTime = atTime
            self.atReadFrom = atReadFrom
        }
    }

    /// Where a partition goes on.
    public struct Position: Sendable {
        public let partition: PartitionID
        /// What the group has committed now.
        public let old: CommittedOffset?
        /// What is to be committed.
        public let new: CommittedOffset
        /// The epoch whose state it goes on with; nil: empty state.
        public let epoch: EpochToken?
        /// When that epoch was written, wall clock, ms.
        public let writtenMs: Int64?
        public let watermarkMs: Int64?
        /// Whether there were records before the time that empty state does not know of.
        public let isIncomplete: Bool
        /// Whether nothing tells that the epoch took effect: its group's offsets are gone. Rows of it in Kafka may be missing.
        public internal(set) var isInDoubt = false

        /// Whether anything is to be committed.
        public var isChange: Bool { old?.offset != new.offset || old?.metadata != new.metadata }
    }

    /// In partition order.
    public private(set) var positions: [Position] = []
    /// Files that know of later records, relative to the checkpoint directory.
    public private(set) var newerFiles: [String] = []
    /// The oldest time that a kept epoch is at, ms: how far back state reaches. Nil where no epoch has a watermark.
    public private(set) var reachMs: Int64?

    private let directory: String
    private let files: any FileSystem

    /// A plan for a job's checkpoint. `isMixed`: some query mixes partitions. `token` stands beside offsets with empty state.
    /// Reads the state it goes back to, to be sure of it.
    public init(
        directory: String, toMs: Int64, facts: [PartitionID: Facts], isMixed: Bool, token: EpochToken,
        files: any FileSystem = PosixFileSystem()
    ) throws(CheckpointError) {
        self.directory = directory
        self.files = files
        let inventory = try CheckpointInventory(directory, files: files)
        let store = FileStateStore(
            directory: directory, incarnation: token.incarnation, options: Self.readingOnly, files: files,
            report: { _ in })
        defer { store.close() }
        let choice = RewindChoice(inventory, toMs, facts)
        reachMs = choice.reachMs
        var wholeness: [EpochToken: Bool] = [:]
        func isWhole(_ record: EpochRecord) throws(CheckpointError) -> Bool {
            if let known = wholeness[record.token] { return known }
            let found = try store.isWhole(record, Set(record.partitions.map(\.partition)))
            wholeness[record.token] = found
            return found
        }
        var chosen: [PartitionID: EpochRecord] = [:]
        if isMixed {
            for record in choice.all where try isWhole(record) {
                for partition in record.partitions { chosen[partition.partition] = record }
                break
            }
        } else {
            for id in facts.keys {
                for record in choice.of(id) where try isWhole(record) {
                    chosen[id] = record
                    break
                }
            }
        }
        let known = Set(inventory.partitions)
        for (id, fact) in facts.sorted(by: { $0.key < $1.key }) {
            // Neither offset nor state: `startingOffsets` decide, as for any new partition.
            guard fact.committed != nil || known.contains(id) else { continue }
            let newest = inventory.records(of: id, includesUndecided: true).last?.offset(of: id)
            var position = Self.position(id, fact, chosen[id], newest, token)
            position.isInDoubt = fact.token == nil && position.epoch.map { !choice.decided.contains($0) } ?? false
            positions.append(position)
        }
        newerFiles = newer(inventory, kept: Set(chosen.values.map(\.token)))
    }

    private static var readingOnly: FileStateOptions {
        var options = FileStateOptions()
        options.hasThread = false
        return options
    }

    private static func position(
        _ id: PartitionID, _ fact: Facts, _ record: EpochRecord?, _ newest: Int64?, _ token: EpochToken
    ) -> Position {
        guard let record, let own = record.partitions.first(where: { $0.partition == id }) else {
            let start = CommittedToken(epoch: token, state: nil)
            // Back, never on: nothing is left out that is still there.
            let limit = fact.token == nil ? newest : fact.committed?.offset
            let offset = max(fact.low, min(fact.atReadFrom, limit ?? .max))
            var new = CommittedOffset(offset: offset, metadata: start.metadata)
            if let old = fact.committed, old.offset == offset, let known = fact.token, known.state == nil { new = old }
            return Position(
                partition: id, old: fact.committed, new: new, epoch: nil, writtenMs: nil, watermarkMs: nil,
                isIncomplete: new.offset > 0)
        }
        let state = CommittedToken(epoch: record.token, state: own.state)
        return Position(
            partition: id, old: fact.committed,
            new: CommittedOffset(offset: own.nextOffset, metadata: state.metadata), epoch: record.token,
            writtenMs: record.writtenMs, watermarkMs: own.watermarkMs, isIncomplete: false)
    }

    /// Epochs that know of records after the new offsets, or state of a partition that is to begin empty, and snapshots at
    /// them.
    private func newer(_ inventory: CheckpointInventory, kept: Set<EpochToken>) -> [String] {
        let target = Dictionary(positions.map { ($0.partition, $0) }) { first, _ in first }
        var tokens: Set<EpochToken> = []
        var paths: [String] = []
        for epoch in inventory.epochs where !kept.contains(epoch.token) {
            let isNewer =
                epoch.record?.partitions.contains { partition in
                    guard let position = target[partition.partition] else { return false }
                    return position.epoch == nil || partition.nextOffset > position.new.offset
                } ?? false
            guard isNewer else { continue }
            tokens.insert(epoch.token)
            paths.append(epoch.path)
        }
        for snapshot in inventory.snapshots {
            guard let token = snapshot.header?.record.token, tokens.contains(token) else { continue }
            paths.append(snapshot.path)
        }
        let root = directory.hasSuffix("/") ? directory : directory + "/"
        return paths.compactMap { $0.hasPrefix(root) ? String($0.dropFirst(root.count)) : nil }
    }

    /// Moves the newer files to `set-aside/<time>` in the checkpoint directory, as they lay; gives that directory. Nil where
    /// there are none. Files already moved stay so when a later one cannot be: doing it again moves the rest.
    public func setAside(nowMs: Int64) throws(CheckpointError) -> String? {
        guard !newerFiles.isEmpty else { return nil }
        let time = EventTime.rfc3339(nowMs).prefix(19).filter { $0 != "-" && $0 != ":" }
        let target = FilePath.join(FilePath.join(directory, "set-aside"), "\(time)Z")
        do throws(IOFailure) {
            var parents: Set<String> = []
            for path in newerFiles {
                let place = FilePath.join(target, path)
                let parent = FilePath.directory(of: place)
                if parents.insert(parent).inserted { try files.createDirectories(parent) }
                let from = FilePath.join(directory, path)
                try files.rename(from, to: place)
                parents.insert(FilePath.directory(of: from))
            }
            for parent in parents.sorted() { try files.syncDirectory(parent) }
        } catch {
            throw CheckpointError(error)
        }
        return target
    }
}

extension EpochRecord {
    /// The next offset of a partition; nil where the epoch does not commit it.
    func offset(of id: PartitionID) -> Int64? {
        partitions.first { $0.partition == id }?.nextOffset
    }
}
