import Connectors
import Operators
import StreamEngine
import TestSupport
import Testing

/// Series that come and go, limits, and what they must not change.
struct ChurnTests {
    /// Lines of a fleet whose hosts live for a while each; partition p runs `lagMs * p` behind.
    private static func fleet(_ random: inout SeededRandom, partitions: Int, lines: Int, lagMs: Int64) -> [String] {
        (0..<partitions).map { partition in
            var text = ""
            var clock = 10_000 - Int64(partition) * lagMs
            for _ in 0..<lines {
                clock += Int64.random(in: 0...2, using: &random)
                let time = clock - (Int.random(in: 0..<8, using: &random) == 0 ? 12 : 0)
                let host = time / 5 + Int64.random(in: 0..<3, using: &random)
                text +=
                    "m{instance=\"h\(host)\",zone=\"z\(host % 7)\"} \(Int.random(in: 0...9, using: &random)) \(time)\n"
            }
            return text
        }
    }

    private static func job(keyTTLMs: Int64, partitionedBy: [String] = []) throws -> JobDefinition {
        var job = try EngineHarness.job(
            delayMs: 8, window: WindowDefinition(sizeMs: 20, slideMs: 10),
            aggregates: [("n", "count()"), ("s", "sum(value)")])
        var series = job.queries[0]
        series.name = "series"
        series.grouping = .by(["zone"])
        series.aggregates = [
            NamedAggregate("n", try AggregateCall.parse("count(count_over_time(value))")),
            NamedAggregate("s", try AggregateCall.parse("sum(sum_over_time(value))")),
        ]
        var byRow = job.queries[0]
        byRow.name = "byrow"
        byRow.columns = [NamedExpression("bucket", try ExpressionParser.parse("floor(timestamp / 7)"))]
        byRow.grouping = .by(["bucket"])
        job.queries += [series, byRow]
        job.limits.keyTTLMs = keyTTLMs
        return job
    }

    /// Forgetting and using indices again changes no row, also while a slow partition keeps windows waiting.
    @Test(arguments: 0..<2, [OutputMode.append, .update])
    func forgettingChangesNothing(_ seed: UInt64, _ mode: OutputMode) throws {
        var random = SeededRandom(seed: seed)
        let texts = Self.fleet(&random, partitions: 4, lines: 500, lagMs: 150)
        var keeps = try Self.job(keyTTLMs: 1_000_000_000)
        var forgets = try Self.job(keyTTLMs: 1)
        for query in keeps.queries.indices {
            keeps.queries[query].outputMode = mode
            forgets.queries[query].outputMode = mode
        }
        keeps.trigger = .interval(ms: 1_000_000)
        forgets.trigger = .interval(ms: 1_000_000)
        let cuts = texts.map { _ in (0..<5).map { _ in Int.random(in: 5...60, using: &random) } }
        let expected = try EngineHarness.replay(keeps, texts, cuts: cuts, workers: 2)
        let run = try EngineHarness.replay(forgets, texts, cuts: cuts, workers: 2)
        #expect(run.rows == expected.rows, "seed \(seed)")
        #expect(run.summary.balances)
    }

    /// Windows that wait to be taken whenever series are forgotten do not keep the groups of these for ever.
    @Test func waitingWindowsPutForgettingOffOnly() throws {
        let job = try Self.job(keyTTLMs: 1)
        let plan = try CompiledJob(job, registries: EngineHarness.registries).queries[0]
        let series = SeriesDictionary(maxSeries: 10)
        let windows = PaneWindows(plan: plan, partition: EngineHarness.partition(0, of: "metrics"), series: series)
        var rowCount = 0
        for host in 0..<200 {
            let labels = SeriesLabels(name: "m", labels: [Label("instance", ByteString("h\(host)"))])
            let index = series.index(of: labels)
            windows.add(series: series.takeNewIndices())
            let batch = SampleBatch()
            batch.beginRun(offset: Int64(host), linesAreRecords: false)
            batch.append(series: index, timestampMs: Int64(host) * 100, value: 1, place: 1)
            windows.process(batch)
            series.lastSeenMs[Int(index)] = Int64(host) * 100
            let gone = series.indices(lastSeenBefore: Int64(host) * 100)
            windows.forget(series: gone)
            series.forget(gone)
            rowCount += windows.takeFrozen().reduce(0) { $0 + $1.groups.count }
        }
        #expect(rowCount == 2 * 199)
        #expect(windows.groupBound < 5)
    }

    /// In complete mode windows hold series for ever, also those of which nothing is heard any more.
    @Test func completeModeKeepsForgottenSeriesApart() throws {
        var random = SeededRandom(seed: 5)
        let texts = Self.fleet(&random, partitions: 2, lines: 100, lagMs: 0)
        var results: [[[String]]] = []
        for ttl: Int64 in [1_000_000_000, 1] {
            var job = try Self.job(keyTTLMs: ttl)
            for query in job.queries.indices { job.queries[query].outputMode = .complete }
            job.trigger = .interval(ms: 1_000_000)
            results.append(try EngineHarness.replay(job, texts, cuts: [[10], [17]]).rows)
        }
        #expect(results[0] == results[1])
    }

    /// Which samples a full dictionary refuses depends on the record order alone.
    @Test(arguments: 0..<6)
    func dropsFollowTheRecordOrder(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let maxSeries = Int.random(in: 3...7, using: &random)
        var job = try EngineHarness.job(
            delayMs: 5, window: WindowDefinition(sizeMs: 10), aggregates: [("n", "count()")])
        job.limits.maxSeries = maxSeries
        job.limits.keyTTLMs = 1
        job.limits.onLimit = .drop
        let ttl: Int64 = 15
        var held: [Int64: Int64] = [:]
        var newest: Int64?
        var drops = 0
        var text = ""
        var clock: Int64 = 0
        for _ in 0..<600 {
            clock += Int64.random(in: 0...3, using: &random)
            let time = clock - (Int.random(in: 0..<6, using: &random) == 0 ? 9 : 0)
            let host = time / 6 + Int64.random(in: 0..<4, using: &random)
            text += "m{instance=\"h\(host)\"} 1 \(time)\n"
            if held[host] == nil, held.count >= maxSeries, let newest {
                held = held.filter { $0.value >= newest - 5 - ttl }
            }
            if let seen = held[host] {
                held[host] = max(seen, time)
            } else if held.count < maxSeries {
                held[host] = time
            } else {
                drops += 1
            }
            newest = max(newest ?? time, time)
        }
        #expect(drops > 0, "seed \(seed)")
        var rows: [[String]] = []
        for cuts in [[1000], [1], [3, 50, 7]] {
            let run = try EngineHarness.replay(job, [text], cuts: [cuts])
            #expect(run.summary.limitDrops == drops, "seed \(seed) cuts \(cuts)")
            #expect(run.summary.balances)
            rows.append(run.rows[0])
        }
        #expect(rows[0] == rows[1] && rows[0] == rows[2], "seed \(seed)")
    }

    @Test func tooManySeriesAreNamed() throws {
        var job = try EngineHarness.job(
            delayMs: 5, window: WindowDefinition(sizeMs: 10), aggregates: [("n", "count()")])
        job.limits.maxSeries = 20
        let lines = (0..<40).map { "requests{instance=\"a\",path=\"/user/\($0)\"} 1 \($0)\n" }.joined()
        let error = #expect(throws: JobFailure.self) { try EngineHarness.replay(job, [lines]) }
        let text = error?.description ?? ""
        #expect(text.contains("metric requests") && text.contains("label path has 20 values"), "\(text)")
    }

    @Test func stateBytesAreLimited() throws {
        var job = try EngineHarness.job(
            delayMs: 5, window: WindowDefinition(sizeMs: 1000), aggregates: [("n", "count()")])
        job.limits.maxStateBytes = 1000
        job.trigger = .interval(ms: 0)
        let lines = (0..<400).map { "m{instance=\"\($0)\"} 1 \($0)\n" }.joined()
        let error = #expect(throws: JobFailure.self) { try EngineHarness.replay(job, [lines], cuts: [[50]]) }
        #expect(error?.description.contains("limits.maxStateBytes (1000)") ?? false)
    }
}
