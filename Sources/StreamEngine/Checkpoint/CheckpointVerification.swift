import Platform

/// What `checkpoint verify` found: every checksum of every file, and every chain that a start would follow.
public struct CheckpointVerification: Sendable {
    /// A file, and what is wrong with it.
    public struct Finding: Sendable, CustomStringConvertible {
        public let path: String
        public let error: CheckpointError

        public var description: String { error.description }
    }

    /// A partition whose newest state cannot be put together.
    public struct BrokenChain: Sendable, CustomStringConvertible {
        public let partition: PartitionID
        public let state: EpochToken
        public let error: CheckpointError

        public var description: String {
            "state of \(partition) (source \(partition.source)) at epoch \(state): \(error.description)"
        }
    }

    /// Files of which every byte was read.
    public private(set) var filesChecked = 0
    /// Their bytes.
    public private(set) var bytesChecked: Int64 = 0
    /// Files that are not as they were written.
    public private(set) var damaged: [Finding] = []
    public private(set) var brokenChains: [BrokenChain] = []
    /// What the caller's own look at the state found.
    public private(set) var contradictions: [String] = []
    /// Files that were never finished, after a crash: harmless.
    public private(set) var leftovers: [String] = []
    /// Files that are not ours.
    public private(set) var strangers: [String] = []

    /// Whether nothing is wrong.
    public var isWhole: Bool { damaged.isEmpty && brokenChains.isEmpty && contradictions.isEmpty }

    /// Looks at a partition's newest state, oldest block first, and says what contradicts itself in it.
    public typealias Inspection = (PartitionID, [StateBlock]) -> [String]

    /// Reads a whole checkpoint directory. `inspect` sees each partition's newest state that is whole: what only who
    /// understands the state can find (a key in two partitions).
    public init(
        _ directory: String, files: any FileSystem = PosixFileSystem(), inspect: Inspection = { _, _ in [] }
    ) throws(CheckpointError) {
        let inventory = try CheckpointInventory(directory, files: files)
        leftovers = inventory.leftovers
        strangers = inventory.strangers
        try checkJob(directory, files)
        for epoch in inventory.epochs { try check(epoch.path, epoch.bytes, epoch.error, files) }
        for snapshot in inventory.snapshots { try check(snapshot.path, snapshot.bytes, snapshot.error, files) }
        for one in inventory.decisions { try check(one.path, one.bytes, one.error, files) }

        // Nothing is cleaned by a store that decides nothing.
        var options = FileStateOptions()
        options.hasThread = false
        let store = FileStateStore(
            directory: directory, incarnation: "verification", options: options, files: files, report: { _ in })
        for partition in inventory.partitions {
            guard let record = inventory.records(of: partition, includesUndecided: true).last,
                let state = record.partitions.first(where: { $0.partition == partition })?.state
            else { continue }
            do throws(CheckpointError) {
                contradictions += inspect(partition, try store.load(partition, at: state, isTakeover: false))
            } catch {
                brokenChains.append(BrokenChain(partition: partition, state: state, error: error))
            }
        }
        try checkShared(inventory, store)
    }

    private mutating func checkJob(_ directory: String, _ files: any FileSystem) throws(CheckpointError) {
        let path = CheckpointLayout(root: directory).job
        do throws(CheckpointError) {
            guard try CheckpointDirectory.open(directory, files: files) != nil else {
                throw CheckpointError(
                    .missing, "\(path) is not there: \(directory) is no checkpoint directory, or lost its job")
            }
            filesChecked += 1
            do throws(IOFailure) { bytesChecked += try files.status(path)?.size ?? 0 } catch {
                throw CheckpointError(error)
            }
        } catch {
            damaged.append(Finding(path: path, error: error))
        }
    }

    private mutating func check(
        _ path: String, _ bytes: Int64, _ error: CheckpointError?, _ files: any FileSystem
    ) throws(CheckpointError) {
        filesChecked += 1
        bytesChecked += bytes
        if let error {
            damaged.append(Finding(path: path, error: error))
            return
        }
        do throws(CheckpointError) {
            let reader = try StateFileReader(path, files: files)
            do throws(CheckpointError) {
                for entry in reader.header.sections.flatMap(\.blocks) + reader.header.shared {
                    _ = try reader.block(entry)
                }
            } catch {
                try? reader.close()
                throw error
            }
            try reader.close()
        } catch {
            // Cleaning may take a file away while we look.
            guard error.kind != .missing else { return }
            damaged.append(Finding(path: path, error: error))
        }
    }

    /// Of each process's last epoch: what its partitions share.
    private mutating func checkShared(
        _ inventory: CheckpointInventory, _ store: FileStateStore
    ) throws(CheckpointError) {
        for (index, epoch) in inventory.epochs.enumerated() {
            let isLast =
                index + 1 == inventory.epochs.count
                || inventory.epochs[index + 1].token.incarnation != epoch.token.incarnation
            guard isLast, let record = epoch.record, isNewest(record, inventory) else { continue }
            do throws(CheckpointError) {
                _ = try store.loadShared(record)
            } catch {
                // The look at every block has found it already where it is the epoch's own.
                guard !damaged.contains(where: { $0.error.description == error.description }) else { continue }
                damaged.append(Finding(path: epoch.path, error: error))
            }
        }
    }

    /// Whether a start would begin with it: some partition has no newer epoch.
    private func isNewest(_ record: EpochRecord, _ inventory: CheckpointInventory) -> Bool {
        record.partitions.contains {
            inventory.records(of: $0.partition, includesUndecided: true).last?.token == record.token
        }
    }
}
