import Platform
import TestSupport
import Testing

@testable import StreamEngine

/// What goes, and when: CrashTests hold that nothing goes that is needed.
@Suite("Cleaning of checkpoints")
struct CleaningTests {
    private let clock = TestClock()
    private let files = ToyJob.disk()

    private func names(_ incarnation: String, in directory: String = "epochs") -> [String] {
        (try? files.list("/ck/\(directory)/\(incarnation)")) ?? []
    }

    private func pass(_ ms: Int64) {
        clock.advance(ms: ms)
        files.nowMs = clock.wallMs()
    }

    /// Decided epochs, some time apart.
    private func run(
        _ job: inout ToyJob, _ epochs: Int, _ random: inout SeededRandom, snapshotEvery: Int = .max
    ) throws {
        for number in 0..<epochs {
            pass(1000)
            let record = try job.epoch(&random, snapshot: (number + 1).isMultiple(of: snapshotEvery))
            try job.store.decided(record)
        }
    }

    @Test("own epochs go that no retained one needs")
    func own() throws {
        var random = SeededRandom(seed: 21)
        var job = ToyJob(files, incarnation: "a", partitions: [0, 1], options: ToyJob.options, clock: clock)
        try run(&job, 60, &random, snapshotEvery: 5)
        #expect(names("a").count <= 3 + 5 + 1 && names("a").contains("60"), "\(names("a"))")
        #expect(job.notices.withLock { $0.isEmpty })
    }

    @Test("decisions stay when their epochs go, in few files; one that is lost or damaged is missed")
    func decisions() throws {
        var random = SeededRandom(seed: 24)
        var job = ToyJob(files, incarnation: "a", partitions: [0, 1], options: ToyJob.options, clock: clock)
        for number in 0..<300 {
            pass(1000)
            let record = try job.epoch(&random, snapshot: number.isMultiple(of: 4))
            job.decided(record)
            try job.store.decided(record)
        }
        #expect(names("a").count < 12)
        let kept = names("a", in: "decisions")
        #expect(kept.count < 24, "\(kept)")
        func markers() throws -> [Int64] {
            let run = try RecordedRun(CheckpointInventory(ToyJob.directory, files: files), broadcast: [])
            return run.freezes(of: ToyJob.partition(0)).map(\.watermarkMs)
        }
        #expect(try markers() == (1...300).map { $0 })
        let path = "/ck/decisions/a/\(try #require(kept.first))"
        let bytes = try files.readAll(path)
        // The same decisions in another file, as a merge leaves that was cut short.
        try files.writeAtomically(bytes, to: "/ck/decisions/a/0-\(kept[0].split(separator: "-")[1])")
        #expect(try markers() == (1...300).map { $0 })
        _ = try files.remove("/ck/decisions/a/0-\(kept[0].split(separator: "-")[1])")
        #expect(try CheckpointVerification(ToyJob.directory, files: files).isWhole)
        _ = try files.remove(path)
        let lost = #expect(throws: CheckpointError.self) { try markers() }
        #expect(lost?.description.contains("decisions of process a up to epoch 300") == true, "\(lost as Any)")
        var damaged = bytes
        damaged[bytes.count / 2] ^= 4
        try files.writeAtomically(damaged, to: path)
        let flipped = #expect(throws: CheckpointError.self) { try markers() }
        #expect(flipped?.description.contains("checkpoint file \(path) is damaged") == true, "\(flipped as Any)")
        #expect(flipped?.description.contains("Put it back from a copy of the checkpoint") == true)
        // A damaged file of another process is not the reason.
        try files.createDirectories("/ck/decisions/other")
        try files.writeAtomically(damaged, to: "/ck/decisions/other/1-3")
        try files.writeAtomically(bytes, to: path)
        #expect(try markers() == (1...300).map { $0 })
        #expect(try !CheckpointVerification(ToyJob.directory, files: files).isWhole)
    }

    @Test("a snapshot made in the background lets the chain behind it go, and goes itself when a newer one is there")
    func snapshots() throws {
        var random = SeededRandom(seed: 22)
        var job = ToyJob(files, incarnation: "a", partitions: [0], options: ToyJob.options, clock: clock)
        try run(&job, 30, &random)
        #expect(names("a").count > 15)
        let state = try #require(job.stateTokens[job.partitions[0]])
        let grown = try #require(job.store.chainBytes(job.partitions[0], at: state))
        #expect(grown.changes > 2 * grown.snapshot && job.store.needsSnapshot(job.partitions[0], at: state))
        for _ in 0..<3 {
            let state = try #require(job.stateTokens[job.partitions[0]])
            #expect(job.store.compact(job.partitions[0], at: state, merge: ToyState.merge))
            #expect(!job.store.compact(job.partitions[0], at: state, merge: ToyState.merge))
            #expect(job.store.chainBytes(job.partitions[0], at: state)?.changes == 0)
            try run(&job, 6, &random)
        }
        #expect(names("a").count < 12, "\(names("a"))")
        #expect(names("a", in: "state").count == 1)
        #expect(try CheckpointVerification(ToyJob.directory, files: files).isWhole)
    }

    @Test("a snapshot that cannot be made is reported and changes nothing")
    func failedSnapshot() throws {
        struct Odd: Error {}
        var random = SeededRandom(seed: 23)
        var job = ToyJob(files, incarnation: "a", partitions: [0], options: ToyJob.options, clock: clock)
        try run(&job, 5, &random)
        let state = try #require(job.stateTokens[job.partitions[0]])
        #expect(job.store.compact(job.partitions[0], at: state) { _ in throw Odd() })
        #expect(job.store.compact(job.partitions[0], at: state) { Array($0.dropFirst()) })
        let said = job.notices.withLock { $0.map(\.description) }
        #expect(said.count == 2 && said.allSatisfy { $0.contains("no snapshot of node.metrics/0 at epoch \(state)") })
        #expect(names("a", in: "state").isEmpty)
        // Not of an epoch that may not take effect.
        let record = try job.epoch(&random, snapshot: false)
        #expect(!job.store.compact(job.partitions[0], at: record.token, merge: ToyState.merge))
    }

    @Test("a thread of the store's own makes snapshots and cleans")
    func thread() throws {
        var options = ToyJob.options
        options.hasThread = true
        var random = SeededRandom(seed: 24)
        var job = ToyJob(files, incarnation: "a", partitions: [0, 1], options: options, clock: clock)
        for _ in 0..<10 {
            try run(&job, 4, &random)
            for partition in job.partitions {
                let state = try #require(job.stateTokens[partition])
                job.store.compact(partition, at: state, merge: ToyState.merge)
            }
            job.store.drain()
        }
        try run(&job, 4, &random)
        job.store.drain()
        #expect(names("a").count < 12, "\(names("a"))")
        #expect(job.notices.withLock { $0.isEmpty })
        job.store.close()
        job.store.close()
        #expect(
            !job.store.compact(job.partitions[0], at: EpochToken(incarnation: "a", number: 40), merge: ToyState.merge))
    }

    /// A process that left decided epochs, one that was not, and files it never finished.
    private func leaveBehind(_ random: inout SeededRandom, _ partitions: [Int32]) throws -> EpochRecord {
        var old = ToyJob(files, incarnation: "old", partitions: partitions, options: ToyJob.options, clock: clock)
        var last = try old.epoch(&random)
        try old.store.decided(last)
        for _ in 0..<5 {
            last = try old.epoch(&random)
            try old.store.decided(last)
        }
        let state = try #require(old.stateTokens[old.partitions[0]])
        old.store.compact(old.partitions[0], at: state, merge: ToyState.merge)
        _ = try old.epoch(&random)
        files.set("/ck/epochs/old/.8.tmp", [1, 2, 3])
        return last
    }

    @Test("what another process left goes when all of it is ours, settled and old; not before")
    func foreign() throws {
        var random = SeededRandom(seed: 25)
        let last = try leaveBehind(&random, [0, 1])
        let before = names("old")
        var job = ToyJob(files, incarnation: "new", partitions: [], options: ToyJob.options, clock: clock)
        try job.resume(last)
        try run(&job, 3, &random, snapshotEvery: 2)
        #expect(names("old") == before)
        // A process that may live yet.
        try files.createDirectories("/ck/epochs/other")
        files.set("/ck/epochs/other/1", [])
        pass(200_000)
        try run(&job, 5, &random, snapshotEvery: 2)
        pass(200_000)
        try run(&job, 5, &random, snapshotEvery: 2)
        #expect(try files.list("/ck/epochs") == ["new", "other"])
        #expect(try files.list("/ck/state").isEmpty)
    }

    @Test("a file of decisions that cannot be read is named once, and what may depend on it is kept")
    func unreadableDecisions() throws {
        var random = SeededRandom(seed: 28)
        func decide(_ job: inout ToyJob, _ count: Int, stepMs: Int64) throws -> EpochRecord {
            var last: EpochRecord?
            for _ in 0..<count {
                pass(stepMs)
                let record = try job.epoch(&random, snapshot: true)
                job.decided(record)
                try job.store.decided(record)
                last = record
            }
            return try #require(last)
        }
        var old = ToyJob(files, incarnation: "old", partitions: [0, 1], options: ToyJob.options, clock: clock)
        let left = try decide(&old, 6, stepMs: 10)
        // It goes on from the last epoch of `old`; soon only a file of decisions says so.
        var middle = ToyJob(files, incarnation: "middle", partitions: [], options: ToyJob.options, clock: clock)
        try middle.resume(left)
        let last = try decide(&middle, 12, stepMs: 10)
        let path = "/ck/decisions/middle/\(try #require(names("middle", in: "decisions").first))"
        let bytes = try files.readAll(path)
        var damaged = bytes
        damaged[bytes.count / 2] ^= 4
        try files.writeAtomically(damaged, to: path)

        var job = ToyJob(files, incarnation: "new", partitions: [], options: ToyJob.options, clock: clock)
        try job.resume(last)
        _ = try decide(&job, 8, stepMs: 200_000)
        #expect(!names("old").contains("6"), "\(names("old"))")
        let said = job.notices.withLock { $0.map(\.description) }
        #expect(said.count == 1, "\(said)")
        #expect(said.first?.hasPrefix("checkpoint file \(path) is damaged: ") == true, "\(said)")
        #expect(said.first?.hasSuffix("put the file back from a copy of the checkpoint") == true, "\(said)")
        // With the file put back nothing is missing.
        func run() throws -> RecordedRun {
            try RecordedRun(CheckpointInventory(ToyJob.directory, files: files), broadcast: [])
        }
        let error = #expect(throws: CheckpointError.self) { try run() }
        #expect(error?.description.contains("checkpoint file \(path) is damaged: ") == true, "\(error as Any)")
        try files.writeAtomically(bytes, to: path)
        #expect(try run().freezes(of: ToyJob.partition(0)).map(\.watermarkMs) == (1...26).map { $0 })
    }

    @Test("what another process left stays while one of its partitions is not ours")
    func partly() throws {
        var random = SeededRandom(seed: 26)
        var last = try leaveBehind(&random, [0, 1])
        last.partitions.removeAll { $0.partition == ToyJob.partition(1) }
        let before = names("old").filter { !$0.hasPrefix(".") }
        var job = ToyJob(files, incarnation: "new", partitions: [], options: ToyJob.options, clock: clock)
        try job.resume(last)
        for _ in 0..<5 {
            pass(200_000)
            try run(&job, 5, &random, snapshotEvery: 2)
        }
        #expect(names("old") == before)
    }

    @Test("the chain of a partition that went stays until its new owner has its own")
    func handedOver() throws {
        var random = SeededRandom(seed: 27)
        var job = ToyJob(files, incarnation: "a", partitions: [0, 1], options: ToyJob.options, clock: clock)
        try run(&job, 6, &random)
        let state = try #require(job.stateTokens[ToyJob.partition(1)])
        var handed = try job.epoch(&random)
        try job.store.decided(handed)
        handed.partitions.removeAll { $0.partition == ToyJob.partition(0) }
        job.partitions = [ToyJob.partition(0)]
        for _ in 0..<5 {
            pass(100_000)
            try run(&job, 4, &random, snapshotEvery: 2)
        }
        #expect(names("a").contains("1") && names("a").contains("\(state.number)"))
        #expect(names("a").count < 7 + 8, "\(names("a"))")

        // The first epochs of the new owner build on the old chain, the later ones do not.
        var other = ToyJob(files, incarnation: "b", partitions: [], options: ToyJob.options, clock: clock)
        try other.resume(handed)
        try run(&other, 2, &random)
        pass(100_000)
        try run(&job, 1, &random)
        #expect(names("a").contains("1"))
        try run(&other, 4, &random, snapshotEvery: 2)
        for _ in 0..<2 {
            pass(100_000)
            try run(&job, 2, &random, snapshotEvery: 2)
        }
        #expect(!names("a").contains("1"), "\(names("a"))")
        var reader = ToyJob(files, incarnation: "c", partitions: [], options: ToyJob.options, clock: clock)
        try reader.resume(try reader.store.record(EpochToken(incarnation: "b", number: 6)))
        #expect(reader.states == other.states)
    }
}
