import Connectors
import Platform
import StreamEngine
import TestSupport

/// What outlives a process in the model: the topic, the group's offsets, state files, output; and chance.
final class ModelWorld {
    let records: [PartitionID: [[UInt8]]]
    /// The first offset that is still there, of partitions whose records go in time.
    var lows: [PartitionID: Int] = [:]
    var random: SeededRandom
    /// One call in so many goes wrong; 0: none.
    var faultEvery: Int
    /// The process is dead: nothing it does has an effect any more.
    var isDead = false

    var committed: [PartitionID: CommittedOffset] = [:]
    var epochs: [EpochToken: StoredEpoch] = [:]
    /// Tokens in the order in which they were decided.
    var decided: [EpochToken] = []
    /// What readers of each output see.
    var visible: [String: [String]] = [:]
    /// Prepared and unpublished output of file sinks.
    var prepared: [String: [EpochToken: [String]]] = [:]
    /// What the open transaction holds.
    var sent: [String: [String]] = [:]
    /// How often each kind of trouble happened.
    var troubles: [String: Int] = [:]
    /// Broadcast sources: their records, and whether they come all at once or bit by bit, at every start again.
    var broadcasts: [PartitionID: [[UInt8]]] = [:]
    var revealsAll = true

    struct StoredEpoch {
        var record: EpochRecord
        var sections: [PartitionID: PartitionSection]
        var shared: [StateBlock]
    }

    /// A world with these records.
    init(records: [PartitionID: [[UInt8]]], seed: UInt64, faultEvery: Int) {
        random = SeededRandom(seed: seed)
        self.faultEvery = faultEvery
        self.records = records
    }

    convenience init(_ input: VariantInput, seed: UInt64, faultEvery: Int) {
        self.init(input.texts, seed: seed, faultEvery: faultEvery)
    }

    /// A world with these partitions of source `metrics`, a record a line.
    init(_ texts: [String], events: [String] = [], seed: UInt64, faultEvery: Int) {
        random = SeededRandom(seed: seed)
        self.faultEvery = faultEvery
        records = Self.records(texts, of: "metrics")
        broadcasts = Self.records(events, of: "changes")
    }

    private static func records(_ texts: [String], of source: String) -> [PartitionID: [[UInt8]]] {
        var records: [PartitionID: [[UInt8]]] = [:]
        for (number, text) in texts.enumerated() {
            let id = PartitionID(source: source, topic: source, partition: Int32(number))
            records[id] = text.split(separator: "\n").map { Array($0.utf8) }
        }
        return records
    }

    /// Called whenever the group's member looks for events.
    var onPoll: () -> Void = {}

    /// Whether something goes wrong here, by chance.
    func goesWrong(_ what: String) -> Bool {
        guard faultEvery > 0, Int.random(in: 0..<faultEvery, using: &random) == 0 else { return false }
        troubles[what, default: 0] += 1
        return true
    }

    /// Dies here by chance; true from then on.
    func dies(_ place: String) -> Bool {
        if !isDead, goesWrong("death at \(place)") { isDead = true }
        return isDead
    }
}

/// State in memory.
final class ModelStore: StateStore {
    private let world: ModelWorld

    init(_ world: ModelWorld) { self.world = world }

    func write(_ record: EpochRecord, sections: [PartitionSection], shared: [StateBlock]) throws(CheckpointError) {
        if world.dies("state") { throw CheckpointError(.io, "dead") }
        world.epochs[record.token] = ModelWorld.StoredEpoch(
            record: record, sections: Dictionary(uniqueKeysWithValues: sections.map { ($0.partition, $0) }),
            shared: shared)
        if world.dies("state written") { throw CheckpointError(.io, "dead") }
    }

    func record(_ token: EpochToken) throws(CheckpointError) -> EpochRecord {
        guard let epoch = world.epochs[token] else { throw CheckpointError(.missing, "no epoch \(token)") }
        return epoch.record
    }

    func load(_ partition: PartitionID, at state: EpochToken) throws(CheckpointError) -> [StateBlock] {
        var sections: [PartitionSection] = []
        var token: EpochToken? = state
        while let wanted = token {
            guard let section = world.epochs[wanted]?.sections[partition] else {
                throw CheckpointError(.missing, "no section of \(partition) in epoch \(wanted)")
            }
            sections.append(section)
            token = section.parent
        }
        return sections.reversed().flatMap(\.blocks)
    }

    func loadShared(_ record: EpochRecord) throws(CheckpointError) -> [StateBlock] {
        var blocks: [StateBlock] = []
        for (id, token) in record.shared {
            guard let block = world.epochs[token]?.shared.first(where: { $0.id == id }) else {
                throw CheckpointError(.missing, "no \(id) in epoch \(token)")
            }
            blocks.append(block)
        }
        return blocks
    }

    func newestRecord(naming partitions: Set<PartitionID>) throws(CheckpointError) -> EpochRecord? {
        world.decided.reversed().lazy.compactMap { self.world.epochs[$0]?.record }.first { record in
            record.partitions.contains { partitions.contains($0.partition) }
        }
    }

    func newestWholeRecord(before epochs: [PartitionID: EpochToken]) throws(CheckpointError) -> EpochRecord? {
        let bound = epochs.values.compactMap { world.decided.firstIndex(of: $0) }.min() ?? 0
        for token in world.decided[..<bound].reversed() {
            guard let record = world.epochs[token]?.record, (try? loadShared(record)) != nil else { continue }
            let own = record.partitions.filter { epochs[$0.partition] != nil }
            guard !own.isEmpty, own.allSatisfy({ (try? load($0.partition, at: $0.state)) != nil }) else { continue }
            return record
        }
        return nil
    }

    func decisions(
        after older: [PartitionID: EpochToken], upTo epochs: [PartitionID: EpochToken]
    ) throws(CheckpointError) -> RecordedRun {
        RecordedRun(after: older, upTo: epochs, records: world.epochs.values.map(\.record), kept: [])
    }

    func decided(_ record: EpochRecord) throws(CheckpointError) {}
    func discarded(_ token: EpochToken) { if !world.isDead { world.epochs[token] = nil } }
    func chainBytes(_ partition: PartitionID, at state: EpochToken) -> (snapshot: Int64, changes: Int64)? { nil }
}

/// Decides by chance: committed, aborted, or nobody knows.
final class ModelCommitPoint: CommitPoint {
    private let world: ModelWorld
    let slot = "0"

    init(_ world: ModelWorld) { self.world = world }

    func assignmentAccepted() throws(SourceError) {}
    func assignmentEnded() {}
    func begin() throws(SourceError) {
        if world.dies("begin") { throw SourceError(.fatal, "dead") }
        if world.goesWrong("begin") { throw SourceError(.timedOut, "no answer") }
        world.sent = [:]
    }

    func commit(_ offsets: [PartitionID: CommittedOffset]) -> CommitOutcome {
        if world.dies("offsets") { return .unknown(SourceError(.timedOut, "dead")) }
        if world.goesWrong("abort") { return .aborted(SourceError(.timedOut, "no answer")) }
        if world.goesWrong("unknown, not committed") { return .unknown(SourceError(.timedOut, "no answer")) }
        for (id, offset) in offsets { world.committed[id] = offset }
        for (name, rows) in world.sent { world.visible[name, default: []] += rows }
        world.sent = [:]
        if let token = offsets.values.first.flatMap({ CommittedToken(metadata: $0.metadata)?.epoch }) {
            world.decided.append(token)
        }
        if world.goesWrong("unknown, committed") { return .unknown(SourceError(.timedOut, "no answer")) }
        return world.dies("decided") ? .unknown(SourceError(.timedOut, "dead")) : .committed
    }

    func abort() { world.sent = [:] }
    func renew() throws(SourceError) {
        if world.isDead { throw SourceError(.fatal, "dead") }
        if world.goesWrong("renew") { throw SourceError(.timedOut, "no answer") }
    }
    func endAbandoned() {}
    func close() {}
}

/// A sink that keeps the epoch protocol: by files, or within the transaction.
final class ModelSink: Sink {
    let description: String
    let isTransactional: Bool
    private let world: ModelWorld
    private let encoder: any RowEncoder
    private var open: [String] = []

    init(_ name: String, query: String, _ world: ModelWorld, isTransactional: Bool) {
        description = name
        self.world = world
        self.isTransactional = isTransactional
        encoder = JSONRows().makeEncoder(query: query)
    }

    var written: (files: Int, bytes: Int64)? { nil }

    func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        var out = EncodedRows()
        encoder.encode(rows, into: &out)
        for row in 0..<out.count { open.append(String(decoding: out.bytes[out.range(of: row)], as: UTF8.self)) }
    }

    func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {
        open += documents.documents.map { String(decoding: $0, as: UTF8.self) }
    }

    func prepare(_ epoch: EpochToken) throws(SinkError) {
        if world.dies("prepare") { throw SinkError("dead") }
        if world.goesWrong("prepare") { throw SinkError("out of reach", isRetriable: true) }
        if isTransactional {
            world.sent[description, default: []] += open
        } else if !open.isEmpty {
            world.prepared[description, default: [:]][epoch] = open
        }
        open = []
    }

    func publish(_ epoch: EpochToken) throws(SinkError) {
        guard !isTransactional else { return }
        try publishForeign(epoch)
    }

    func publishForeign(_ epoch: EpochToken) throws(SinkError) {
        if world.dies("publish") { throw SinkError("dead") }
        guard let rows = world.prepared[description]?.removeValue(forKey: epoch) else { return }
        world.visible[description, default: []] += rows
        if world.dies("published") { throw SinkError("dead") }
    }

    func discard(_ epoch: EpochToken) {
        open = []
        if !world.isDead { world.prepared[description]?[epoch] = nil }
    }

    func abandon(_ epoch: EpochToken) { open = [] }
    func close() throws(SinkError) {}
}

/// The topic, as the group's only member reads it.
final class ModelSource: LiveSource {
    let description = "model"
    private let world: ModelWorld
    private var readers: [PartitionID: ModelReader] = [:]
    private var hasAssigned = false

    init(_ world: ModelWorld) { self.world = world }

    func poll(untilNs deadlineNs: Int64) -> [SourceEvent] {
        if !hasAssigned {
            hasAssigned = true
            return [.assigned(world.records.keys.sorted())]
        }
        world.onPoll()
        guard world.goesWrong("rebalance"), !readers.isEmpty else { return [] }
        hasAssigned = false
        return [
            Bool.random(using: &world.random)
                ? .revoked(world.records.keys.sorted()) : .lost(world.records.keys.sorted())
        ]
    }

    func committed(
        _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: CommittedOffset] {
        if world.goesWrong("unstable offsets") { throw SourceError(.timedOut, "no stable offset") }
        return world.committed.filter { partitions.contains($0.key) }
    }

    func startingOffsets(_ partitions: [PartitionID], timeoutMs: Int) throws(SourceError) -> [PartitionID: Int64] {
        try firstOffsets(partitions, timeoutMs: timeoutMs)
    }

    func firstOffsets(_ partitions: [PartitionID], timeoutMs: Int) throws(SourceError) -> [PartitionID: Int64] {
        Dictionary(uniqueKeysWithValues: partitions.map { ($0, Int64(world.lows[$0] ?? 0)) })
    }

    func partitions(timeoutMs: Int) throws(SourceError) -> Set<PartitionID> { Set(world.records.keys) }
    func memberCount(timeoutMs: Int) throws(SourceError) -> Int? { 1 }

    func start(_ offsets: [PartitionID: Int64]) throws(SourceError) -> [any PartitionReader] {
        offsets.sorted { $0.key < $1.key }.map { id, offset in
            let world = self.world
            let reader = ModelReader(id, world.records[id] ?? [], at: Int(offset), low: { world.lows[id] ?? 0 })
            readers[id] = reader
            return reader
        }
    }

    func seek(_ partition: PartitionID, to offset: Int64) throws(SourceError) { readers[partition]?.next = Int(offset) }
    func release(_ partitions: [PartitionID]) throws(SourceError) { for id in partitions { readers[id] = nil } }
    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) throws(SourceError) {}
    func bounds(of partition: PartitionID) -> (low: Int64, high: Int64)? {
        (0, Int64(world.records[partition]?.count ?? 0))
    }
    func close() {}
}

/// One partition of the model's topic: a message a line.
final class ModelReader: PartitionReader {
    let id: PartitionID
    var next: Int
    private let records: [[UInt8]]
    /// How many records there are by now; nil: all.
    private let available: (() -> Int)?
    /// The first offset that is still there.
    private let low: () -> Int
    /// When the producer sent them, ms.
    private let timestampMs: Int64?
    /// Reading ends for good before this offset; nil: never.
    let endOffset: Int64?
    let firstOffset: Int64?

    init(
        _ id: PartitionID, _ records: [[UInt8]], at offset: Int, available: (() -> Int)? = nil, endOffset: Int64? = nil,
        timestampMs: Int64? = 0, low: @escaping () -> Int = { 0 }
    ) {
        self.id = id
        self.records = records
        self.available = available
        self.timestampMs = timestampMs
        self.low = low
        self.endOffset = endOffset
        firstOffset = Int64(offset)
        next = offset
    }

    func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        var left = maxBytes
        let count = min(available?() ?? records.count, endOffset.map { Int($0) } ?? records.count)
        while next < count {
            if next < low() {
                throw SourceError(.dataLoss(wanted: Int64(next), low: nil, high: nil), "gone", partition: id)
            }
            guard left > 0 else { return .more }
            try records[next].withUnsafeBufferPointer {
                try body(RawRecord(bytes: $0, offset: Int64(next), timestampMs: timestampMs, linesAreRecords: false))
            }
            left -= records[next].count
            next += 1
        }
        if let endOffset, Int64(next) >= endOffset { return .endOfInput }
        return .caughtUp
    }

    var progress: (consumed: Int64, total: Int64)? { nil }
    func hibernate() {}
    func close() {}
}

/// Topics read whole by every member, outside the group.
final class ModelBroadcast: LiveSource {
    let description = "broadcast model"
    private let world: ModelWorld
    private var hasAssigned = false

    init(_ world: ModelWorld) { self.world = world }

    func poll(untilNs deadlineNs: Int64) -> [SourceEvent] {
        guard !hasAssigned else { return [] }
        hasAssigned = true
        return [.assigned(world.broadcasts.keys.sorted())]
    }

    func startingOffsets(_ partitions: [PartitionID], timeoutMs: Int) throws(SourceError) -> [PartitionID: Int64] {
        Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0) })
    }

    func start(_ offsets: [PartitionID: Int64]) throws(SourceError) -> [any PartitionReader] {
        offsets.sorted { $0.key < $1.key }.map { id, offset in
            ModelBroadcastReader(id, world.broadcasts[id] ?? [], world)
        }
    }

    func committed(
        _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: CommittedOffset] { [:] }
    func firstOffsets(_ partitions: [PartitionID], timeoutMs: Int) throws(SourceError) -> [PartitionID: Int64] { [:] }
    func partitions(timeoutMs: Int) throws(SourceError) -> Set<PartitionID> { Set(world.broadcasts.keys) }
    func memberCount(timeoutMs: Int) throws(SourceError) -> Int? { 1 }
    func seek(_ partition: PartitionID, to offset: Int64) throws(SourceError) {}
    func release(_ partitions: [PartitionID]) throws(SourceError) {}
    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) throws(SourceError) {}
    func bounds(of partition: PartitionID) -> (low: Int64, high: Int64)? { nil }
    func close() {}
}

/// One partition of a broadcast source; unless all of it is there, a few records come at a time.
final class ModelBroadcastReader: PartitionReader {
    let id: PartitionID
    private let records: [[UInt8]]
    private let world: ModelWorld
    private var next = 0

    init(_ id: PartitionID, _ records: [[UInt8]], _ world: ModelWorld) {
        self.id = id
        self.records = records
        self.world = world
    }

    func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        let end =
            world.revealsAll ? records.count : min(records.count, next + Int.random(in: 0...3, using: &world.random))
        while next < end {
            try records[next].withUnsafeBufferPointer {
                try body(RawRecord(bytes: $0, offset: Int64(next), timestampMs: 0, linesAreRecords: false))
            }
            next += 1
        }
        return .caughtUp
    }

    var progress: (consumed: Int64, total: Int64)? { nil }
    func hibernate() {}
    func close() {}
}
