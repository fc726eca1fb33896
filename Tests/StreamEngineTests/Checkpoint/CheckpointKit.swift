import Platform
import TestSupport

@testable import StreamEngine

/// A clock that only the test moves.
final class TestClock: Clock {
    private let now = Monitor(Int64(1_000_000))

    func wallMs() -> Int64 { now.withLock { $0 } }
    func monotonicNs() -> Int64 { now.withLock { $0 } * 1_000_000 }
    func sleep(ms: Int) { advance(ms: Int64(ms)) }
    func advance(ms: Int64) { now.withLock { $0 += ms } }
}

/// A toy task: numbers by key, of which an epoch changes some. Its chain is whole maps and changes to them.
struct ToyState: Equatable {
    var values: [UInt8: UInt8] = [:]

    func block(_ id: StateID, isWhole: Bool) -> StateBlock {
        let bytes = values.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        return StateBlock(id: id, isWhole: isWhole, bytes: bytes, rows: values.count)
    }

    /// The state after a chain.
    static func decode(_ blocks: [StateBlock]) -> [StateID: ToyState] {
        var states: [StateID: ToyState] = [:]
        for block in blocks {
            if block.isWhole { states[block.id] = ToyState() }
            for at in stride(from: 0, to: block.bytes.count - 1, by: 2) {
                states[block.id]?.values[block.bytes[at]] = block.bytes[at + 1]
            }
        }
        return states
    }

    /// A chain put together.
    @Sendable
    static func merge(_ blocks: [StateBlock]) -> [StateBlock] {
        decode(blocks).sorted { "\($0.key)" < "\($1.key)" }.map { $0.value.block($0.key, isWhole: true) }
    }
}

/// A job of toys: partitions that change, over a store, as the engine would drive it.
struct ToyJob {
    let store: FileStateStore
    let incarnation: String
    let clock: any Clock
    let notices = Monitor<[CheckpointNotice]>([])
    var partitions: [PartitionID]
    /// What is in memory.
    var states: [StateID: ToyState] = [:]
    var stateTokens: [PartitionID: EpochToken] = [:]
    var offsets: [PartitionID: Int64] = [:]
    var sharedTokens: [StateID: EpochToken] = [:]
    var shared: [StateID: ToyState] = [:]
    var number = 0
    /// What is told of the clock's decisions: by this process so far; where it began; of all processes.
    private var decisionCount = 0
    private var hasStarted = false
    private var predecessor: Decision.Predecessor?
    private(set) var marker: Int64 = 1

    static let directory = "/ck"

    /// A disk with the directory of the job on it.
    static func disk() -> MemoryFileSystem {
        let files = MemoryFileSystem()
        _ = try? CheckpointDirectory.openOrCreate(directory, job: JobIdentity(JobDefinition(name: "toy")), files: files)
        return files
    }

    static func partition(_ number: Int32) -> PartitionID {
        PartitionID(source: "metrics", topic: "node.metrics", partition: number)
    }

    init(
        _ files: any FileSystem, incarnation: String, partitions: [Int32], options: FileStateOptions, clock: any Clock
    ) {
        let notices = self.notices
        store = FileStateStore(
            directory: Self.directory, incarnation: incarnation, options: options, files: files, clock: clock
        ) { notice in notices.withLock { $0.append(notice) } }
        self.incarnation = incarnation
        self.clock = clock
        self.partitions = partitions.map(Self.partition)
    }

    static var options: FileStateOptions {
        var options = FileStateOptions()
        options.hasThread = false
        options.cleaningIntervalMs = 0
        options.retainEpochs = 3
        options.compression = .none
        return options
    }

    /// Changes some partitions and makes an epoch of it, not yet decided. State is changed in memory whether or not it can
    /// be written.
    mutating func epoch(_ random: inout SeededRandom, snapshot: Bool = false) throws(CheckpointError) -> EpochRecord {
        number += 1
        let token = EpochToken(incarnation: incarnation, number: number)
        var sections: [PartitionSection] = []
        for partition in partitions {
            let isFirst = stateTokens[partition] == nil
            guard isFirst || snapshot || Int.random(in: 0..<3, using: &random) > 0 else { continue }
            var blocks: [StateBlock] = []
            for id in [StateID.task(partition), .windows(query: "cpu", partition)] {
                var change = ToyState()
                for _ in 0..<Int.random(in: 1..<4, using: &random) {
                    change.values[UInt8.random(in: 0..<20, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                states[id, default: ToyState()].values.merge(change.values) { $1 }
                let isWhole = isFirst || snapshot
                blocks.append((isWhole ? states[id, default: ToyState()] : change).block(id, isWhole: isWhole))
            }
            sections.append(
                PartitionSection(
                    partition: partition, parent: isFirst || snapshot ? nil : stateTokens[partition], blocks: blocks))
            stateTokens[partition] = token
            offsets[partition, default: 0] += Int64(Int.random(in: 1..<100, using: &random))
        }
        var sharedBlocks: [StateBlock] = []
        let id = StateID.query("cpu")
        if shared[id] == nil || Bool.random(using: &random) {
            shared[id, default: ToyState()].values[0] = UInt8.random(in: 0...255, using: &random)
            sharedTokens[id] = token
            sharedBlocks.append(shared[id, default: ToyState()].block(id, isWhole: true))
        }
        let record = record(token)
        try store.write(record, sections: sections, shared: sharedBlocks)
        return record
    }

    private func record(_ token: EpochToken) -> EpochRecord {
        var record = EpochRecord(
            token: token, writtenMs: clock.wallMs() + Int64(number), slot: "0", isFromReplay: false,
            partitions: partitions.map { partition in
                var ledger = PartitionLedger()
                ledger.records = Int(offsets[partition] ?? 0)
                ledger.badByReason = [.malformed: 2, .badName: 1]
                ledger.lost = partition.partition == 0 ? [] : [3...9, 20...20]
                return PartitionRecord(
                    partition: partition, nextOffset: offsets[partition] ?? 0,
                    state: stateTokens[partition] ?? token, watermarkMs: partition.partition == 0 ? nil : 5,
                    ledger: ledger)
            },
            shared: sharedTokens, decisions: decisions)
        record.earlierDecisions = decisionCount
        return record
    }

    /// One of each kind; of the first partition one that tells this epoch from all others.
    private var decisions: [Decision] {
        func decision(_ kind: Decision.Kind, of partition: PartitionID?, at offset: Int64?) -> Decision {
            Decision(kind: kind, source: "metrics", partition: partition, nextOffset: offset, epoch: number)
        }
        var decisions = [
            decision(.idle, of: partitions.first, at: 3), decision(.clockWatermark(ms: -7), of: nil, at: nil),
            decision(.join(watermarkMs: 9), of: nil, at: 0), decision(.futureTimestamp(limitMs: -4), of: nil, at: 1),
            decision(.active(watermarkMs: nil), of: nil, at: 1),
            decision(
                .context(
                    query: "q", detector: "d", windowEndMs: 5,
                    positions: Dictionary(uniqueKeysWithValues: partitions.map { ($0, 7) })), of: nil, at: nil),
            decision(.active(watermarkMs: marker), of: partitions.first, at: marker),
        ]
        if !hasStarted {
            decisions += partitions.map { decision(.start(after: predecessor), of: $0, at: offsets[$0] ?? 0) }
        }
        return decisions
    }

    /// Notes that an epoch was decided.
    mutating func decided(_ record: EpochRecord) {
        hasStarted = true
        decisionCount += record.decisions.count
        marker += 1
    }

    /// What is in memory, for comparing.
    var memory: [StateID: ToyState] { states.merging(shared) { a, _ in a } }

    /// Takes state over from a committed record.
    mutating func resume(_ record: EpochRecord) throws(CheckpointError) {
        states = [:]
        stateTokens = [:]
        for partition in record.partitions {
            states.merge(ToyState.decode(try store.load(partition.partition, at: partition.state))) { $1 }
            stateTokens[partition.partition] = partition.state
            offsets[partition.partition] = partition.nextOffset
        }
        predecessor = Decision.Predecessor(
            epoch: record.token, decisionCount: record.earlierDecisions + record.decisions.count)
        for decision in record.decisions {
            if case .active(let mark?) = decision.kind { marker = mark + 1 }
        }
        shared = ToyState.decode(try store.loadShared(record))
        sharedTokens = record.shared
        partitions = record.partitions.map(\.partition)
    }
}
