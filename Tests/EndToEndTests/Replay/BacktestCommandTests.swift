import Platform
import Testing

/// `replay --labels --report`, `backtest` and `diff` as a user meets them. `scripts/verify/backtest.py` recomputes the
/// figures.
@Suite struct BacktestCommandTests {
    static let job = """
        name: watch
        sources:
          metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 0s}}
        queries:
          - name: q
            window: {size: 10s}
            groupBy: [instance]
            aggregates: {v: avg(value)}
            sinks: [{jsonl: {path: rows}}]
            anomalies:
              - {name: hot, column: v, detector: {type: threshold, above: 5}, sinks: [{jsonl: {path: anomalies}}]}
        """

    /// Two nodes over five minutes; `a` is hot from 100 s to 150 s, `b` from 200 s to 210 s.
    struct Setting {
        let scratch: Scratch
        let job: String
        let input: String
        let labels: String

        init(labels text: String? = nil) throws {
            scratch = try Scratch()
            job = try scratch.write(BacktestCommandTests.job, to: "job.yaml")
            var lines = ""
            for second in stride(from: Int64(0), to: 300, by: 5) {
                lines += Samples.line("a", second, (100..<150).contains(second) ? 9 : 1)
                lines += Samples.line("b", second, (200..<210).contains(second) ? 7 : 1)
            }
            input = try scratch.write(lines, to: "input.prom")
            labels = try scratch.write(
                text ?? """
                    start,end,kind,selector
                    2026-01-01T00:01:35Z,2026-01-01T00:02:30Z,slow,"{instance=""a""}"
                    2026-01-01T00:04:00Z,2026-01-01T00:04:30Z,leak,"{instance=""b""}"
                    """, to: "labels.csv")
        }

        func run(_ command: String, _ options: [String]) throws -> ProgramResult {
            try BuiltProgram.run([command, job, "--input", "metrics=\(input)"] + options, in: scratch)
        }

        func text(_ path: String) throws -> String {
            String(decoding: try PosixFileSystem().readAll(scratch.file(path)), as: UTF8.self)
        }
    }

    @Test func aReportScoresEveryDetector() throws {
        let setting = try Setting()
        let result = try setting.run(
            "replay", ["--output", "out", "--labels", setting.labels, "--report", "report", "--summary", "json"])
        #expect(result.code == 0, "\(result.errors)")
        // What the job itself writes and counts is as without a report.
        #expect(result.output.contains(#""rows":60,"anomalies":4,"#), "\(result.output)")
        #expect(result.errors.contains("q.hot     threshold         1       1       2      0.500"), "\(result.errors)")
        #expect(result.errors.contains("after 15.0 s"), "\(result.errors)")
        let report = try JSON(try setting.text("report/report.json"))
        guard case .array(let detectors)? = report["detectors"], let hot = detectors.first else {
            Issue.record("no detector")
            return
        }
        #expect(hot["precision"] == .number(0.5) && hot["recall"] == .number(0.5) && hot["f1"] == .number(0.5))
        #expect(hot["falseAlarms"] == .number(1) && hot["falseAlarmsPerDay"] == .number(288))
        #expect(hot["windows"]?["truePositives"] == .number(5) && hot["windows"]?["falseNegatives"] == .number(4))
        let page = try setting.text("report/report.html")
        #expect(page.contains("<title>Backtest of watch</title>") && page.contains("prefers-color-scheme: dark"))
        #expect(!page.contains("https://"))
    }

    @Test func variantsAreRanked() throws {
        let setting = try Setting()
        let options = ["--labels", setting.labels, "--set", "queries.q.anomalies.hot.detector.above=5,8,20"]
        let result = try setting.run("backtest", options + ["--json"])
        #expect(result.code == 0, "\(result.errors)")
        guard case .array(let variants)? = try JSON(result.output)["variants"] else {
            Issue.record("no variants")
            return
        }
        #expect(
            variants.map { $0["variant"]?.text } == [
                "queries.q.anomalies.hot.detector.above=8", "queries.q.anomalies.hot.detector.above=5",
                "queries.q.anomalies.hot.detector.above=20",
            ])
        #expect(variants.map { $0["all"]?["alerts"]?.number } == [1, 2, 0])
        let table = try setting.run("backtest", options)
        #expect(table.output.contains("rank") && table.output.contains("detector.above=8"))
    }

    /// Flags in Parquet are the same flags, also where a column of theirs is a folder.
    @Test func flagsInParquetAreComparedToo() throws {
        let setting = try Setting()
        for (output, sink) in [
            ("json", "jsonl: {path: flags}"), ("parquet", "parquet: {path: flags}"),
            ("folders", "parquet: {path: flags, partitionBy: [detector, state]}"),
        ] {
            let run = try setting.run(
                "replay", ["--output", output, "--set", "queries.q.anomalies.hot.sinks=[{\(sink)}]"])
            #expect(run.code == 0, "\(run.errors)")
        }
        for other in ["parquet", "folders"] {
            let result = try BuiltProgram.run(["diff", "json", other], in: setting.scratch)
            #expect(result.output.hasPrefix("2 flags in both, 0 appear, 0 vanish"), "\(result.output)")
        }
    }

    @Test func differencesAreNamed() throws {
        let setting = try Setting()
        for (above, output) in [("5", "one"), ("8", "two")] {
            let result = try setting.run(
                "replay", ["--output", output, "--set", "queries.q.anomalies.hot.detector.above=\(above)"])
            #expect(result.code == 0, "\(result.errors)")
        }
        let result = try BuiltProgram.run(["diff", "one", "two"], in: setting.scratch)
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.output.contains(#"- 2026-01-01 00:03:30Z  q.hot {instance="b"} firing"#), "\(result.output)")
        #expect(result.output.contains("1 flag in both, 0 appear, 1 vanish"), "\(result.output)")
    }

    @Test(arguments: [
        ("backtest", ["--set", "queries.q.window.size=1m,2m"], "no labelled incidents are given"),
        ("backtest", ["--labels", "labels.csv", "--set", "limits.maxSeries=1,2"], "variants share one read"),
        ("replay", ["--output", "o", "--labels", "nope.csv"], "nope.csv"),
        ("replay", ["--output", "o", "--report", "r", "--set", "queries.q.anomalies=[]"], "no detector to score"),
    ])
    func wrongArguments(_ command: String, _ options: [String], _ words: String) throws {
        let result = try Setting().run(command, options)
        #expect(result.code == 2)
        #expect(result.errors.contains(words), "\(result.errors)")
    }

    @Test func badLabelsAreNamed() throws {
        let setting = try Setting(labels: "start,end,kind\n1,2,slow\n")
        let result = try setting.run("replay", ["--output", "o", "--labels", setting.labels])
        #expect(result.code == 2)
        #expect(result.errors.contains("labels.csv:2: `1` is no RFC 3339 time"), "\(result.errors)")
    }
}
