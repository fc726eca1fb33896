import Platform
import Testing

@testable import StreamEngine

/// Which kept epoch a job goes back to for a time.
struct RewindPlanTests {
    private static let names = ["a", "b"].map { String(repeating: $0, count: 32) }
    private static let token = EpochToken(incarnation: String(repeating: "f", count: 32), number: 0)

    /// Ten epochs of one process: number n at 100 n, partition p at offset 10 n + p. Each section builds on the one before.
    private static func disk(count: Int = 10) throws -> MemoryFileSystem {
        let files = ToyJob.disk()
        var options = FileStateOptions()
        options.hasThread = false
        let store = FileStateStore(
            directory: ToyJob.directory, incarnation: names[0], options: options, files: files, clock: TestClock(),
            report: { _ in })
        var parent: EpochToken?
        for number in 1...count {
            let token = EpochToken(incarnation: names[0], number: number)
            let ids = [ToyJob.partition(0), ToyJob.partition(1)]
            let record = EpochRecord(
                token: token, writtenMs: Int64(number), slot: "0", isFromReplay: false,
                partitions: ids.map {
                    PartitionRecord(
                        partition: $0, nextOffset: Int64(10 * number) + Int64($0.partition), state: token,
                        watermarkMs: Int64(100 * number), ledger: PartitionLedger())
                }, shared: [:], decisions: [])
            let sections = ids.map {
                PartitionSection(
                    partition: $0, parent: parent,
                    blocks: [ToyState(values: [1: UInt8(number)]).block(.task($0), isWhole: parent == nil)])
            }
            try store.write(record, sections: sections, shared: [])
            parent = token
        }
        return files
    }

    private static func facts(
        committed number: Int?, low: Int64 = 0, metadata: String? = nil
    ) -> [PartitionID: RewindPlan.Facts] {
        var facts: [PartitionID: RewindPlan.Facts] = [:]
        for id in [ToyJob.partition(0), ToyJob.partition(1)] {
            let committed = number.map { number in
                let token = EpochToken(incarnation: names[0], number: number)
                return CommittedOffset(
                    offset: Int64(10 * number) + Int64(id.partition),
                    metadata: metadata ?? CommittedToken(epoch: token, state: token).metadata)
            }
            facts[id] = RewindPlan.Facts(committed: committed, low: low, atTime: 500, atReadFrom: 33)
        }
        return facts
    }

    private static func plan(
        _ files: MemoryFileSystem, toMs: Int64, _ facts: [PartitionID: RewindPlan.Facts], isMixed: Bool
    ) throws -> RewindPlan {
        try RewindPlan(
            directory: ToyJob.directory, toMs: toMs, facts: facts, isMixed: isMixed, token: token, files: files)
    }

    /// The time, what the group committed, and the epoch to go back to.
    @Test(
        arguments: [(499, 10, 4), (500, 10, 5), (5000, 10, 10), (5000, 7, 7), (100, 10, 1), (99, 10, nil)]
            as [(Int64, Int, Int?)], [false, true])
    func theNewestEpochNotAfterTheTimeNorTheOffsets(_ row: (Int64, Int, Int?), _ isMixed: Bool) throws {
        let files = try Self.disk()
        let plan = try Self.plan(files, toMs: row.0, Self.facts(committed: row.1), isMixed: isMixed)
        #expect(plan.positions.map { $0.epoch?.number } == [row.2, row.2])
        #expect(plan.newerFiles.count == 10 - (row.2 ?? 0))
        #expect(plan.positions.allSatisfy { !$0.isInDoubt && $0.isChange == (row.1 != row.2) })
        let expected: [Int64] = row.2.map { [Int64(10 * $0), Int64(10 * $0) + 1] } ?? [33, 33]
        #expect(plan.positions.map(\.new.offset) == expected)
        #expect(plan.positions.map(\.isIncomplete) == [row.2 == nil, row.2 == nil])
        // Once it is done there is nothing left to do.
        let place = try plan.setAside(nowMs: 0)
        #expect((place != nil) == (plan.newerFiles.count > 0))
        var after = Self.facts(committed: row.1)
        for position in plan.positions { after[position.partition]?.committed = position.new }
        let again = try Self.plan(files, toMs: row.0, after, isMixed: isMixed)
        #expect(again.newerFiles.isEmpty && again.positions.allSatisfy { !$0.isChange })
        #expect(try CheckpointVerification(ToyJob.directory, files: files).isWhole)
    }

    @Test(arguments: [false, true])
    func whatIsDamagedOrNoLongerInKafkaIsPassedOver(_ isMixed: Bool) throws {
        let files = try Self.disk()
        let path = CheckpointLayout(root: ToyJob.directory).epoch(EpochToken(incarnation: Self.names[0], number: 5))
        var bytes = try files.readAll(path)
        bytes[bytes.count - 1] ^= 1
        try files.writeAtomically(bytes, to: path)
        let plan = try Self.plan(files, toMs: 600, Self.facts(committed: 10), isMixed: isMixed)
        #expect(plan.positions.map { $0.epoch?.number } == [4, 4])
        // Records from 45 on are there: no state before them is of use.
        let lost = try Self.plan(files, toMs: 600, Self.facts(committed: 10, low: 45), isMixed: isMixed)
        #expect(lost.positions.allSatisfy { $0.epoch == nil && $0.new.offset == 45 && $0.isIncomplete })
    }

    /// Offsets that expired, or that another program committed, tell nothing: an epoch in doubt comes last.
    @Test(arguments: [nil, ""], [false, true])
    func withoutOffsetsOfOursAnEpochInDoubtComesLast(_ metadata: String?, _ isMixed: Bool) throws {
        let facts = Self.facts(committed: metadata == nil ? nil : 3, metadata: metadata)
        let plan = try Self.plan(try Self.disk(), toMs: 5000, facts, isMixed: isMixed)
        #expect(plan.positions.map { $0.epoch?.number } == [9, 9])
        #expect(plan.positions.allSatisfy { !$0.isInDoubt && $0.isChange })
        let only = try Self.plan(try Self.disk(count: 1), toMs: 5000, facts, isMixed: isMixed)
        #expect(only.positions.map { $0.epoch?.number } == [1, 1])
        #expect(only.positions.allSatisfy { $0.isInDoubt })
    }
}
