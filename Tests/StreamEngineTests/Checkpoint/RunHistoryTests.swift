import Testing

@testable import StreamEngine

/// How a run is put together from what several processes noted, one after the other and beside each other.
@Suite("A run's history")
struct RunHistoryTests {
    private let p0 = PartitionID(source: "s", topic: "t", partition: 0)
    private let p1 = PartitionID(source: "s", topic: "t", partition: 1)

    private func token(_ process: String, _ number: Int) -> EpochToken {
        EpochToken(incarnation: process, number: number)
    }

    private func decision(
        _ kind: Decision.Kind, _ partition: PartitionID, at offset: Int64, _ epoch: Int
    ) -> Decision {
        Decision(kind: kind, source: "s", partition: partition, nextOffset: offset, epoch: epoch)
    }

    private func start(
        _ partition: PartitionID, at offset: Int64, after: (EpochToken, Int)?, _ epoch: Int
    ) -> Decision {
        let predecessor = after.map { Decision.Predecessor(epoch: $0.0, decisionCount: $0.1) }
        return decision(.start(after: predecessor), partition, at: offset, epoch)
    }

    private func record(
        _ process: String, _ number: Int, writtenMs: Int64, _ offsets: [PartitionID: Int64], earlier: Int,
        _ decisions: [Decision]
    ) -> EpochRecord {
        var record = EpochRecord(
            token: token(process, number), writtenMs: writtenMs, slot: "0", isFromReplay: false,
            partitions: offsets.sorted { $0.key < $1.key }.map {
                PartitionRecord(
                    partition: $0.key, nextOffset: $0.value, state: token(process, number), watermarkMs: nil,
                    ledger: PartitionLedger())
            }, shared: [:], decisions: decisions)
        record.earlierDecisions = earlier
        return record
    }

    private func active(_ partition: PartitionID, at offset: Int64, _ watermarkMs: Int64, _ epoch: Int) -> Decision {
        decision(.active(watermarkMs: watermarkMs), partition, at: offset, epoch)
    }

    /// a reads both; b takes p1 after a.2 while a goes on; a dies with a.4 undecided; b takes p0 after a.3.
    private var records: [EpochRecord] {
        [
            record(
                "a", 1, writtenMs: 10, [p0: 5, p1: 5], earlier: 0,
                [start(p0, at: 2, after: nil, 1), start(p1, at: 3, after: nil, 1), active(p0, at: 4, 100, 1)]),
            record("a", 2, writtenMs: 20, [p0: 8, p1: 9], earlier: 3, [active(p1, at: 7, 101, 2)]),
            record("a", 3, writtenMs: 30, [p0: 12], earlier: 4, [active(p0, at: 10, 102, 3)]),
            record("a", 4, writtenMs: 45, [p0: 15], earlier: 5, [active(p0, at: 13, 999, 4)]),
            record(
                "b", 0, writtenMs: 35, [p1: 11], earlier: 0,
                [start(p1, at: 9, after: (token("a", 2), 4), 0), active(p1, at: 10, 103, 0)]),
            record(
                "b", 7, writtenMs: 60, [p0: 20, p1: 30], earlier: 2,
                [start(p0, at: 12, after: (token("a", 3), 5), 7), active(p0, at: 13, 104, 7)]),
        ]
    }

    private func marks(_ run: RecordedRun, _ partition: PartitionID) -> [Int64] {
        run.freezes(of: partition).map(\.watermarkMs)
    }

    @Test func partitionsAreFollowedFromProcessToProcess() throws {
        let run = try RecordedRun(records: records)
        #expect(run.starts == [p0: 2, p1: 3] && run.ends == [p0: 20, p1: 30])
        #expect(marks(run, p0) == [100, 102, 104], "what was never decided does not count")
        #expect(marks(run, p1) == [101, 103])
    }

    @Test func epochsThatWentAreReadFromTheirDecisions() throws {
        let gone = Set([1, 2, 3])
        let kept = records.filter { $0.token.incarnation == "a" && gone.contains($0.token.number) }.flatMap(\.decisions)
        let rest = records.filter { $0.token.incarnation == "b" }
        let run = try RecordedRun(
            records: rest, kept: [("a", kept), ("a", kept.filter { $0.epoch == 2 })])
        #expect(marks(run, p0) == [100, 102, 104] && marks(run, p1) == [101, 103])
        for lost in kept.indices {
            var fewer = kept
            fewer.remove(at: lost)
            let error = #expect(throws: CheckpointError.self) {
                try RecordedRun(records: rest, kept: [("a", fewer)])
            }
            #expect(error?.kind == .missing && error?.description.contains("of process a up to epoch") == true)
        }
    }

    @Test func anUnreadableNewestEpochIsNamed() throws {
        let error = CheckpointError(.damaged, "checkpoint file x is damaged")
        let run = try RecordedRun(
            records: records.filter { $0.token != token("b", 7) },
            unreadable: [
                RecordedRun.Unreadable(incarnation: "b", firstEpoch: 7, error: error),
                RecordedRun.Unreadable(incarnation: "z", firstEpoch: 8, error: error),
            ])
        #expect(run.ends == [p0: 15, p1: 11] && run.left.map(\.description) == [error.description])
    }

    @Test func aTimeThatTheJobWasTakenBackFromDoesNotCount() throws {
        // c goes on from a.2, as `reset-offsets` says; what a and b did afterwards is void.
        let back = record(
            "c", 0, writtenMs: 90, [p0: 9, p1: 12], earlier: 0,
            [
                start(p0, at: 8, after: (token("a", 2), 4), 0), start(p1, at: 9, after: (token("a", 2), 4), 0),
                active(p1, at: 11, 105, 0),
            ])
        let run = try RecordedRun(records: records + [back])
        #expect(run.ends == [p0: 9, p1: 12])
        #expect(marks(run, p0) == [100] && marks(run, p1) == [101, 105])
    }

    @Test func aCircleIsNoHistory() throws {
        let round = [
            record("a", 1, writtenMs: 1, [p0: 5], earlier: 0, [start(p0, at: 1, after: (token("b", 1), 1), 1)]),
            record("b", 1, writtenMs: 2, [p0: 6], earlier: 0, [start(p0, at: 5, after: (token("a", 1), 1), 1)]),
        ]
        #expect(throws: CheckpointError.self) { try RecordedRun(records: round) }
    }
}
