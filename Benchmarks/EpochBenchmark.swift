import Connectors
import Glibc
import Operators
import Platform
import StreamEngine

/// What checkpoints cost the engine, in one run, on two threads, with transactions that take no time (so that state is all there is to see):
///
/// - `cost`: 1,000,000 groups (20 partitions of 50,000 series, five aggregates) of which an epoch touches 1 %: its bytes and
///   time against those of the whole state; then how long a new process takes to have it all in memory again.
/// - `throughput`: 20 partitions, 4 queries, 200,000 groups, an epoch a second: samples a second with state against without,
///   when each epoch touches all groups and when it touches 1 %.
///
/// State goes to the directory named by TMPDIR (else `/tmp`), with fsync.
func runEpochBenchmark() throws {
    try measureCost()
    for share in [1.0, 0.01] { try measureThroughput(share) }
}

private func measureCost() throws {
    let state = try StateDirectory()
    defer { state.remove() }
    let job = try benchmarkJob(queries: 1)
    let feed = Feed(partitions: 20, series: 50_000)
    // Everything once, as one epoch when the run is stopped; then epochs that touch 1 %.
    var slow = job
    slow.trigger = .interval(ms: 600_000)
    let whole = try run(slow, feed, state, stopAfterScrape: true) { $0 == 0 ? 1 : 0 }
    let changes = try run(job, feed, state, stopAfterEpochs: 12) { _ in 0.01 }
    let clock = SystemClock()
    let start = clock.monotonicNs()
    let again = try run(job, feed, state, stopAfterEpochs: 0) { _ in 0.01 }
    let recovery = Double((again.readingNs ?? clock.monotonicNs()) - start) / 1e9
    // The first epoch of a process carries what was read since; the ones after it are the steady state.
    let times = changes.commitMs.dropFirst(2).sorted()
    let sizes = changes.bytes.dropFirst(2).sorted()
    guard let fullMs = whole.commitMs.max(), let fullBytes = whole.bytes.max(), !times.isEmpty, !sizes.isEmpty else {
        throw JobFailure("nothing was committed")
    }
    let (ms, bytes) = (times[times.count / 2], sizes[sizes.count / 2])
    print(
        "epochs, 1,000,000 groups: whole \(fullBytes >> 10) KiB in \(rounded(fullMs)) ms; 1 % touched \(bytes >> 10) KiB "
            + "(\(rounded(Double(bytes) * 100 / Double(fullBytes))) %) in \(rounded(ms)) ms "
            + "(\(rounded(ms * 100 / fullMs)) %, median of \(times.count)); recovered in \(rounded(recovery)) s")
}

private func measureThroughput(_ share: Double) throws {
    let job = try benchmarkJob(queries: 4)
    let feed = Feed(partitions: 20, series: 2_500)
    let state = try StateDirectory()
    defer { state.remove() }
    var with: [Double] = []
    var without: [Double] = []
    for _ in 0..<3 {
        without.append(try run(job, feed, nil, seconds: 5) { $0 == 0 ? 1 : share }.samplesPerSecond)
        with.append(try run(job, feed, state, seconds: 5) { $0 == 0 ? 1 : share }.samplesPerSecond)
    }
    let ratio = with.sorted()[1] / without.sorted()[1]
    print(
        "epochs, 200,000 groups, \(Int(share * 100)) % touched a second: \(rounded(with.sorted()[1] / 1e6)) M samples/s with "
            + "state, \(rounded(without.sorted()[1] / 1e6)) M without (\(rounded(ratio * 100)) %, medians of 3)")
}

private func rounded(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

private func benchmarkJob(queries: Int) throws -> JobDefinition {
    var source = SourceDefinition(name: "metrics", topics: .topics(["metrics"]), format: "prometheus")
    source.watermark.delayMs = 0
    source.watermark.maxFutureSkewMs = nil
    source.watermark.idleTimeoutMs = nil
    source.partitionedBy = ["instance"]
    let all = try (0..<queries).map { index in
        var query = QueryDefinition(name: "q\(index)", from: "metrics", window: WindowDefinition(sizeMs: 86_400_000))
        query.grouping = .by(["instance"])
        query.aggregates = try ["count()", "sum(value)", "avg(value)", "min(value)", "max(value)"].enumerated().map {
            NamedAggregate("a\($0)", try AggregateCall.parse($1))
        }
        return query
    }
    var job = JobDefinition(name: "epochs", sources: [source], queries: all)
    job.limits.maxSeries = 10_000_000
    return job
}

/// What a run showed.
private struct Measured {
    var samplesPerSecond = 0.0
    var commitMs: [Double] = []
    var bytes: [Int64] = []
    /// When the partitions' state was in memory (monotonic).
    var readingNs: Int64?
}

/// Runs the job until so many epochs are committed, or so many seconds have passed since the first. `share` gives the part
/// of the series that a round (by its number) touches.
private func run(
    _ definition: JobDefinition, _ feed: Feed, _ state: StateDirectory?, stopAfterEpochs: Int? = nil,
    seconds: Double? = nil, stopAfterScrape: Bool = false, _ share: @escaping (Int) -> Double
) throws -> Measured {
    let registries = Registries(
        formats: InputFormats.all, sinks: [], aggregates: Aggregates.all, bucketAggregates: BucketAggregates.all,
        seriesFunctions: SeriesFunctions.all)
    let job = try CompiledJob(definition, registries: registries)
    let outputs = JobOutputs(
        queries: job.queries.map { _ in QueryOutputs(sinks: [], late: nil) }, deadLetter: nil,
        encodeLate: { _, _, _ in [] }, encodeDeadLetter: { _, _ in [] })
    var options = ExecutionOptions()
    options.workers = 2
    options.incarnation = EpochToken.randomIncarnation()
    let execution = JobExecution(
        job: job, outputs: outputs, options: options, clock: SystemClock(),
        makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
    var store: FileStateStore?
    if let state {
        let made = FileStateStore(directory: state.path, incarnation: options.incarnation) { print("epochs: \($0)") }
        store = made
        let session = CheckpointSession(store: made, commitPoint: state.commitPoint, publishesFirst: false)
        session.packing = .zstd
        session.compact = { made.compactIfDue($0, at: $1, merge: $2) }
        execution.session = session
    }
    defer { store?.close() }
    let stop = StopRequest()
    let source = FeedSource(feed, state?.commitPoint.committed ?? [:], share)
    if stopAfterScrape { source.stop = stop }
    var measured = Measured()
    var first: (ns: Int64, samples: Int)?
    var samples = 0
    execution.onProgress = { progress in
        samples += progress.samples
        let nowNs = SystemClock().monotonicNs()
        measured.commitMs.append(progress.commitMs)
        if let state { measured.bytes.append(state.newestBytes(options.incarnation)) }
        guard let begun = first else {
            first = (nowNs, samples)
            if stopAfterEpochs == 1 { stop.request() }
            return
        }
        let elapsed = Double(nowNs - begun.ns) / 1e9
        measured.samplesPerSecond = Double(samples - begun.samples) / elapsed
        if let seconds, elapsed >= seconds { stop.request() }
        if let stopAfterEpochs, measured.commitMs.count >= stopAfterEpochs { stop.request() }
    }
    _ = try execution.run(source, end: .never, stop: stop) { line in
        guard line.hasPrefix("reading") else { return }
        measured.readingNs = SystemClock().monotonicNs()
        if stopAfterEpochs == 0 { stop.request() }
    }
    return measured
}

/// A checkpoint directory of the benchmark, and the offsets that outlive its runs.
private final class StateDirectory {
    let path: String
    let commitPoint = InstantCommitPoint()

    init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        path = "\(base)/epoch-benchmark-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try PosixFileSystem().createDirectories(path)
    }

    func remove() { try? PosixFileSystem().removeTree(path) }

    /// Bytes of the newest epoch's file.
    func newestBytes(_ incarnation: String) -> Int64 {
        let files = PosixFileSystem()
        let directory = "\(path)/epochs/\(incarnation)"
        let newest = ((try? files.list(directory)) ?? []).compactMap { Int($0) }.max()
        return newest.flatMap { try? files.status("\(directory)/\($0)")?.size } ?? 0
    }
}

/// Commits at once.
private final class InstantCommitPoint: CommitPoint {
    let slot = "0"
    private(set) var committed: [PartitionID: CommittedOffset] = [:]

    func assignmentAccepted() throws(SourceError) {}
    func assignmentEnded() {}
    func begin() throws(SourceError) {}
    func commit(_ offsets: [PartitionID: CommittedOffset]) -> CommitOutcome {
        committed.merge(offsets) { $1 }
        return .committed
    }
    func abort() {}
    func renew() throws(SourceError) {}
    func endAbandoned() {}
    func close() {}
}

/// Scrapes of many series as messages of 500 lines, made once for each partition; times are filled in while they are read.
private final class Feed {
    let partitions: Int
    /// The messages of a scrape of each partition, without times.
    let lines: [[[UInt8]]]

    init(partitions: Int, series: Int) {
        self.partitions = partitions
        lines = (0..<partitions).map { partition in
            (0..<series).map {
                Array("load{instance=\"node-\(partition)-\($0):9100\",job=\"node\"} \($0 % 97).5 ".utf8)
            }
        }
    }
}

private final class FeedSource: LiveSource {
    let description = "feed"
    private let feed: Feed
    private let offsets: [PartitionID: CommittedOffset]
    private let share: (Int) -> Double
    private var hasAssigned = false
    private var readers: [FeedReader] = []
    /// Asked to stop when every partition has had a scrape.
    var stop: StopRequest?

    init(_ feed: Feed, _ offsets: [PartitionID: CommittedOffset], _ share: @escaping (Int) -> Double) {
        self.feed = feed
        self.offsets = offsets
        self.share = share
    }

    private var ids: [PartitionID] {
        (0..<feed.partitions).map { PartitionID(source: "metrics", topic: "metrics", partition: Int32($0)) }
    }

    func poll(untilNs deadlineNs: Int64) -> [SourceEvent] {
        defer { hasAssigned = true }
        if !readers.isEmpty, readers.allSatisfy(\.hasScraped) { stop?.request() }
        return hasAssigned ? [] : [.assigned(ids)]
    }

    func committed(
        _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: CommittedOffset] { offsets }
    func startingOffsets(_ partitions: [PartitionID], timeoutMs: Int) throws(SourceError) -> [PartitionID: Int64] {
        try firstOffsets(partitions, timeoutMs: timeoutMs)
    }
    func firstOffsets(_ partitions: [PartitionID], timeoutMs: Int) throws(SourceError) -> [PartitionID: Int64] {
        Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0) })
    }
    func partitions(timeoutMs: Int) throws(SourceError) -> Set<PartitionID> { Set(ids) }
    func memberCount(timeoutMs: Int) throws(SourceError) -> Int? { 1 }
    func start(_ offsets: [PartitionID: Int64]) throws(SourceError) -> [any PartitionReader] {
        readers = offsets.sorted { $0.key < $1.key }.map {
            FeedReader($0, feed.lines[Int($0.partition)], at: $1, share)
        }
        return readers
    }
    func seek(_ partition: PartitionID, to offset: Int64) throws(SourceError) {}
    func release(_ partitions: [PartitionID]) throws(SourceError) {}
    func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) throws(SourceError) {}
    func bounds(of partition: PartitionID) -> (low: Int64, high: Int64)? { nil }
    func close() {}
}

/// One partition without end: scrape after scrape, of all series or of a share that moves on each second.
private final class FeedReader: PartitionReader {
    let id: PartitionID
    private let lines: [[UInt8]]
    private let share: (Int) -> Double
    private var offset: Int64
    private var round = 0
    private var next = 0
    private var buffer: [UInt8] = []
    private var range = 0..<0
    private let startNs = SystemClock().monotonicNs()

    init(_ id: PartitionID, _ lines: [[UInt8]], at offset: Int64, _ share: @escaping (Int) -> Double) {
        self.id = id
        self.lines = lines
        self.share = share
        // The record before the checkpoint's position, which a start looks at, is not made again.
        self.offset = offset > 0 ? offset + 1 : 0
    }

    func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        var left = maxBytes
        while left > 0 {
            if next >= range.upperBound { beginRound() }
            buffer.removeAll(keepingCapacity: true)
            // Event time moves a millisecond a message: windows stay open.
            let time = Array("\(1_767_225_600_000 + offset)\n".utf8)
            for line in lines[next..<min(next + 500, range.upperBound)] {
                buffer += line
                buffer += time
            }
            next += 500
            try buffer.withUnsafeBufferPointer {
                try body(RawRecord(bytes: $0, offset: offset, timestampMs: nil, linesAreRecords: false))
            }
            offset += 1
            left -= buffer.count
        }
        return .more
    }

    /// Whether the first round is over.
    var hasScraped: Bool { round > 1 }

    private func beginRound() {
        let count = max(1, Int(Double(lines.count) * share(round)))
        let second = Int((SystemClock().monotonicNs() - startNs) / 1_000_000_000)
        let first = count == lines.count ? 0 : second * count % (lines.count - count)
        range = first..<(first + count)
        next = first
        round += 1
    }

    var progress: (consumed: Int64, total: Int64)? { nil }
    func hibernate() {}
    func close() {}
}
