import Connectors
import Glibc
import Operators
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import stream_job

/// Flags are equal live, replayed, restarted at any epoch and with any batch boundaries: random jobs over every detector,
/// with context, groups, rules and impacts, against the world of `ModelWorld` in which any call may fail.
@Suite struct DetectorModelTests {
    /// Jobs of each test; DETECTOR_MODEL_JOBS asks for more.
    static let jobs = UInt64(getenv("DETECTOR_MODEL_JOBS").flatMap { UInt64(String(cString: $0)) } ?? 8)

    /// What each output showed, by query and detector or impact, in order.
    typealias Shown = [String: [String]]

    private static func outputs(_ job: CompiledJob, _ sink: (String) -> any Sink) -> JobOutputs {
        var outputs = JobOutputs(
            queries: job.definition.queries.map { query in
                QueryOutputs(
                    sinks: [sink("\(query.name) rows")], late: nil,
                    anomalies: query.anomalies.map { [sink("\(query.name) \($0.name)")] },
                    impacts: query.impacts.map { [sink("\(query.name) \($0.name)")] })
            }, deadLetter: nil, encodeLate: { _, _, _ in [] }, encodeDeadLetter: { _, _ in [] })
        outputs.anomalies = .anomalies
        outputs.impacts = .impacts
        return outputs
    }

    // MARK: Replay

    static func replay(_ input: DetectorInput, cuts: [[Int]] = [], workers: Int = 1) throws -> Shown {
        let job = try CompiledJob(try input.definition(), registries: .standard)
        var sinks: [String: CapturingSink] = [:]
        let outputs = outputs(job) { name in
            let sink = CapturingSink(query: String(name.prefix { $0 != " " }))
            sinks[name] = sink
            return sink
        }
        var options = ExecutionOptions()
        options.workers = workers
        let execution = JobExecution(
            job: job, outputs: outputs, options: options, clock: SystemClock(),
            makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
        func readers(_ source: String, _ texts: [String]) -> (source: String, readers: [any PartitionReader]) {
            let readers = texts.enumerated().map { index, text -> any PartitionReader in
                MemoryReader(
                    id: EngineHarness.partition(Int32(index), of: source), text: text,
                    cuts: index < cuts.count ? cuts[index] : [1000])
            }
            return (source, readers)
        }
        _ = try execution.replay(
            [readers("metrics", input.metrics), readers("changes", input.events)], stop: StopRequest(),
            progress: { _ in })
        return sinks.mapValues { $0.published + $0.documents }
    }

    // MARK: Live

    /// Runs processes until one of them comes to the end, and then one that is shown every event.
    static func run(_ input: DetectorInput, _ world: ModelWorld, losesState: Bool = false) throws -> Shown {
        let job = try CompiledJob(try input.definition(), registries: .standard)
        let faultEvery = world.faultEvery
        world.revealsAll = faultEvery == 0
        var isFinishing = false
        for life in 0..<500 {
            if life == 400 { world.faultEvery = 0 }
            world.isDead = false
            var options = ExecutionOptions()
            options.workers = 1 + life % 2
            options.sliceBytes = isFinishing ? 1 << 20 : Int.random(in: 40...3000, using: &world.random)
            options.reachTimeoutMs = 100_000_000
            let number = String(life, radix: 16)
            options.incarnation = String(repeating: "0", count: 32 - number.count) + number
            let execution = JobExecution(
                job: job,
                outputs: outputs(job) {
                    ModelSink(
                        $0, query: String($0.prefix { $0 != " " }), world,
                        isTransactional: $0.hasSuffix("1") || $0.hasSuffix("i"))
                }, options: options, clock: ModelClock(),
                makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
            execution.broadcastReaders = [ModelBroadcast(world)]
            execution.session = CheckpointSession(
                store: ModelStore(world), commitPoint: ModelCommitPoint(world), publishesFirst: false)
            do {
                _ = try execution.run(
                    ModelSource(world), end: .availableNow, stop: StopRequest(),
                    log: { if $0.hasPrefix("falling back") { world.troubles["fallback", default: 0] += 1 } })
                if isFinishing { return world.visible }
                isFinishing = true
                world.revealsAll = true
                world.faultEvery = 0
            } catch {
                guard world.isDead else { throw error }
            }
            // Only where there is something to fall back on.
            let whole = world.decided.filter { world.epochs[$0] != nil }
            if losesState, life % 3 == 0, whole.count > 2, let newest = whole.last, !isFinishing {
                world.epochs[newest] = nil
            }
        }
        throw JobFailure("no process came to the end")
    }

    // MARK: Comparing

    /// Where each partition's windows go out by themselves, only the order of each partition's rows is fixed.
    private static func comparable(_ rows: [String], _ input: DetectorInput) -> [[String]] {
        guard input.isLocal else { return [rows] }
        return Dictionary(grouping: rows) { row in
            let rest = row.firstRange(of: #""partition":"#).map { row[$0.upperBound...] } ?? ""
            return String(rest.prefix { $0 != "," && $0 != "}" })
        }.sorted { $0.key < $1.key }.map(\.value)
    }

    private static func compare(_ found: Shown, _ wanted: Shown, _ input: DetectorInput, _ what: String) {
        for name in Set(found.keys).union(wanted.keys).sorted() {
            let (a, b) = (comparable(found[name] ?? [], input), comparable(wanted[name] ?? [], input))
            guard a != b else { continue }
            let differing = zip(a.joined(), b.joined()).first { $0 != $1 }
            Issue.record(
                """
                seed \(input.seed), \(name), \(what): \(a.joined().count) rows, not \(b.joined().count); first \
                difference: \(differing.map { "\($0)\nnot \($1)" } ?? "in number") in\n\(input.yaml)
                """)
            return
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func flagsAreEqualHoweverTheyComeAbout(_ block: UInt64) throws {
        var flags: [String: Int] = [:]
        var troubles: [String: Int] = [:]
        for seed in stride(from: block, to: Self.jobs, by: 4) {
            let input = DetectorInput(seed: 11_000 + seed)
            var random = SeededRandom(seed: seed)
            let whole = try Self.replay(input)
            let cuts = input.metrics.map { _ in (0..<8).map { _ in Int.random(in: 1...40, using: &random) } }
            Self.compare(try Self.replay(input, cuts: cuts, workers: 3), whole, input, "cut anywhere")
            let calm = try Self.run(
                input, ModelWorld(input.metrics, events: input.events, seed: seed, faultEvery: 0))
            // The end of input closes the last windows in a replay only.
            for (name, rows) in whole {
                let live = Self.comparable(calm[name] ?? [], input)
                for own in live {
                    let all = Self.comparable(rows, input).first { $0.first == own.first } ?? []
                    if Array(all.prefix(own.count)) != own {
                        Issue.record("seed \(input.seed), \(name): live is no beginning of the replay\n\(input.yaml)")
                    }
                }
            }
            let world = ModelWorld(
                input.metrics, events: input.events, seed: seed, faultEvery: Int(10 + seed % 3 * 30))
            Self.compare(try Self.run(input, world), calm, input, "with faults")
            for (kind, count) in world.troubles { troubles[kind, default: 0] += count }
            for (place, type) in input.types.enumerated() {
                flags[type, default: 0] += whole["q\(place / 3) d\(place % 3)"]?.count ?? 0
            }
            flags["impact", default: 0] += (whole["q0 i"]?.count ?? 0) + (whole["q1 i"]?.count ?? 0)
        }
        // A test in which nothing was flagged, or went wrong, shows nothing.
        #expect(flags.values.reduce(0, +) > 100, "\(flags)")
        #expect(troubles.count > 3, "\(troubles)")
        #expect(flags["impact"] ?? 0 > 10)
    }

    /// The newest state is gone: an older one is fallen back on. Verdicts that were shown are not shown again, those that
    /// waited for events are shown once.
    @Test(arguments: 0..<4 as Range<UInt64>)
    func lostStateShowsNothingTwice(_ block: UInt64) throws {
        var fallbacks = 0
        for seed in stride(from: block, to: Self.jobs, by: 4) {
            let input = DetectorInput(seed: 12_000 + seed)
            let calm = try Self.run(
                input, ModelWorld(input.metrics, events: input.events, seed: seed, faultEvery: 0))
            let world = ModelWorld(input.metrics, events: input.events, seed: seed, faultEvery: 40)
            Self.compare(try Self.run(input, world, losesState: true), calm, input, "with lost state")
            fallbacks += world.troubles["fallback"] ?? 0
        }
        #expect(fallbacks > 0)
    }

    /// Over the seeds of this suite every type of detector has its turn.
    @Test func everyDetectorHasItsTurn() {
        var types: Set<String> = []
        for seed in UInt64(0)..<8 { types.formUnion(DetectorInput(seed: 11_000 + seed).types) }
        #expect(types == Set(Detectors.all.map(\.name)))
    }
}
