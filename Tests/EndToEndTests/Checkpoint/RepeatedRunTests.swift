import Connectors
import JobFile
import Operators
import Platform
import StreamEngine
import TestSupport
import Testing

/// A run in which the clock decides much, against a replay that repeats its decisions (SEMANTICS §3, §7): partitions that fall
/// silent and speak again, one that joins late, samples from the future, events that come too late for a verdict, and
/// processes that die at any call. Time is the model's own: every look at the clock takes a while.
@Suite struct RepeatedRunTests {
    private static let startMs: Int64 = 1_800_000_000_000

    /// A job whose queries mix partitions; with `isLocal` one whose keys live in one partition each.
    static func job(isLocal: Bool) throws -> JobDefinition {
        let partitionedBy = isLocal ? "partitionedBy: [instance]" : ""
        let text = """
            name: repeated
            kafka: {brokers: nowhere:9}
            sources:
              metrics:
                kafka: {topics: [metrics]}
                format: prometheus
                \(partitionedBy)
                watermark: {delay: 10s, idleTimeout: 20s, maxFutureSkew: 60s}
              changes:
                kafka: {topics: [events]}
                format: event-json
                broadcast: true
                watermark: {delay: 5s, idleTimeout: 15s}
            queries:
              - name: counts
                from: metrics
                window: {size: 60s, slide: 20s}
                groupBy: [instance]
                aggregates: {n: count(), s: sum(value), r: max(rate(value))}
                sinks: [{console: {}}]
                anomalies:
                  - name: high
                    column: n
                    detector: {type: threshold, above: 4}
                    emit: all
                    context:
                      - {from: changes, where: type == "Upgrade", match: [instance], after: 2m, before: 10s, maxWait: 25s, action: annotate}
                      - {from: changes, where: type == "Freeze", match: [instance], after: 1m, maxWait: 40s, action: suppress}
                    sinks: [{console: {}}]
                impacts:
                  - {name: effect, column: s, from: changes, match: [instance], before: 80s, after: 60s, maxWait: 25s, sinks: [{console: {}}]}
              - name: late
                from: metrics
                window: {size: 30s}
                allowedLateness: 15s
                groupBy: [\(isLocal ? "instance" : "zone")]
                aggregates: {n: count(), a: avg(value)}
                sinks: [{console: {}}]
            trigger: {interval: 3s}
            """
        let checked = JobFileLoader(registries).load(SourceText(file: "job.yaml", text: text))
        var job = try #require(checked.definition, "\(checked.diagnostics)")
        for index in job.queries.indices { job.queries[index].late = ExtremeTests.lateSink }
        return job
    }

    private static let registries = Registries(
        formats: InputFormats.all, sinks: FileSinks.all, aggregates: Aggregates.all,
        bucketAggregates: BucketAggregates.all, seriesFunctions: SeriesFunctions.all, detectors: Detectors.all)

    /// Records of four partitions, whose event times go with the clock as it passes, and events.
    private static func records(_ random: inout SeededRandom) -> [PartitionID: [[UInt8]]] {
        var records: [PartitionID: [[UInt8]]] = [:]
        for partition in 0..<4 {
            var time = startMs
            let lines = (0..<Int.random(in: 100...220, using: &random)).map { _ -> [UInt8] in
                time += Int64.random(in: 0...3, using: &random) * 1000
                var own = time
                switch Int.random(in: 0..<30, using: &random) {
                case 0: own += 30 * 60_000
                case 1...6: own -= Int64.random(in: 0...40, using: &random) * 1000
                default: break
                }
                let instance = "p\(partition)-\(Int.random(in: 0..<2, using: &random))"
                let zone = "z\(Int.random(in: 0..<2, using: &random))"
                let line =
                    "m{instance=\"\(instance)\",zone=\"\(zone)\"} \(Int.random(in: 0...99, using: &random)) \(own)"
                return Array(line.utf8)
            }
            records[PartitionID(source: "metrics", topic: "metrics", partition: Int32(partition))] = lines
        }
        for partition in 0..<2 {
            var time = startMs
            let lines = (0..<16).map { (number: Int) -> [UInt8] in
                time += Int64.random(in: 0...40, using: &random) * 1000
                let instance = "p\(Int.random(in: 0..<4, using: &random))-\(Int.random(in: 0..<2, using: &random))"
                let type = Bool.random(using: &random) ? "Upgrade" : "Freeze"
                return Array(
                    """
                    {"timestamp":\(time),"type":"\(type)","reason":"r\(number)","severity":"info","object":"o",\
                    "labels":{"instance":"\(instance)"},"message":"m"}
                    """.utf8)
            }
            records[PartitionID(source: "changes", topic: "events", partition: Int32(partition))] = lines
        }
        return records
    }

    /// With `shared` an output of its own name takes the rows of all queries beside.
    private static func outputs(
        _ job: CompiledJob, shared: Bool, _ make: (String, String) -> any Sink
    ) -> JobOutputs {
        let all = shared ? make("all rows", "") : nil
        var outputs = JobOutputs(
            queries: job.queries.enumerated().map { place, plan in
                QueryOutputs(
                    sinks: [make("\(plan.name) rows", plan.name)]
                        + (all.map { [place == 0 ? $0 : SharingSink($0)] } ?? []),
                    late: make("\(plan.name) late", plan.name),
                    anomalies: plan.anomalies.map { [make("\(plan.name) \($0.name)", plan.name)] },
                    impacts: plan.impacts.map { [make("\(plan.name) \($0.name)", plan.name)] })
            }, deadLetter: make("dead letters", ""),
            encodeLate: { query, id, sample in
                Array("\(query) \(id)@\(sample.offset) \(sample.timestampMs) \(sample.windowEndMs)".utf8)
            }, encodeDeadLetter: { Array("\($0)@\($1.offset) \($1.reason)".utf8) })
        func document(_ labels: [Label], _ row: Any) -> [UInt8] {
            let instance = labels.first { $0.name == "instance" }?.value ?? ""
            return Array("{\"instance\":\"\(instance)\"} \(row)".utf8)
        }
        outputs.anomalies = FindingForms { (document($1.labels, $1), []) }
        outputs.impacts = FindingForms { (document($1.labels, $1), []) }
        return outputs
    }

    private static func execution(
        _ job: JobDefinition, _ outputs: (CompiledJob) -> JobOutputs, _ options: ExecutionOptions, _ clock: any Clock
    ) throws -> JobExecution {
        let compiled = try CompiledJob(job, registries: registries)
        return JobExecution(
            job: compiled, outputs: outputs(compiled), options: options, clock: clock,
            makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
    }

    /// Runs processes until everything was read and the clock has closed what it could.
    private static func run(
        _ job: JobDefinition, _ world: ModelWorld, _ topics: ArrivingTopics, losesState: Bool = false,
        shared: Bool = true
    )
        throws -> JobSummary
    {
        for life in 0..<400 {
            if life == 200 { world.faultEvery = 0 }
            world.isDead = false
            var options = ExecutionOptions()
            options.workers = 1 + life % 2
            options.sliceBytes = Int.random(in: 40...900, using: &world.random)
            options.incarnation = EpochToken.randomIncarnation()
            let execution = try Self.execution(
                job, { outputs($0, shared: shared) { ModelSink($0, query: $1, world, isTransactional: false) } },
                options, topics.clock)
            execution.session = CheckpointSession(
                store: ModelStore(world), commitPoint: ModelCommitPoint(world), publishesFirst: false)
            execution.broadcastReaders = [ArrivingSource(topics, world, "changes", isGroup: false)]
            do {
                let stop = StopRequest()
                topics.stop = stop
                return try execution.run(
                    ArrivingSource(topics, world, "metrics", isGroup: true), end: .never, stop: stop,
                    log: { if $0.hasPrefix("falling back") { world.troubles["fallback", default: 0] += 1 } })
            } catch {
                guard world.isDead else { throw error }
            }
            // A damaged block of the newest state: what the epoch's file says beside it can be read.
            if losesState, life % 2 == 0, world.decided.count(where: { world.epochs[$0] != nil }) > 2,
                let newest = world.decided.last(where: { world.epochs[$0] != nil })
            {
                world.epochs[newest]?.sections = [:]
            }
        }
        throw JobFailure("no process came to the end")
    }

    private struct Replayed {
        var rows: [String: [String]] = [:]
        var summary: JobSummary
    }

    /// Replays the offsets of a run, with its decisions or bare.
    private static func replay(_ job: JobDefinition, _ world: ModelWorld, _ run: RecordedRun, bare: Bool) throws
        -> Replayed
    {
        var sinks: [(String, CapturingSink)] = []
        var options = ExecutionOptions()
        options.workers = Int.random(in: 1...3, using: &world.random)
        options.sliceBytes = Int.random(in: 40...5000, using: &world.random)
        let execution = try Self.execution(
            job,
            { job in
                outputs(job, shared: true) { name, query in
                    let sink = CapturingSink(query: query)
                    sinks.append((name, sink))
                    return sink
                }
            }, options, SystemClock())
        if !bare { execution.recordedRun = run }
        let partitions = ["metrics", "changes"].map { source in
            let ids = world.records.keys.filter { $0.source == source }.sorted()
            return (
                source: source,
                readers: ids.compactMap { id -> (any PartitionReader)? in
                    let all = world.records[id] ?? []
                    guard let start = run.starts[id] else { return nil }
                    return ModelReader(
                        id, all, at: Int(start), endOffset: run.ends[id] ?? Int64(all.count), timestampMs: nil)
                }
            )
        }
        let summary = try execution.replay(partitions, stop: StopRequest(), progress: { _ in })
        var replayed = Replayed(summary: summary)
        for (name, sink) in sinks { replayed.rows[name] = sink.published + sink.documents }
        return replayed
    }

    private static func decisions(_ world: ModelWorld) -> [Decision] {
        world.decided.compactMap { world.epochs[$0]?.record.decisions }.flatMap { $0 }
    }

    @Test(arguments: [0, 1, 2, 12])
    func aReplayWithItsDecisionsRepeatsARun(_ block: Int) throws {
        var kinds: [String: Int] = [:]
        var bareDiffers = 0
        for seed in UInt64(block * 3)..<UInt64(block * 3 + 3) {
            let isLocal = seed % 3 == 2
            var random = SeededRandom(seed: 5000 + seed)
            let job = try Self.job(isLocal: isLocal)
            let world = ModelWorld(records: Self.records(&random), seed: seed, faultEvery: seed % 2 == 0 ? 0 : 300)
            let topics = ArrivingTopics(world, seed: seed)
            let live = try Self.run(job, world, topics)
            let run = try RecordedRun(records: world.epochs.values.map(\.record), broadcast: ["changes"])
            let replay = try Self.replay(job, world, run, bare: false)
            for (name, rows) in world.visible {
                let again = replay.rows[name] ?? []
                let words = "seed \(seed) \(name): \(rows.count) rows, replayed \(again.count)"
                if name.hasSuffix("late") || name == "dead letters" {
                    let place = Self.difference(rows.sorted(), again.sorted())
                    #expect(place == nil && rows.count == again.count, "\(words): \(place ?? "")")
                } else if isLocal {
                    // Each key's rows in the same order; the order between partitions is free.
                    let (a, b) = (Dictionary(grouping: rows, by: Self.key), Dictionary(grouping: again, by: Self.key))
                    for (key, own) in a {
                        let place = Self.difference(own, b[key] ?? [])
                        #expect(place == nil, "\(words) \(key): \(place ?? "")")
                    }
                } else {
                    let place = Self.difference(rows, again)
                    #expect(place == nil, "\(words): \(place ?? "")")
                }
            }
            #expect(replay.summary.queries.map(\.ledger) == live.queries.map(\.ledger), "seed \(seed)")
            #expect(replay.summary.future == live.future, "seed \(seed)")
            #expect(live.balances && replay.summary.balances)
            for decision in Self.decisions(world) { kinds[decision.word, default: 0] += 1 }
            let bare = try Self.replay(job, world, run, bare: true)
            if bare.rows != replay.rows { bareDiffers += 1 }
        }
        // A test in which the clock decided nothing shows nothing.
        for kind in ["idle", "active", "clockWatermark", "join", "future", "context", "start"] {
            #expect(kinds[kind] ?? 0 > 0, "\(kind) in \(kinds)")
        }
        #expect(bareDiffers > 0)
    }

    /// State that is lost is made up for by reading again with the decisions of then: no window is shown twice, and none
    /// differs from what the run with its decisions gives.
    ///
    /// Another output asks chance more often: faults come at other places. With it a partition falls silent in the epoch whose state
    /// is lost (seed 4), and one joins in it (seed 8).
    @Test(arguments: 0..<4, [false, true])
    func lostStateIsReadAgainWithItsDecisions(_ block: Int, shared: Bool) throws {
        var fallbacks = 0
        for seed in UInt64(block * 3)..<UInt64(block * 3 + 3) {
            var random = SeededRandom(seed: 6000 + seed)
            var job = try Self.job(isLocal: seed % 3 == 2)
            // Verdicts that do not wait for all events are not repeated.
            for index in job.queries.indices {
                job.queries[index].anomalies = []
                job.queries[index].impacts = []
            }
            let world = ModelWorld(records: Self.records(&random), seed: seed, faultEvery: 120)
            let topics = ArrivingTopics(world, seed: seed)
            let live = try Self.run(job, world, topics, losesState: true, shared: shared)
            let run = try RecordedRun(records: world.epochs.values.map(\.record), broadcast: ["changes"])
            let replay = try Self.replay(job, world, run, bare: false)
            for (name, rows) in world.visible where name.hasSuffix("rows") {
                let again = replay.rows[name] ?? []
                #expect(Set(rows).count == rows.count, "seed \(seed) \(name): rows shown twice")
                let place = Self.difference(rows.sorted(), again.filter { Set(rows).contains($0) }.sorted())
                #expect(place == nil, "seed \(seed) \(name): \(place ?? "")")
            }
            #expect(live.balances)
            fallbacks += world.troubles["fallback"] ?? 0
        }
        #expect(fallbacks > 0)
    }

    /// Where rows do not begin as others do.
    private static func difference(_ rows: [String], _ others: [String]) -> String? {
        for (place, row) in rows.enumerated() where place >= others.count || others[place] != row {
            return "row \(place) is \(row)\n and again \(place < others.count ? others[place] : "not there")"
        }
        return nil
    }

    private static func key(_ row: String) -> String {
        guard let at = row.firstRange(of: "\"instance\":\"") else { return "" }
        return String(row[at.upperBound...].prefix { $0 != "\"" })
    }
}

extension Decision {
    fileprivate var word: String {
        switch kind {
        case .idle: "idle"
        case .active: "active"
        case .clockWatermark: "clockWatermark"
        case .join: "join"
        case .futureTimestamp: "future"
        case .context: "context"
        case .start: "start"
        }
    }
}

/// Topics into which records arrive as the model's time passes, with pauses; one partition is made late.
private final class ArrivingTopics {
    let clock = PassingClock()
    private let world: ModelWorld
    private var random: SeededRandom
    private var available: [PartitionID: Int] = [:]
    private var silentFor: [PartitionID: Int] = [:]
    private var polls = 0
    private var quietUntil = 0
    private var endPolls = 0
    var stop: StopRequest?

    init(_ world: ModelWorld, seed: UInt64) {
        self.world = world
        random = SeededRandom(seed: 900 + seed)
    }

    func count(_ id: PartitionID) -> Int { available[id] ?? 0 }

    /// The group's partitions as of now: the last one comes later.
    func groupPartitions() -> [PartitionID] {
        let all = world.records.keys.filter { $0.source == "metrics" }.sorted()
        return polls < 60 ? all.dropLast() : all
    }

    func broadcastPartitions() -> [PartitionID] { world.records.keys.filter { $0.source == "changes" }.sorted() }

    /// A moment passes.
    func pass() {
        polls += 1
        var isOver = true
        // From time to time nothing comes from anywhere.
        if quietUntil < polls, Int.random(in: 0..<150, using: &random) == 0 { quietUntil = polls + 70 }
        let isQuiet = polls <= quietUntil
        for id in world.records.keys.sorted(by: { ($0.source, $0) < ($1.source, $1) }) {
            let all = world.records[id]?.count ?? 0
            let now = count(id)
            if now < all { isOver = false }
            if isQuiet { continue }
            if let silent = silentFor[id], silent > 0 {
                silentFor[id] = silent - 1
                continue
            }
            if Int.random(in: 0..<40, using: &random) == 0 { silentFor[id] = Int.random(in: 10...60, using: &random) }
            if id.source == "changes" {
                if Int.random(in: 0..<16, using: &random) == 0 { available[id] = min(all, now + 1) }
                continue
            }
            // Some partitions bring what is old when they speak again.
            let burst = Int.random(in: 0..<6, using: &random) == 0 ? 6 : 1
            available[id] = min(all, now + Int.random(in: 0...1, using: &random) * burst)
        }
        if isOver {
            endPolls += 1
            if endPolls > 200 { stop?.request() }
        }
    }
}

/// One look at the clock takes 100 ms.
private final class PassingClock: Clock {
    private let passed = Monitor(Int64(0))

    func monotonicNs() -> Int64 {
        passed.withLock { now in
            now += 100_000_000
            return now
        }
    }

    func wallMs() -> Int64 { 1_800_000_000_000 + monotonicNs() / 1_000_000 }
    func sleep(ms: Int) {}
}

/// The topics as the group's only member reads them, or as a broadcast source is.
private final class ArrivingSource: LiveSource {
    let description = "model"
    private let topics: ArrivingTopics
    private let world: ModelWorld
    private let source: String
    private let isGroup: Bool
    private var assigned: [PartitionID] = []
    private var hasAssigned = false
    private var readers: [PartitionID: ModelReader] = [:]

    init(_ topics: ArrivingTopics, _ world: ModelWorld, _ source: String, isGroup: Bool) {
        self.topics = topics
        self.world = world
        self.source = source
        self.isGroup = isGroup
    }

    private var present: [PartitionID] { isGroup ? topics.groupPartitions() : topics.broadcastPartitions() }

    func poll(untilNs deadlineNs: Int64) -> [SourceEvent] {
        if isGroup { topics.pass() }
        if !hasAssigned {
            hasAssigned = true
            assigned = present
            return [.assigned(assigned)]
        }
        guard isGroup, !readers.isEmpty, assigned != present || world.goesWrong("rebalance") else { return [] }
        hasAssigned = false
        return [Bool.random(using: &world.random) ? .revoked(assigned) : .lost(assigned)]
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
        Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0) })
    }

    func partitions(timeoutMs: Int) throws(SourceError) -> Set<PartitionID> { Set(present) }
    func memberCount(timeoutMs: Int) throws(SourceError) -> Int? { 1 }

    func start(_ offsets: [PartitionID: Int64]) throws(SourceError) -> [any PartitionReader] {
        offsets.sorted { $0.key < $1.key }.map { id, offset in
            let topics = self.topics
            let reader = ModelReader(
                id, world.records[id] ?? [], at: Int(offset), available: { topics.count(id) }, timestampMs: nil)
            readers[id] = reader
            return reader
        }
    }

    func seek(_ partition: PartitionID, to offset: Int64) throws(SourceError) { readers[partition]?.next = Int(offset) }
    func release(_ partitions: [PartitionID]) throws(SourceError) { for id in partitions { readers[id] = nil } }
    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) throws(SourceError) {}
    func bounds(of partition: PartitionID) -> (low: Int64, high: Int64)? { (0, Int64(topics.count(partition))) }
    func close() {}
}
