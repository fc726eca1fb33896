import Connectors
import Glibc
import StreamEngine
import TestSupport
import Testing

/// The same bits whatever way a state came about: lone rows or states, any batches, threads, restarts and forgotten keys.
struct HostileValueTests {
    /// How many inputs each test tries: more by `HOSTILE_INPUTS=N`, from another seed on by `HOSTILE_SEED=N`.
    private static let seeds: Range<UInt64> = {
        func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }
        let first = number("HOSTILE_SEED") ?? 1
        return first..<(first + (number("HOSTILE_INPUTS") ?? 3))
    }()

    private static let shared = ["window_end", "host", "n", "s", "a", "lo", "hi", "sd", "sp", "v"]

    @Test(arguments: seeds) func loneRowsAndStatesGiveTheSameBits(seed: UInt64) throws {
        let input = HostileInput(seed: seed, samples: 1000)
        let run = try EngineHarness.replay(try input.job(), input.texts)
        #expect(run.rows[1].map { HostileInput.shown($0) } == input.expected(), "seed \(seed)")
        let (lone, states) = (run.rows[0].map { FlatRow(text: $0) }, run.rows[1].map { FlatRow(text: $0) })
        #expect(
            lone.map { Self.shared.map($0.field) } == states.map { Self.shared.map($0.field) }, "seed \(seed)")
        #expect(run.summary.balances, "seed \(seed)")
    }

    @Test(arguments: seeds) func batchesThreadsAndForgottenKeysMakeNoDifference(seed: UInt64) throws {
        let input = HostileInput(seed: seed, samples: 1000)
        let job = try input.job()
        let whole = try EngineHarness.replay(job, input.texts)
        var random = SeededRandom(seed: seed)
        for keyTTLMs: Int64 in [86_400_000, 1] {
            var other = job
            other.limits.keyTTLMs = keyTTLMs
            let cuts = input.texts.map { _ in
                (0..<9).map { _ in 1 + random.below([3, 60, 700][random.below(3)]) }
            }
            let run = try EngineHarness.replay(other, input.texts, cuts: cuts, workers: 1 + random.below(4))
            #expect(run.rows == whole.rows, "seed \(seed), keys kept for \(keyTTLMs) ms")
            // By itself a query's threads go on beyond their slices.
            other.queries = [job.queries[0]]
            let alone = try EngineHarness.replay(other, input.texts, cuts: cuts, workers: 3)
            #expect(alone.rows[0] == whole.rows[0], "seed \(seed), keys kept for \(keyTTLMs) ms")
        }
    }

    @Test(arguments: seeds) func restartsMakeNoDifference(seed: UInt64) throws {
        let input = HostileInput(seed: seed, samples: 260)
        var job = try input.job()
        job.trigger = .interval(ms: 0)
        job.limits.keyTTLMs = 1
        let replay = try EngineHarness.replay(job, input.texts)
        var hasDied = false
        for chance in 0..<20 where !hasDied {
            let world = ModelWorld(input.texts, seed: seed << 8 | UInt64(chance), faultEvery: 40)
            _ = try EpochModelTests.run(job, world)
            for (index, query) in job.queries.enumerated() {
                let rows = world.visible["\(query.name) file"] ?? []
                #expect(Array(replay.rows[index].prefix(rows.count)) == rows, "seed \(seed) \(query.name)")
            }
            hasDied = world.troubles.keys.contains { $0.hasPrefix("death") }
        }
        #expect(hasDied, "seed \(seed)")
    }

    @Test(arguments: seeds) func lastRowsOfUpdateAndCompleteAreThoseOfAppend(seed: UInt64) throws {
        let input = HostileInput(seed: seed, samples: 200)
        var random = SeededRandom(seed: seed)
        for mode in [OutputMode.update, .complete] {
            var append = try input.job()
            // Complete: nothing is late.
            if mode == .complete { append.sources[0].watermark.delayMs = 1_000_000_000 }
            var job = append
            job.trigger = .interval(ms: 0)
            for index in job.queries.indices { job.queries[index].outputMode = mode }
            let expected = try EngineHarness.replay(append, input.texts)
            let cuts = input.texts.map { _ in (0..<5).map { _ in 20 + random.below(90) } }
            let run = try EngineHarness.replay(job, input.texts, cuts: cuts, workers: 1 + random.below(3))
            for (index, query) in job.queries.enumerated() {
                var last: [String: String] = [:]
                for row in run.rows[index] { last[FlatRow(text: row).identity] = row }
                #expect(
                    last.values.sorted() == expected.rows[index].sorted(), "\(mode) \(query.name) seed \(seed)")
            }
        }
    }
}
