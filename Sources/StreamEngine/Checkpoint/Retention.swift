/// A snapshot of a partition at an epoch.
struct SnapshotName: Hashable, Sendable {
    var partition: PartitionID
    var token: EpochToken
}

/// Which of its own epochs a store has to keep (DESIGN §3, "Deletion").
struct Retention {
    /// Decided epochs of this process that can be gone back to, oldest first.
    private(set) var decided: [EpochRecord] = []
    /// Epochs of this process that were written and neither decided nor discarded yet.
    private(set) var undecided: [EpochRecord] = []
    /// Epochs of this process whose files are there.
    var ownFiles: Set<Int> = []
    /// What the clock decided in them, where it decided anything.
    private(set) var ownDecisions: [Int: [Decision]] = [:]
    /// Files of decisions this process wrote, by their epochs.
    var decisionFiles: [DecisionFile] = []
    /// Epochs that are known to have been decided, as this process went on from them.
    private(set) var predecessors: Set<EpochToken> = []
    /// Snapshots this process made.
    var snapshots: Set<SnapshotName> = []
    /// How many epochs were decided in all.
    private(set) var decidedCount = 0
    /// For loaded partitions: how many epochs had been decided then.
    private(set) var loadedAt: [PartitionID: Int] = [:]
    /// Partitions loaded since the last decided epoch: no retained epoch goes through their new chains yet.
    private var fresh: Set<PartitionID> = []
    /// Chains of partitions that went to another member, which reads them from here until it has written its own.
    var pinned: [PartitionID: Pin] = [:]
    /// The last cleaning, by the monotonic clock; nil before the first.
    var cleanedNs: Int64?
    var foreignCleanedNs: Int64?
    var isCleaning = false
    /// What was said of files of decisions that cannot be read.
    var toldUnreadable: Set<String> = []

    /// A file of decisions.
    struct DecisionFile {
        var epochs: ClosedRange<Int>
        var count: Int
    }

    /// A chain that another member builds on.
    struct Pin {
        var tokens: Set<EpochToken>
        /// When the partition went, wall clock.
        var sinceMs: Int64
    }

    mutating func wrote(_ header: StateFileHeader) {
        undecided.removeAll { $0.token == header.record.token }
        undecided.append(header.record)
        ownFiles.insert(header.record.token.number)
        let decisions = header.record.decisions
        ownDecisions[header.record.token.number] = decisions.isEmpty ? nil : decisions
        predecessors.formUnion(decisions.compactMap(\.predecessor))
    }

    /// An own epoch's file was taken away.
    mutating func removed(_ number: Int) {
        ownFiles.remove(number)
        ownDecisions[number] = nil
    }

    /// Returns whether the epoch had been written.
    mutating func discarded(_ token: EpochToken) -> Bool {
        undecided.removeAll { $0.token == token }
        ownDecisions[token.number] = nil
        return ownFiles.remove(token.number) != nil
    }

    mutating func loaded(_ partition: PartitionID) {
        loadedAt[partition] = decidedCount
        // A chain stays pinned until an epoch that commits the partition is decided: it may go again before.
        fresh.insert(partition)
    }

    /// Whether a partition was loaded and no epoch that commits it decided since.
    func isFresh(_ partition: PartitionID) -> Bool { fresh.contains(partition) }

    /// The newest decided epoch of this process.
    var last: EpochRecord? { decided.last }

    /// Whether an epoch is known to have taken effect: those of other incarnations are loaded only by committed tokens.
    func isDecided(_ token: EpochToken, by incarnation: String) -> Bool {
        guard token.incarnation == incarnation else { return true }
        return decided.last.map { token.number <= $0.token.number } ?? false
    }

    /// Takes a decided epoch in and lets go of the oldest ones. `chain` gives a partition's chain at a state token.
    ///
    /// A partition that the epoch does not commit any more has gone to another member: what its last state is made of stays
    /// until that member is seen not to need it. So does the state of epochs of which nobody said what became of them: they
    /// may have been decided.
    mutating func decided(
        _ record: EpochRecord, retain: Int, nowMs: Int64, chain: (PartitionID, EpochToken) -> [EpochToken]
    ) {
        let owned = Set(record.partitions.map(\.partition))
        let unresolved = undecided.filter { $0.token.number < record.token.number }
        for old in (decided.last.map { [$0] } ?? []) + unresolved {
            for gone in old.partitions where !owned.contains(gone.partition) {
                let tokens = chain(gone.partition, gone.state)
                pinned[gone.partition, default: Pin(tokens: [], sinceMs: nowMs)].tokens.formUnion(tokens + [old.token])
                loadedAt[gone.partition] = nil
            }
        }
        undecided.removeAll { $0.token.number <= record.token.number }
        for partition in owned {
            pinned[partition] = nil
            fresh.remove(partition)
        }
        decided.append(record)
        decidedCount += 1
        if decided.count > max(retain, 1) { decided.removeFirst(decided.count - max(retain, 1)) }
    }

    /// Whether a partition is ours, and has been for so many decided epochs that none to be kept is another process's.
    func isSettled(_ partition: PartitionID, owned: Set<PartitionID>, retain: Int) -> Bool {
        owned.contains(partition) && decidedCount - (loadedAt[partition] ?? 0) > max(retain, 1)
    }
}
