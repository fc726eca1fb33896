import Connectors
import Operators
import Platform
import StreamEngine
import TestSupport
import Testing

/// The epoch protocol against a world in which anything may fail at any call: what comes out is what an undisturbed run
/// gives, each row once, in order.
@Suite struct EpochModelTests {
    private static func clockless(_ input: VariantInput) throws -> JobDefinition {
        var job = try VariantTests.job(input)
        job.sources[0].watermark.idleTimeoutMs = nil
        job.sources[0].watermark.maxFutureSkewMs = nil
        job.trigger = .interval(ms: 0)
        for index in job.queries.indices {
            job.queries[index].late = ExtremeTests.lateSink
        }
        return job
    }

    /// Runs processes until one of them comes to the end. Gives its summary.
    static func run(_ job: JobDefinition, _ world: ModelWorld, losesState: Bool = false) throws -> JobSummary {
        let compiled = try CompiledJob(job, registries: EngineHarness.registries)
        for life in 0..<400 {
            // Nobody dies for ever.
            if life == 300 { world.faultEvery = 0 }
            world.isDead = false
            let outputs = JobOutputs(
                queries: compiled.queries.indices.map { index in
                    let name = compiled.queries[index].name
                    return QueryOutputs(
                        sinks: [
                            ModelSink("\(name) file", query: name, world, isTransactional: false),
                            ModelSink("\(name) topic", query: name, world, isTransactional: true),
                        ], late: ModelSink("\(name) late", query: name, world, isTransactional: index % 2 == 0))
                }, deadLetter: ModelSink("dead letters", query: "", world, isTransactional: false),
                encodeLate: { query, id, sample in
                    Array("\(query) \(id)@\(sample.offset) \(sample.timestampMs) \(sample.windowEndMs)".utf8)
                }, encodeDeadLetter: { Array("\($0)@\($1.offset) \($1.reason)".utf8) })
            var options = ExecutionOptions()
            options.workers = 1 + life % 2
            options.sliceBytes = Int.random(in: 40...2000, using: &world.random)
            options.incarnation = String(repeating: "0", count: 24) + hexadecimal(life)
            let execution = JobExecution(
                job: compiled, outputs: outputs, options: options, clock: ModelClock(),
                makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
            execution.session = CheckpointSession(
                store: ModelStore(world), commitPoint: ModelCommitPoint(world), publishesFirst: false)
            do {
                return try execution.run(
                    ModelSource(world), end: .availableNow, stop: StopRequest(),
                    log: { if $0.hasPrefix("falling back") { world.troubles["fallback", default: 0] += 1 } })
            } catch {
                guard world.isDead else { throw error }
            }
            if losesState, let newest = world.decided.last(where: { world.epochs[$0] != nil }), life % 3 == 0 {
                // Only where there is something to fall back on.
                if world.decided.filter({ world.epochs[$0] != nil }).count > 2 { world.epochs[newest] = nil }
            }
        }
        throw JobFailure("no process came to the end")
    }

    private static func hexadecimal(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    @Test(arguments: 0..<6)
    func whateverFailsTheRowsAreThoseOfAnUndisturbedRun(_ block: Int) throws {
        var troubles: [String: Int] = [:]
        for seed in UInt64(block * 5)..<UInt64(block * 5 + 5) {
            let input = VariantInput(seed: 7000 + seed)
            let job = try Self.clockless(input)
            let calm = ModelWorld(input, seed: seed, faultEvery: 0)
            let expected = try Self.run(job, calm)
            let world = ModelWorld(input, seed: seed, faultEvery: Int(8 + seed % 3 * 30))
            let summary = try Self.run(job, world)
            for name in Set(calm.visible.keys).union(world.visible.keys) {
                // Late rows and dead letters of different partitions come in the order of slices.
                let isByPartition = name.hasSuffix("late") || name == "dead letters"
                let (a, b) = (calm.visible[name] ?? [], world.visible[name] ?? [])
                #expect(isByPartition ? a.sorted() == b.sorted() : a == b, "seed \(seed) \(name)")
            }
            #expect(summary.balances, "seed \(seed)")
            #expect(summary.samples == expected.samples, "seed \(seed)")
            #expect(summary.queries.map(\.ledger) == expected.queries.map(\.ledger), "seed \(seed)")
            // What an undisturbed replay gives begins with what the run gave.
            let replay = try EngineHarness.replay(job, input.texts)
            for (index, query) in job.queries.enumerated() {
                let rows = calm.visible["\(query.name) file"] ?? []
                #expect(Array(replay.rows[index].prefix(rows.count)) == rows, "seed \(seed) \(query.name)")
            }
            troubles.merge(world.troubles) { $0 + $1 }
        }
        // A test in which nothing went wrong shows nothing.
        #expect(troubles.count > 8, "\(troubles)")
    }

    /// The newest state is gone: an older one is fallen back on, and what it lacks is read again without output.
    @Test(arguments: 0..<4)
    func lostStateIsReadAgain(_ block: Int) throws {
        var fallbacks = 0
        for seed in UInt64(block * 5)..<UInt64(block * 5 + 5) {
            let input = VariantInput(seed: 9000 + seed)
            let job = try Self.clockless(input)
            let calm = ModelWorld(input, seed: seed, faultEvery: 0)
            _ = try Self.run(job, calm)
            let world = ModelWorld(input, seed: seed, faultEvery: 40)
            let summary = try Self.run(job, world, losesState: true)
            for query in job.queries {
                for name in ["\(query.name) file", "\(query.name) topic"] {
                    #expect(calm.visible[name] ?? [] == world.visible[name] ?? [], "seed \(seed) \(name)")
                }
            }
            #expect(summary.balances, "seed \(seed)")
            fallbacks += world.troubles["fallback"] ?? 0
        }
        #expect(fallbacks > 0)
    }

    /// Retention overtakes the job, while it runs and between two processes: with `onDataLoss: continue` every offset is either read
    /// or stands in the ledger as lost, once.
    @Test(arguments: 0..<4)
    func whatRetentionTookStandsInTheLedger(_ block: Int) throws {
        var lost = 0
        for seed in UInt64(block * 5)..<UInt64(block * 5 + 5) {
            let input = VariantInput(seed: 11_000 + seed)
            var job = try Self.clockless(input)
            job.onDataLoss = .continue
            let world = ModelWorld(input, seed: seed, faultEvery: seed % 2 == 0 ? 0 : 60)
            var chance = SeededRandom(seed: seed)
            world.onPoll = { [unowned world] in
                for id in world.records.keys.sorted() where Bool.random(using: &chance) {
                    let (low, count) = (world.lows[id] ?? 0, world.records[id]?.count ?? 0)
                    world.lows[id] = min(count, low + Int.random(in: 0...60, using: &chance))
                }
            }
            let summary = try Self.run(job, world)
            for partition in summary.partitions {
                let ledger = partition.ledger
                #expect(
                    ledger.records + ledger.lostOffsets == world.records[partition.id]?.count, "seed \(seed) \(ledger)")
                for (a, b) in zip(ledger.lost, ledger.lost.dropFirst()) { #expect(a.upperBound < b.lowerBound) }
            }
            #expect(summary.balances, "seed \(seed)")
            lost += summary.lostOffsets
            var strict = job
            strict.onDataLoss = .fail
            let again = ModelWorld(input, seed: seed, faultEvery: 0)
            for id in again.records.keys { again.lows[id] = 1 }
            again.onPoll = { [unowned again] in
                for id in again.records.keys { again.lows[id] = again.records[id]?.count }
            }
            let words = #expect(throws: JobFailure.self) { try Self.run(strict, again) }
            #expect(words?.description.contains("are no longer in the log") == true, "\(words as Any)")
        }
        #expect(lost > 20)
    }
}

/// A clock that runs a second a look, so that nothing in a model waits.
struct ModelClock: Clock {
    private let passed = Monitor(Int64(0))

    func monotonicNs() -> Int64 {
        passed.withLock { now in
            now += 1_000_000_000
            return now
        }
    }

    func wallMs() -> Int64 { 1_800_000_000_000 + monotonicNs() / 1_000_000 }
    func sleep(ms: Int) {}
}
