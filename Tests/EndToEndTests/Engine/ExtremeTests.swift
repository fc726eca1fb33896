import Connectors
import StreamEngine
import TestSupport
import Testing

/// Input from the edges: times near the ends of Int64, odd values as keys, labels with taken names, silence.
struct ExtremeTests {
    private static let edges: [String] = [
        "-9223372036854775808", "-9223372036854775807", "-9223372036854700001", "-9223372036000000000",
        "-9000000000000000000", "-4611686018427387905", "-1", "0", "1", "4611686018427387905", "9000000000000000000",
        "9223372036000000000", "9223372036854700001", "9223372036854775806", "9223372036854775807",
    ]

    static var lateSink: SinkDefinition {
        var check = OptionCheck()
        let schema = OptionSchema("late", "where late samples go", [])
        return SinkDefinition(kind: "late", options: schema.check(OptionNode(.map([])), path: "", into: &check))
    }

    @Test(arguments: [
        WindowDefinition(sizeMs: 1), WindowDefinition(sizeMs: 3, slideMs: 2, offsetMs: -1),
        WindowDefinition(sizeMs: 864_000_000_000, offsetMs: -863_999_999_999),
        WindowDefinition(sizeMs: 864_000_000_000, slideMs: 432_000_000_000, offsetMs: 5),
    ])
    func timesAtTheEndsOfTheRange(_ window: WindowDefinition) throws {
        var random = SeededRandom(seed: 11)
        for mode in [OutputMode.append, .update, .complete] {
            for round in 0..<3 {
                var job = try EngineHarness.job(
                    delayMs: round % 2 == 0 ? 0 : 60_000, window: window,
                    aggregates: [("n", "count()"), ("d", "sum(delta(value))")]
                ) {
                    $0.outputMode = mode
                    $0.allowedLatenessMs = round % 3 == 0 ? 0 : 5
                    $0.late = Self.lateSink
                }
                job.trigger = .interval(ms: 0)
                let texts = (0..<2).map { _ in
                    Self.edges.shuffled(using: &random).enumerated().map { "m{instance=\"i\($0 % 3)\"} \($0) \($1)\n" }
                        .joined()
                }
                let run = try EngineHarness.replay(job, texts, cuts: [[1], [3]])
                #expect(run.summary.balances)
                #expect(run.summary.samples + run.summary.badRecords == 2 * Self.edges.count)
                #expect(!run.rows[0].isEmpty)
            }
        }
    }

    @Test func oddNumbersAreOneKeyEach() throws {
        let job = try EngineHarness.job(
            window: WindowDefinition(sizeMs: 1000), groupBy: ["v"], aggregates: [("n", "count()")]
        ) { $0.columns = [NamedExpression("v", try ExpressionParser.parse("value"))] }
        let run = try EngineHarness.replay(
            job, ["m NaN 1\nm -0 2\nm 0 3\nm +Inf 4\nm -Inf 5\nm NaN 6\nm 2 7\nm nan 8\n"])
        #expect(
            run.rows[0].map { FlatRow(text: $0) }.map { "\($0.field("v")) \($0.field("n"))" }
                == ["-Inf 1", "0.0 2", "2.0 1", "+Inf 1", "NaN 3"])
    }

    @Test func labelsMayBeCalledLikeColumns() throws {
        let line = #"m{topic="t",value="v",query="q",window_start="w",n="x"} 1 5"# + "\n"
        let by = try EngineHarness.job(
            window: WindowDefinition(sizeMs: 10), groupBy: ["labels.topic", "labels.value", "topic"],
            aggregates: [("n", "count()")])
        #expect(try EngineHarness.replay(by, [line]).rows[0].count == 1)
        let without = try EngineHarness.job(
            window: WindowDefinition(sizeMs: 10), aggregates: [("n", "count()")]
        ) { $0.grouping = .without([]) }
        let row = FlatRow(text: try EngineHarness.replay(without, [line]).rows[0][0])
        #expect(
            ["label_query", "label_window_start", "label_n", "value", "topic", "n"].map(row.field)
                == ["q", "w", "x", "v", "t", "1"])
    }

    @Test func silenceAndRubbish() throws {
        let job = try EngineHarness.job(window: WindowDefinition(sizeMs: 10), aggregates: [("n", "count()")])
        for texts in [[], [""], ["rubbish {\n"], ["\n\n# nothing\n"], ["", "", "bad\n"]] {
            let run = try EngineHarness.replay(job, texts)
            #expect(run.rows[0].isEmpty && run.summary.balances && run.summary.closedByEnd == 0)
        }
        // Partitions that never speak hold nobody up once they have ended.
        let run = try EngineHarness.replay(
            job, ["m{instance=\"a\"} 1 5\nm{instance=\"a\"} 1 25\n", "", "bad\n"], cuts: [[1], [1], [1]])
        #expect(run.rows[0].count == 2 && run.summary.badRecords == 1)
    }

    /// A leap over very many small windows, each with a sample of its own.
    @Test func manyWindowsCloseAtOnce() throws {
        let job = try EngineHarness.job(
            delayMs: 1_000_000, window: WindowDefinition(sizeMs: 1), groupBy: [], aggregates: [("n", "count()")])
        let lines = (0..<6000).map { "m 1 \(($0 * 7919) % 6000)\n" }.joined() + "m 1 99000000\n"
        let run = try EngineHarness.replay(job, [lines])
        #expect(run.rows[0].count == 6001)
    }

    @Test func eventsAreCountedByMessage() throws {
        var source = SourceDefinition(name: "changes", topics: .topics(["changes"]), format: "event-json")
        source.watermark.delayMs = 0
        var query = QueryDefinition(name: "events", from: "changes", window: WindowDefinition(sizeMs: 10_000))
        query.grouping = .by(["type"])
        query.where = try ExpressionParser.parse(#"message != "noise""#)
        query.aggregates = [
            NamedAggregate("n", try AggregateCall.parse("count()")),
            NamedAggregate("last", try AggregateCall.parse("last(message)")),
            NamedAggregate("ups", try AggregateCall.parse(#"count() where reason == "ScaleUp""#)),
        ]
        var metrics = SourceDefinition(name: "metrics", topics: .topics(["metrics"]), format: "prometheus")
        metrics.watermark.delayMs = 0
        var counts = QueryDefinition(name: "counts", from: "metrics", window: WindowDefinition(sizeMs: 10_000))
        counts.aggregates = [NamedAggregate("n", try AggregateCall.parse("count()"))]
        let job = JobDefinition(name: "two", sources: [source, metrics], queries: [query, counts])
        let events = (0..<30).map { i in
            #"{"timestamp":\#(1_700_000_000 + i),"type":"T\#(i % 2)","reason":"\#(i % 3 == 0 ? "ScaleUp" : "Other")","#
                + #""severity":"info","object":"o","message":"\#(i % 5 == 0 ? "noise" : "m\(i)")"}"# + "\n"
        }.joined()
        let samples = (0..<30).map { "m 1 \($0 * 1000)\n" }.joined()
        let whole = try EngineHarness.replay(job, inputs: [[events], [samples]])
        #expect(
            whole.rows[0].map { FlatRow(text: $0) }.map { "\($0.field("n")) \($0.field("last")) \($0.field("ups"))" }
                == [
                    "4 m8 1", "4 m9 2", "4 m18 2", "4 m19 0", "4 m28 1", "4 m29 2",
                ])
        #expect(whole.rows[1].count == 3)
        let cut = try EngineHarness.replay(job, inputs: [[events], [samples]], cuts: [[1, 4]], workers: 2)
        #expect(cut.rows == whole.rows)
    }
}
