import Platform

/// Every file of a checkpoint directory, as its names and headers tell: what `checkpoint show` and `verify` look at, and what
/// is looked through for an older state to fall back on.
public struct CheckpointInventory: Sendable {
    /// An epoch's file.
    public struct Epoch: Sendable {
        /// As the file's name says.
        public let token: EpochToken
        public let path: String
        /// Bytes of the file.
        public let bytes: Int64
        /// nil where the file cannot be used.
        let header: StateFileHeader?
        /// Why it cannot be used.
        public let error: CheckpointError?
        /// Whether it is known that the epoch was decided: another one of its process follows, or another file builds on it.
        /// Of a process's last epoch the files alone do not tell.
        public internal(set) var isDecided = false

        /// What it says; nil where the file cannot be used.
        public var record: EpochRecord? { header?.record }
    }

    /// A partition's snapshot at an epoch.
    public struct Snapshot: Sendable {
        public let path: String
        public let bytes: Int64
        let header: StateFileHeader?
        public let error: CheckpointError?
    }

    /// Decisions of epochs that were cleaned away.
    public struct Decisions: Sendable {
        public let path: String
        public let bytes: Int64
        /// The process whose epochs they are of.
        let incarnation: String
        /// These epochs, as the file's name says.
        let epochs: ClosedRange<Int>
        let header: StateFileHeader?
        public let error: CheckpointError?
    }

    /// Whether there is a `job.json`, whole or not.
    public private(set) var hasJob = false
    /// By incarnation, then number.
    public private(set) var epochs: [Epoch] = []
    public private(set) var snapshots: [Snapshot] = []
    public private(set) var decisions: [Decisions] = []
    /// Files that were never finished: a process died while it wrote them. They mean nothing.
    public private(set) var leftovers: [String] = []
    /// What no version of this program puts there.
    public private(set) var strangers: [String] = []

    private let layout: CheckpointLayout
    private let files: any FileSystem

    /// Looks through a checkpoint directory. O(files); reads headers, not state.
    public init(_ directory: String, files: any FileSystem = PosixFileSystem()) throws(CheckpointError) {
        layout = CheckpointLayout(root: directory)
        self.files = files
        do throws(IOFailure) {
            hasJob = try files.exists(layout.job)
            for name in try names(in: directory) where CheckpointLayout.isTemporary(name) {
                leftovers.append(FilePath.join(directory, name))
            }
            try readEpochs()
            try readSnapshots()
            try readDecisions()
        } catch {
            throw CheckpointError(error)
        }
        markDecided()
    }

    private func names(in directory: String) throws(IOFailure) -> [String] {
        do throws(IOFailure) { return try files.list(directory) } catch {
            guard error.isNotFound else { throw error }
            return []
        }
    }

    private mutating func readEpochs() throws(IOFailure) {
        for incarnation in try names(in: layout.epochs) {
            let directory = layout.epochs(of: incarnation)
            guard try isDirectory(directory, incarnation) else { continue }
            var numbers: [Int] = []
            for name in try names(in: directory) {
                if let number = CheckpointLayout.number(of: name) {
                    numbers.append(number)
                } else {
                    sort(directory, name)
                }
            }
            for number in numbers.sorted() {
                let token = EpochToken(incarnation: incarnation, number: number)
                let path = layout.epoch(token)
                // Cleaning may have taken it away meanwhile.
                guard let bytes = try files.status(path)?.size else { continue }
                let (header, error) = readHeader(path) { reader in
                    reader.kind == .epoch && reader.header.record.token == token
                }
                guard header != nil || error?.kind != .missing else { continue }
                epochs.append(Epoch(token: token, path: path, bytes: bytes, header: header, error: error))
            }
        }
    }

    private mutating func readSnapshots() throws(IOFailure) {
        for incarnation in try names(in: layout.states) {
            let directory = layout.states(of: incarnation)
            guard try isDirectory(directory, incarnation) else { continue }
            for name in try names(in: directory) {
                guard let number = CheckpointLayout.number(ofSnapshot: name) else {
                    sort(directory, name)
                    continue
                }
                let path = FilePath.join(directory, name)
                guard let bytes = try files.status(path)?.size else { continue }
                let (header, error) = readHeader(path) { reader in
                    guard reader.kind == .snapshot, reader.header.sections.count == 1,
                        let partition = reader.header.sections.first?.partition
                    else { return false }
                    return reader.header.record.token == EpochToken(incarnation: incarnation, number: number)
                        && CheckpointLayout.snapshotName(partition, at: number) == name
                }
                guard header != nil || error?.kind != .missing else { continue }
                snapshots.append(Snapshot(path: path, bytes: bytes, header: header, error: error))
            }
        }
    }

    private mutating func readDecisions() throws(IOFailure) {
        for incarnation in try names(in: layout.decisions) {
            let directory = layout.decisions(of: incarnation)
            guard try isDirectory(directory, incarnation) else { continue }
            for name in try names(in: directory) {
                guard let range = CheckpointLayout.epochs(ofDecisions: name) else {
                    sort(directory, name)
                    continue
                }
                let path = FilePath.join(directory, name)
                guard let bytes = try files.status(path)?.size else { continue }
                let (header, error) = readHeader(path) { reader in
                    reader.kind == .decisions
                        && reader.header.record.token == EpochToken(incarnation: incarnation, number: range.upperBound)
                }
                guard header != nil || error?.kind != .missing else { continue }
                decisions.append(
                    Decisions(
                        path: path, bytes: bytes, incarnation: incarnation, epochs: range, header: header, error: error)
                )
            }
        }
    }

    /// Whether it is the directory of an incarnation.
    private mutating func isDirectory(_ path: String, _ name: String) throws(IOFailure) -> Bool {
        if CheckpointLayout.isIncarnation(name), try files.status(path)?.kind == .directory { return true }
        strangers.append(path)
        return false
    }

    private mutating func sort(_ directory: String, _ name: String) {
        let path = FilePath.join(directory, name)
        if CheckpointLayout.isTemporary(name) { leftovers.append(path) } else { strangers.append(path) }
    }

    private func readHeader(
        _ path: String, _ fits: (StateFileReader) -> Bool
    ) -> (StateFileHeader?, CheckpointError?) {
        do throws(CheckpointError) {
            let reader = try StateFileReader(path, files: files)
            try reader.close()
            guard fits(reader) else {
                throw CheckpointError(
                    .damaged,
                    "checkpoint file \(path) holds \(reader.kind) \(reader.header.record.token), which its name does not say"
                )
            }
            return (reader.header, nil)
        } catch {
            return (nil, error)
        }
    }

    private mutating func markDecided() {
        // What is given up is taken away before the next epoch is written, so only the last file of a process is in doubt;
        // and nobody builds on an epoch that did not take effect.
        var named: Set<EpochToken> = []
        for epoch in epochs {
            guard let header = epoch.header else { continue }
            let tokens =
                header.record.partitions.map(\.state) + header.record.shared.values
                + header.sections.compactMap(\.parent)
            named.formUnion(tokens.filter { $0.incarnation != epoch.token.incarnation })
        }
        for index in epochs.indices {
            let isFollowed =
                index + 1 < epochs.count && epochs[index + 1].token.incarnation == epochs[index].token.incarnation
            epochs[index].isDecided = isFollowed || named.contains(epochs[index].token)
        }
    }

    // MARK: Questions

    /// Decisions of epochs that are gone, a process's in each file that can be read.
    var keptDecisions: [(incarnation: String, decisions: [Decision])] {
        decisions.compactMap { one in one.header.map { (one.incarnation, $0.record.decisions) } }
    }

    /// Records that can be read and commit a partition, by its offset: the newest last. Of epochs in doubt only with
    /// `includesUndecided`.
    public func records(of partition: PartitionID, includesUndecided: Bool = false) -> [EpochRecord] {
        let found = epochs.compactMap { epoch -> (record: EpochRecord, offset: Int64)? in
            guard epoch.isDecided || includesUndecided, let record = epoch.record,
                let own = record.partitions.first(where: { $0.partition == partition })
            else { return nil }
            return (record, own.nextOffset)
        }
        return found.sorted {
            ($0.offset, $0.record.writtenMs, $0.record.token.number)
                < ($1.offset, $1.record.writtenMs, $1.record.token.number)
        }.map(\.record)
    }

    /// The newest epoch that a replay left; nil where none did. A run may go on from it though the group has no offsets.
    public var fromReplay: EpochRecord? {
        epochs.compactMap(\.record).filter(\.isFromReplay).max { $0.writtenMs < $1.writtenMs }
    }

    /// Every partition that some readable epoch commits, in their order.
    public var partitions: [PartitionID] {
        var all: Set<PartitionID> = []
        for epoch in epochs { for record in epoch.record?.partitions ?? [] { all.insert(record.partition) } }
        return all.sorted { ($0.source, $0) < ($1.source, $1) }
    }
}
