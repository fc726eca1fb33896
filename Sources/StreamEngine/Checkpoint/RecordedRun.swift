import Platform

/// A run as its checkpoint remembers it: from which offset to which each partition was read, and what the wall clock decided
/// on the way, so that `replay --decisions` repeats it exactly (SEMANTICS §3, §7).
///
/// A partition may have been read by several processes, one after the other. Each notes at its start on whose epoch it goes
/// on; followed back from the newest epoch, that leads to the job's first record. Epochs off that way (of a time the job was
/// taken back from, or never decided) do not count. An epoch says how many decisions its process had recorded before it, so
/// that none can be missing unnoticed.
public struct RecordedRun: Sendable {
    /// The first offset of each partition.
    public private(set) var starts: [PartitionID: Int64] = [:]
    /// The offset each partition was read up to, itself not read. Broadcast sources have none: they are read outside epochs.
    public private(set) var ends: [PartitionID: Int64] = [:]
    /// Newer epochs that may belong to the run and cannot be read: it is repeated up to the ones before them.
    public private(set) var left: [CheckpointError] = []
    /// How many decisions were found.
    public private(set) var decisionCount = 0

    /// Windows were frozen here by a watermark that the partition itself had not reached.
    struct Freeze: Sendable {
        /// Before the record at this offset, or the next one there is.
        var offset: Int64
        var watermarkMs: Int64
        /// Of partition-local queries; else of the others.
        var isLocal: Bool
    }

    /// Whether partitions were idle in the end: of those that fell silent or spoke again. Only of a part of a run.
    private(set) var isIdle: [PartitionID: Bool] = [:]

    /// How far each source's watermark is known to have come.
    private(set) var watermarksMs: [String: Int64] = [:]

    private struct Verdict: Hashable, Sendable {
        var query: String
        var detector: String
        var partition: PartitionID?
        var windowEndMs: Int64
    }

    private var freezes: [PartitionID: [Freeze]] = [:]
    private var futureLimits: [PartitionID: [Int64: Int64]] = [:]
    private var verdicts: [Verdict: EventPositions] = [:]

    /// The run that a checkpoint is of, where it is one of this job; with what changed in the job since, for people.
    public static func read(
        _ directory: String, of job: JobDefinition, files: any FileSystem = PosixFileSystem()
    ) throws(CheckpointError) -> (run: RecordedRun, changes: [String]) {
        guard let checkpoint = try CheckpointDirectory.open(directory, files: files) else {
            throw CheckpointError(.missing, "\(directory) is no checkpoint: there is no job.json in it")
        }
        let difference = JobDifference(checkpoint: checkpoint.job, present: JobIdentity(job))
        guard difference.incompatible.isEmpty else {
            let list = difference.incompatible.map { "\n  \($0)" }.joined()
            throw CheckpointError(
                .mismatch,
                "the decisions in \(directory) are of another job than \(job.name):\(list)\nname the checkpoint of this "
                    + "job, or replay the job as it was then")
        }
        let run = try RecordedRun(
            CheckpointInventory(directory, files: files),
            broadcast: Set(job.sources.filter(\.isBroadcast).map(\.name)))
        guard !run.ends.isEmpty else {
            throw CheckpointError(.missing, "\(directory) holds no epoch: there is no run to repeat")
        }
        return (run, difference.items.map(\.description))
    }

    /// The run that the files of a checkpoint are of.
    init(_ inventory: CheckpointInventory, broadcast: Set<String>) throws(CheckpointError) {
        try self.init(
            records: inventory.epochs.compactMap(\.record),
            kept: inventory.keptDecisions,
            broadcast: broadcast,
            unreadable: inventory.epochs.compactMap { one in
                one.error.map {
                    Unreadable(incarnation: one.token.incarnation, firstEpoch: one.token.number, error: $0)
                }
            }
                + inventory.decisions.compactMap { one in
                    one.error.map {
                        Unreadable(incarnation: one.incarnation, firstEpoch: one.epochs.lowerBound, error: $0)
                    }
                })
    }

    /// A file that cannot be read, and what its name says of it.
    public struct Unreadable: Sendable {
        /// The process whose epochs it is of.
        let incarnation: String
        /// The oldest of them.
        let firstEpoch: Int
        let error: CheckpointError
    }

    /// The run that these epochs are of. `kept`: decisions of epochs that are gone, a process's in each file; `broadcast`: the
    /// names of the job's broadcast sources.
    public init(
        records: [EpochRecord], kept: [(incarnation: String, decisions: [Decision])] = [], broadcast: Set<String> = [],
        unreadable: [Unreadable] = []
    ) throws(CheckpointError) {
        let books = Self.books(records, kept)
        var newest: [PartitionID: EpochRecord] = [:]
        for record in records {
            for partition in record.partitions {
                let id = partition.partition
                guard let known = newest[id],
                    (known.writtenMs, known.token.number) >= (record.writtenMs, record.token.number)
                else {
                    newest[id] = record
                    ends[id] = partition.nextOffset
                    continue
                }
            }
        }
        left = unreadable.filter { one in
            newest.values.contains { $0.token.incarnation == one.incarnation && $0.token.number < one.firstEpoch }
        }.map(\.error)
        var used: Set<EpochToken> = []
        for (id, record) in newest {
            let count = record.earlierDecisions + record.decisions.count
            let own = try Self.follow(
                id, Decision.Predecessor(epoch: record.token, decisionCount: count), books, unreadable)
            starts[id] = own.start
            for epoch in own.epochs {
                used.insert(epoch)
                for decision in books[epoch.incarnation]?[epoch.number] ?? [] where decision.partition == id {
                    take(decision, of: id)
                }
            }
            freezes[id]?.sort { $0.offset < $1.offset }
        }
        for epoch in used {
            for decision in books[epoch.incarnation]?[epoch.number] ?? [] {
                guard let id = decision.partition else {
                    takeShared(decision)
                    continue
                }
                guard broadcast.contains(id.source), case .start = decision.kind, let first = decision.nextOffset else {
                    continue
                }
                starts[id] = min(starts[id] ?? first, first)
            }
        }
    }

    /// What was decided of each partition after an older epoch (of those that name none: from its first record on, which
    /// `starts` then tells), up to the one that goes with its committed offset. Nothing that is missing is complained of: it
    /// is what can be had when state was lost.
    public init(
        after older: [PartitionID: EpochToken], upTo newest: [PartitionID: EpochToken], records: [EpochRecord],
        kept: [(incarnation: String, decisions: [Decision])]
    ) {
        let books = Self.books(records, kept)
        var used: Set<EpochToken> = []
        for (id, token) in newest {
            let (epochs, start) = Self.goBack(id, from: token, to: older[id], books)
            starts[id] = start
            for epoch in epochs {
                used.insert(epoch)
                for decision in books[epoch.incarnation]?[epoch.number] ?? [] where decision.partition == id {
                    take(decision, of: id)
                    noteIdle(decision, of: id)
                }
            }
            freezes[id]?.sort { $0.offset < $1.offset }
        }
        for epoch in used {
            for decision in books[epoch.incarnation]?[epoch.number] ?? [] where decision.partition == nil {
                takeShared(decision)
            }
        }
    }

    /// The epochs that read a partition between two epochs, as far as their decisions are there, in the order in which they were
    /// decided; and its first offset, where they lead back to it.
    private static func goBack(
        _ id: PartitionID, from newest: EpochToken, to oldest: EpochToken?, _ books: [String: [Int: [Decision]]]
    ) -> (epochs: [EpochToken], start: Int64?) {
        var epochs: [EpochToken] = []
        var start: Int64?
        var next: EpochToken? = newest
        var visited: Set<EpochToken> = []
        func isAfterOldest(_ token: EpochToken, _ number: Int) -> Bool {
            token.incarnation != oldest?.incarnation || number > oldest?.number ?? .min
        }
        while let token = next, isAfterOldest(token, token.number), visited.insert(token).inserted {
            let book = (books[token.incarnation] ?? [:]).filter {
                $0.key <= token.number && isAfterOldest(token, $0.key)
            }
            var begin: (epoch: Int, decision: Decision)?
            for (number, decisions) in book where number >= begin?.epoch ?? 0 {
                for decision in decisions where decision.partition == id {
                    if case .start = decision.kind { begin = (number, decision) }
                }
            }
            let own = book.keys.filter { $0 >= begin?.epoch ?? 0 }.sorted()
            epochs = own.map { EpochToken(incarnation: token.incarnation, number: $0) } + epochs
            next = begin?.decision.predecessor
            if next == nil { start = begin?.decision.nextOffset }
        }
        return (epochs, start)
    }

    /// The decisions of each epoch, by process and number.
    private static func books(
        _ records: [EpochRecord], _ kept: [(incarnation: String, decisions: [Decision])]
    ) -> [String: [Int: [Decision]]] {
        var books: [String: [Int: [Decision]]] = [:]
        for record in records { books[record.token.incarnation, default: [:]][record.token.number] = record.decisions }
        for file in kept {
            // Two files may hold the same epoch, whole in each.
            let found = Dictionary(grouping: file.decisions, by: \.epoch)
            books[file.incarnation, default: [:]].merge(found) { known, _ in known }
        }
        return books
    }

    /// Follows a partition back to its first record: the epochs that read it, and where.
    private static func follow(
        _ id: PartitionID, _ newest: Decision.Predecessor, _ books: [String: [Int: [Decision]]],
        _ unreadable: [Unreadable]
    ) throws(CheckpointError) -> (start: Int64, epochs: [EpochToken]) {
        var epochs: [EpochToken] = []
        var next = newest
        var visited: Set<EpochToken> = []
        while visited.insert(next.epoch).inserted {
            let (incarnation, last) = (next.epoch.incarnation, next.epoch.number)
            let book = (books[incarnation] ?? [:]).filter { $0.key <= last }
            let count = book.values.reduce(0) { $0 + $1.count }
            guard count >= next.decisionCount else {
                let wanted = next.decisionCount == .max ? "what it decided" : "\(next.decisionCount - count) decisions"
                throw missing("\(wanted) of process \(incarnation) up to epoch \(last)", id, next.epoch, unreadable)
            }
            var begin: (epoch: Int, decision: Decision)?
            for (number, decisions) in book where number >= begin?.epoch ?? 0 {
                for decision in decisions where decision.partition == id {
                    if case .start = decision.kind { begin = (number, decision) }
                }
            }
            guard let begin, case .start(let after) = begin.decision.kind, let offset = begin.decision.nextOffset else {
                throw missing("where process \(incarnation) began to read it", id, next.epoch, unreadable)
            }
            epochs += book.keys.filter { $0 >= begin.epoch }.map { EpochToken(incarnation: incarnation, number: $0) }
            guard let after else { return (offset, epochs) }
            next = after
        }
        throw CheckpointError(.damaged, "the epochs that read \(id) follow each other in a circle at \(next.epoch)")
    }

    /// What a process decided up to an epoch is not all there: `what`, of a partition.
    private static func missing(
        _ what: String, _ id: PartitionID, _ epoch: EpochToken, _ unreadable: [Unreadable]
    ) -> CheckpointError {
        let head = "the run cannot be repeated from its start: of \(id) it is not recorded any more: \(what)"
        let tail = "A bare replay (without --decisions) takes no decision of the clock"
        let own = unreadable.filter { $0.incarnation == epoch.incarnation && $0.firstEpoch <= epoch.number }
        guard let first = own.first else {
            return CheckpointError(
                .missing,
                "\(head). No file of the checkpoint holds it: put the directories epochs/\(epoch.incarnation) and "
                    + "decisions/\(epoch.incarnation) back from a copy. \(tail)")
        }
        let others = own.count > 1 ? " (and \(own.count - 1) more: `checkpoint verify` names each)" : ""
        return CheckpointError(
            .damaged,
            "\(head); \(first.error.description)\(others). Put it back from a copy of the checkpoint. \(tail)")
    }

    private mutating func take(_ decision: Decision, of id: PartitionID) {
        decisionCount += 1
        let offset = decision.nextOffset ?? .min
        switch decision.kind {
        case .active(let watermarkMs):
            guard let watermarkMs else { return }
            noteWatermark(watermarkMs, id.source)
            freezes[id, default: []].append(Freeze(offset: offset, watermarkMs: watermarkMs, isLocal: false))
        case .join(let watermarkMs):
            noteWatermark(watermarkMs, id.source)
            freezes[id, default: []].append(Freeze(offset: offset, watermarkMs: watermarkMs, isLocal: false))
        case .clockWatermark(let ms):
            freezes[id, default: []].append(Freeze(offset: offset, watermarkMs: ms, isLocal: true))
        case .futureTimestamp(let limitMs): futureLimits[id, default: [:]][offset] = limitMs
        case .context: takeVerdict(decision)
        case .idle, .start: break
        }
    }

    private mutating func noteIdle(_ decision: Decision, of id: PartitionID) {
        switch decision.kind {
        case .idle: isIdle[id] = true
        case .active: isIdle[id] = false
        default: break
        }
    }

    private mutating func takeShared(_ decision: Decision) {
        if case .context = decision.kind { takeVerdict(decision) }
        if case .clockWatermark(let ms) = decision.kind { noteWatermark(ms, decision.source) }
    }

    private mutating func noteWatermark(_ ms: Int64, _ source: String) {
        watermarksMs[source] = max(ms, watermarksMs[source] ?? .min)
    }

    private mutating func takeVerdict(_ decision: Decision) {
        guard case .context(let query, let detector, let windowEndMs, let positions) = decision.kind else { return }
        let verdict = Verdict(
            query: query, detector: detector, partition: decision.partition, windowEndMs: windowEndMs)
        verdicts[verdict] = positions
    }

    // MARK: What a replay asks

    /// Up to which event time samples of the record were taken; nil where the clock refused none of it.
    func futureLimitMs(_ id: PartitionID, _ offset: Int64) -> Int64? { futureLimits[id]?[offset] }

    /// Partitions of which windows were frozen by decision.
    var partitions: [PartitionID] { Array(freezes.keys) }

    /// Where windows of a partition were frozen, by offset.
    func freezes(of id: PartitionID) -> [Freeze] { freezes[id] ?? [] }

    /// How far events had been read for a verdict that did not wait for all; nil where it had all it asked for.
    func positions(
        query: String, detector: String, owner: DetectorOwner, windowEndMs: Int64
    ) -> EventPositions? {
        var partition: PartitionID?
        if case .partition(let id) = owner { partition = id }
        return verdicts[
            Verdict(query: query, detector: detector, partition: partition, windowEndMs: windowEndMs)]
    }
}
