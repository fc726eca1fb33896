import Platform

/// How state files are kept.
public struct FileStateOptions: Sendable {
    /// How blocks are compressed that come unpacked.
    public var compression = Compression.zstd
    /// How many decided epochs can be gone back to; at least 1.
    public var retainEpochs = 100
    /// A partition is written whole when its changes have grown to so many times its last snapshot.
    public var snapshotRatio = 2.0
    /// After how long an undecided file of another process may go: twice the session plus the transaction time-out.
    public var abandonedAfterMs: Int64 = 2 * (45_000 + 10_000)
    /// Cleaning is done at most once in this time.
    public var cleaningIntervalMs: Int64 = 5000
    /// Whether snapshots and cleaning have a thread of their own; otherwise the calls that ask for them do the work.
    public var hasThread = true

    /// The defaults of JOBS.md.
    public init() {}

    /// As a job says.
    public init(_ definition: CheckpointDefinition) {
        switch definition.compression {
        case .zstd: compression = .zstd
        case .lz4: compression = .lz4
        case .none: compression = .none
        }
        retainEpochs = definition.retainEpochs
        snapshotRatio = definition.snapshotRatio
    }
}

/// State in files: one an epoch, `epochs/<incarnation>/<n>`, and one for each snapshot that was made of a partition's chain in
/// the background, `state/<incarnation>/<n>-…` (docs/checkpoint-format.md).
///
/// May be used by several threads: partitions can be loaded in parallel, and snapshots and cleaning have a thread of their
/// own. Epochs are written one after the other: each is decided or discarded before the next is written.
public final class FileStateStore: StateStore, Sendable {
    let layout: CheckpointLayout
    let incarnation: String
    let files: any FileSystem
    let options: FileStateOptions
    let clock: any Clock
    let report: @Sendable (CheckpointNotice) -> Void
    let known: Monitor<KnownChains>
    let background: WorkQueue?

    /// A store in a checkpoint directory, for the epochs of one incarnation of a process. Touches nothing yet. `report` is
    /// told what went wrong without stopping anything; it may be called on any thread.
    public init(
        directory: String, incarnation: String, options: FileStateOptions = FileStateOptions(),
        files: any FileSystem = PosixFileSystem(), clock: any Clock = SystemClock(),
        report: @escaping @Sendable (CheckpointNotice) -> Void
    ) {
        // Made by `EpochToken.randomIncarnation`, or a word of the code; names found on the disk are checked where they are read.
        precondition(CheckpointLayout.isIncarnation(incarnation), "`\(incarnation)` is no incarnation")
        layout = CheckpointLayout(root: directory)
        self.incarnation = incarnation
        self.files = files
        self.options = options
        self.clock = clock
        self.report = report
        known = Monitor(KnownChains())
        background = options.hasThread ? WorkQueue(name: "snapshots") : nil
    }

    /// Waits for the background work at hand, gives up what is queued behind it, and ends its thread.
    public func close() { background?.stop() }

    // MARK: Epochs

    /// Makes an epoch durable: one file, one fsync of it and one of its directory. Blocks that are packed already
    /// (`StateBlock.packed`, on as many threads as there are) are written as they are.
    ///
    /// After an error nothing of the epoch counts; the same epoch may be written again.
    public func write(
        _ record: EpochRecord, sections: [PartitionSection], shared: [StateBlock]
    ) throws(CheckpointError) {
        let token = record.token
        // Store and execution are made with one incarnation (`LiveRun`, `ReplayCheckpoint`).
        precondition(token.incarnation == incarnation, "an epoch of another incarnation")
        var header = StateFileHeader(record: record, sections: [], shared: [])
        var blocks: [StateBlock] = []
        for section in sections {
            var entry = SectionEntry(partition: section.partition, parent: section.parent, blocks: [])
            for block in section.blocks { entry.blocks.append(try pack(block, into: &blocks)) }
            header.sections.append(entry)
        }
        for block in shared {
            // `JobExecution` writes all of what partitions share, each time.
            precondition(block.isWhole, "shared state is always written whole")
            header.shared.append(try pack(block, into: &blocks))
        }
        let directory = layout.epochs(of: incarnation)
        do throws(IOFailure) {
            do throws(IOFailure) {
                try writeFile(header, blocks, directory)
            } catch {
                // Another member may have taken the directory away while it was empty.
                guard error.isNotFound else { throw error }
                known.withLock { known in
                    known.hasDirectory = false
                    known.hasUnsyncedRemoval = false
                }
                try writeFile(header, blocks, directory)
            }
            known.withLock { $0.wrote(header) }
            try files.syncDirectory(directory)
        } catch {
            throw CheckpointError(error)
        }
    }

    private func writeFile(
        _ header: StateFileHeader, _ blocks: [StateBlock], _ directory: String
    ) throws(IOFailure) {
        try makeDirectory(directory)
        try finishDiscards(in: directory)
        try StateFileWriter(files: files).write(
            header, blocks, kind: .epoch, directory: directory, name: "\(header.record.token.number)")
    }

    private func makeDirectory(_ directory: String) throws(IOFailure) {
        guard known.withLock({ !$0.hasDirectory }) else { return }
        try files.createDirectories(directory)
        try files.syncDirectory(layout.epochs)
        try files.syncDirectory(layout.root)
        known.withLock { $0.hasDirectory = true }
    }

    private func pack(_ block: StateBlock, into blocks: inout [StateBlock]) throws(CheckpointError) -> BlockEntry {
        let packed = try block.packed(options.compression)
        // `packed` has set it, or has thrown.
        guard let packing = packed.packing else { preconditionFailure("a packed block says how") }
        blocks.append(packed)
        return BlockEntry(packed, packing)
    }

    public func record(_ token: EpochToken) throws(CheckpointError) -> EpochRecord { try header(token).record }

    /// The epoch was given up: its file goes. Where it cannot be taken away now, no further epoch is written before it is:
    /// a file behind which another one follows is known to have been decided.
    public func discarded(_ token: EpochToken) {
        guard token.incarnation == incarnation else { return }
        let wasWritten = known.withLock { $0.discarded(token) }
        guard wasWritten else { return }
        do throws(IOFailure) { try files.remove(layout.epoch(token)) } catch {
            report(.discardFailed(token, error))
            return
        }
        known.withLock { known in
            known.undone.removeAll { $0 == token }
            known.hasUnsyncedRemoval = true
        }
    }

    /// Takes away discarded files that could not be taken away before, and makes sure that they stay away.
    private func finishDiscards(in directory: String) throws(IOFailure) {
        for token in known.withLock({ $0.undone }) {
            try files.remove(layout.epoch(token))
            known.withLock { known in
                known.undone.removeAll { $0 == token }
                known.hasUnsyncedRemoval = true
            }
        }
        if known.withLock({ $0.hasUnsyncedRemoval }) {
            try files.syncDirectory(directory)
            known.withLock { $0.hasUnsyncedRemoval = false }
        }
    }

    // MARK: Chains

    public func chainBytes(_ partition: PartitionID, at state: EpochToken) -> (snapshot: Int64, changes: Int64)? {
        known.withLock { $0.chainBytes(partition, at: state) }
    }

    /// Whether a partition's changes have grown so much that a new snapshot pays.
    public func needsSnapshot(_ partition: PartitionID, at state: EpochToken) -> Bool {
        guard let bytes = chainBytes(partition, at: state) else { return false }
        return Double(bytes.changes) > options.snapshotRatio * Double(bytes.snapshot)
    }

    /// A file's header, checked to be that of the epoch asked for.
    func header(_ token: EpochToken) throws(CheckpointError) -> StateFileHeader {
        if let header = known.withLock({ $0.headers[token] }) { return header }
        let reader = try openEpoch(token)
        try reader.close()
        return reader.header
    }

    /// Opens an epoch's file and checks that it is that epoch's.
    func openEpoch(_ token: EpochToken) throws(CheckpointError) -> StateFileReader {
        guard CheckpointLayout.isIncarnation(token.incarnation) else {
            throw CheckpointError(.mismatch, "`\(token.incarnation)` is no incarnation of this program")
        }
        let reader = try StateFileReader(layout.epoch(token), files: files)
        guard reader.kind == .epoch, reader.header.record.token == token else {
            try reader.close()
            throw CheckpointError(
                .damaged,
                "checkpoint file \(reader.path) holds \(reader.kind) \(reader.header.record.token), not epoch \(token)")
        }
        known.withLock { $0.keep(reader.header) }
        return reader
    }
}
