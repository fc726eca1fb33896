import Connectors
import StreamEngine
import TestSupport
import Testing

/// Random input for queries of every shape over one source.
struct VariantInput {
    struct Sample {
        let partition: Int
        let timestampMs: Int64
        let value: Double
        let labels: [String: String]
    }

    let seed: UInt64
    let window: WindowDefinition
    let delayMs: Int64
    let partitions: [[Sample]]

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        self.seed = seed
        let size = Int64.random(in: 2...40, using: &random) * 10
        let slide = Bool.random(using: &random) ? size : Int64.random(in: 1...(size / 10), using: &random) * 10
        window = WindowDefinition(
            sizeMs: size, slideMs: slide, offsetMs: Int64.random(in: (-slide + 1)...(slide - 1), using: &random))
        delayMs = Int64.random(in: 0...size, using: &random)
        var partitions: [[Sample]] = []
        for partition in 0..<Int.random(in: 1...4, using: &random) {
            var clock = Int64.random(in: -2000...2000, using: &random)
            partitions.append(
                (0..<Int.random(in: 1...150, using: &random)).map { _ in
                    clock += Int64.random(in: 0...(size / 4), using: &random)
                    let isEarlier = Int.random(in: 0..<4, using: &random) == 0
                    var labels = ["instance": "h\(Int.random(in: 0..<3, using: &random))"]
                    if Bool.random(using: &random) { labels["zone"] = "z\(Int.random(in: 0..<2, using: &random))" }
                    return Sample(
                        partition: partition,
                        timestampMs: clock - (isEarlier ? Int64.random(in: 0...(3 * size), using: &random) : 0),
                        value: Double(Int.random(in: -400...400, using: &random)) / 8, labels: labels)
                })
        }
        self.partitions = partitions
    }

    var texts: [String] {
        partitions.map { samples in
            samples.map { sample in
                let labels = sample.labels.sorted { $0.key > $1.key }.map { "\($0.key)=\"\($0.value)\"" }
                return "m{\(labels.joined(separator: ","))} \(sample.value) \(sample.timestampMs)\n"
            }.joined()
        }
    }

    func randomCuts(_ random: inout SeededRandom) -> [[Int]] {
        partitions.map { _ in (0..<8).map { _ in Int.random(in: 1...40, using: &random) } }
    }

    /// `end|key|count|sum` of each row that must come out of a query, sorted as text; `key` nil: filtered out.
    func expected(_ key: (Sample) -> String?, delayMs: Int64) -> [String] {
        var rows: [String: (count: Int, sum: Double)] = [:]
        for samples in partitions {
            var newest: Int64?
            for sample in samples {
                let t = sample.timestampMs
                var number = EventTime.floorDivide(t - window.offsetMs, window.slideMs)
                while number * window.slideMs + window.offsetMs + window.sizeMs > t {
                    let end = number * window.slideMs + window.offsetMs + window.sizeMs
                    if newest.map({ $0 - delayMs < end }) ?? true, let key = key(sample) {
                        let row = rows["\(end)|\(key)", default: (0, 0)]
                        rows["\(end)|\(key)"] = (row.count + 1, row.sum + sample.value)
                    }
                    number -= 1
                }
                newest = max(newest ?? t, t)
            }
        }
        return rows.map { "\($0.key)|\($0.value.count)|\($0.value.sum)" }.sorted()
    }
}

/// Reads the flat JSON rows of the engine.
struct FlatRow {
    let text: String

    func field(_ name: String) -> String {
        let parts = text.dropFirst().dropLast().split(separator: ",")
        for part in parts where part.hasPrefix("\"\(name)\":") {
            let value = part.dropFirst(name.utf8.count + 3)
            return value.hasPrefix("\"") ? String(value.dropFirst().dropLast()) : String(value)
        }
        return "-"
    }

    /// Window and key: all that stands before the first aggregate, `n`.
    var identity: String {
        var kept = ""
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            if part.hasPrefix("\"n\":") { break }
            kept += part + ","
        }
        return kept
    }

    func shown(_ keys: [String]) -> String {
        let end = EventTime.parseRFC3339(field("window_end")) ?? 0
        return "\(end)|\(keys.map(field).joined(separator: "/"))|\(field("n"))|\(field("s"))"
    }
}

/// Queries of every shape: against the contract, and the same bytes however batches are cut and threads run.
struct VariantTests {
    private static func query(
        _ name: String, _ input: VariantInput, _ change: (inout QueryDefinition) throws -> Void
    ) throws -> QueryDefinition {
        var query = QueryDefinition(name: name, from: "metrics", window: input.window)
        query.aggregates = [
            NamedAggregate("n", try AggregateCall.parse("count()")),
            NamedAggregate("s", try AggregateCall.parse("sum(value)")),
        ]
        try change(&query)
        return query
    }

    static func job(_ input: VariantInput) throws -> JobDefinition {
        var source = SourceDefinition(name: "metrics", topics: .topics(["metrics"]), format: "prometheus")
        source.watermark.delayMs = input.delayMs
        let queries = [
            try query("without", input) { $0.grouping = .without(["instance"]) },
            try query("byrow", input) {
                $0.columns = [NamedExpression("b", try ExpressionParser.parse("floor(value / 20)"))]
                $0.grouping = .by(["b", "zone"])
            },
            try query("mixed", input) {
                $0.where = try ExpressionParser.parse(#"value > -20 and zone != "z1" and instance =~ "h[01]""#)
                $0.grouping = .by(["instance"])
            },
            try query("parts", input) {
                $0.aggregates[0] = NamedAggregate("n", try AggregateCall.parse(#"count() where zone == "z0""#))
                $0.aggregates[1] = NamedAggregate("s", try AggregateCall.parse("sum(value) where value > 0"))
                $0.grouping = .by(["instance"])
            },
            try query("placed", input) { $0.grouping = .by(["topic", "partition"]) },
            try query("selected", input) {
                $0.select = try SeriesSelector.parse(#"m{zone="z0"}"#)
                $0.grouping = .by([])
            },
            try query("series", input) {
                $0.aggregates = [
                    NamedAggregate("n", try AggregateCall.parse("count(last_over_time(value))")),
                    NamedAggregate("r", try AggregateCall.parse("sum(rate(value))")),
                    NamedAggregate("m", try AggregateCall.parse(#"max(max_over_time(value)) where zone == "z0""#)),
                    NamedAggregate("p", try AggregateCall.parse("sum(sum_over_time(value)) where value > 0")),
                ]
                $0.grouping = .by(["instance", "partition"])
            },
        ]
        return JobDefinition(name: "test", sources: [source], queries: queries)
    }

    @Test(arguments: 0..<6)
    func everyShapeEqualsTheContract(_ block: Int) throws {
        for seed in UInt64(block * 4)..<UInt64(block * 4 + 4) {
            let input = VariantInput(seed: seed)
            let run = try EngineHarness.replay(try Self.job(input), input.texts)
            #expect(run.summary.balances, "seed \(seed)")
            func check(_ query: Int, _ keys: [String], _ key: (VariantInput.Sample) -> String?) {
                let shown = run.rows[query].map { FlatRow(text: $0).shown(keys) }.sorted()
                #expect(shown == input.expected(key, delayMs: input.delayMs), "query \(query) seed \(seed)")
            }
            func zone(_ sample: VariantInput.Sample) -> String? { sample.labels["zone"] }
            check(0, ["zone"]) { zone($0) ?? "-" }
            check(1, ["b", "zone"]) { "\(($0.value / 20).rounded(.down))/\(zone($0) ?? "null")" }
            check(2, ["instance"]) {
                $0.value > -20 && zone($0) != "z1" && $0.labels["instance"] != "h2" ? $0.labels["instance"] : nil
            }
            check(4, ["topic", "partition"]) { "metrics/\($0.partition)" }
            check(5, []) { zone($0) == "z0" ? "" : nil }
        }
    }

    @Test(arguments: 0..<6)
    func cutsAndThreadsMakeNoDifference(_ block: Int) throws {
        for seed in UInt64(2000 + block * 3)..<UInt64(2000 + block * 3 + 3) {
            let input = VariantInput(seed: seed)
            var random = SeededRandom(seed: seed)
            var job = try Self.job(input)
            // Windows that close at other times than those of other queries.
            for query in job.queries.indices where Bool.random(using: &random) {
                job.queries[query].allowedLatenessMs = Int64.random(in: 0...input.window.sizeMs, using: &random)
            }
            let whole = try EngineHarness.replay(job, input.texts)
            let run = try EngineHarness.replay(
                job, input.texts, cuts: input.randomCuts(&random), workers: Int.random(in: 1...3, using: &random))
            #expect(run.rows == whole.rows, "seed \(seed)")
            #expect(run.sharedRows == whole.sharedRows, "an output of all queries, seed \(seed)")
            // A query gives the same alone as among others.
            let place = Int.random(in: 0..<job.queries.count, using: &random)
            var alone = job
            alone.queries = [job.queries[place]]
            #expect(try EngineHarness.replay(alone, input.texts).rows[0] == whole.rows[place], "seed \(seed)")
        }
    }

    /// Update: the last row of each (window, key) is its append row. Complete: that of a run to which nothing is late.
    @Test(arguments: 0..<6)
    func lastRowsOfUpdateAndCompleteAreThoseOfAppend(_ block: Int) throws {
        for seed in [UInt64(3000 + block)] {
            let input = VariantInput(seed: seed)
            var random = SeededRandom(seed: seed)
            for mode in [OutputMode.update, .complete] {
                var append = try Self.job(input)
                if mode == .complete { append.sources[0].watermark.delayMs = 1_000_000 }
                var job = append
                job.trigger = .interval(ms: 0)
                for query in job.queries.indices { job.queries[query].outputMode = mode }
                let expected = try EngineHarness.replay(append, input.texts)
                let run = try EngineHarness.replay(
                    job, input.texts, cuts: input.randomCuts(&random), workers: Int.random(in: 1...3, using: &random))
                for query in job.queries.indices {
                    var last: [String: String] = [:]
                    for row in run.rows[query] { last[FlatRow(text: row).identity] = row }
                    #expect(
                        last.values.sorted() == expected.rows[query].sorted(),
                        "\(mode) \(job.queries[query].name) seed \(seed)")
                }
                #expect(run.summary.balances, "seed \(seed)")
                if mode == .update { #expect(run.summary.late == expected.summary.late, "seed \(seed)") }
            }
        }
    }

    /// Where nothing is late it does not matter over how many partitions a series is scattered.
    @Test(arguments: 0..<3)
    func scatteredSeriesGiveTheSameRows(_ block: UInt64) throws {
        let input = VariantInput(seed: 4000 + block)
        var random = SeededRandom(seed: block)
        var job = try Self.job(input)
        job.queries = job.queries.filter { $0.name != "placed" }
        job.queries[5].grouping = .by(["zone"])
        job.sources[0].watermark.delayMs = 100_000
        var lines: [String] = []
        for i in 0..<400 {
            let host = Int.random(in: 0..<4, using: &random)
            lines.append(
                "m{instance=\"h\(host)\",zone=\"z\(host % 2)\"} \(Int.random(in: 0...99, using: &random)) \(i * 7)\n")
        }
        let whole = try EngineHarness.replay(job, [lines.joined()])
        for count in [3, 12] {
            var parts = [String](repeating: "", count: count)
            for line in lines { parts[Int.random(in: 0..<count, using: &random)] += line }
            let split = try EngineHarness.replay(job, parts, cuts: parts.map { _ in [7, 31] }, workers: 2)
            #expect(split.rows == whole.rows, "block \(block), \(count) partitions")
        }
    }
}
