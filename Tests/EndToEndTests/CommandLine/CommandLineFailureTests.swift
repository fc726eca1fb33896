import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

/// What goes wrong around a replay: each time an exit code, and a message a person can act on; never a crash.
@Suite struct CommandLineFailureTests {
    static let job = """
        name: small
        sources:
          metrics: {kafka: {topics: [metrics]}, format: prometheus}
        queries:
          - {name: q, window: {size: 1m}, groupBy: [instance], aggregates: {n: count()}, sinks: [{jsonl: {path: rows}}, {console: {}}]}
        """

    /// A job file and an input, and a replay of them.
    struct Setting {
        let scratch: Scratch
        let job: String

        init() throws {
            scratch = try Scratch()
            job = try scratch.write(CommandLineFailureTests.job, to: "job.yaml")
        }

        func replay(_ input: String, output: String = "out", options: [String] = []) throws -> ProgramResult {
            try BuiltProgram.run(
                ["replay", job, "--input", "metrics=\(input)", "--output", scratch.file(output)] + options, in: scratch)
        }

        /// Samples of one series, a second apart.
        func samples(_ count: Int) throws -> String {
            var text = ""
            for index in 0..<count { text += "m{instance=\"a\"} \(index) \(1_767_225_600_000 + index * 1000)\n" }
            return try scratch.write(text, to: "samples.prom")
        }
    }

    @Test func aMissingInput() throws {
        let result = try Setting().replay("/nonexistent/samples.prom")
        #expect(result.code != 0)
        #expect(result.errors.contains("/nonexistent/samples.prom"), "\(result.errors)")
        #expect(!result.errors.contains("done in"))
    }

    @Test func aDirectoryWithoutFiles() throws {
        let setting = try Setting()
        let result = try setting.replay("/proc/self/task/nothing-here")
        #expect(result.code != 0)
        try PosixFileSystem().createDirectories(setting.scratch.file("empty"))
        let empty = try setting.replay(setting.scratch.file("empty"))
        #expect(empty.code == 2)
        #expect(empty.errors.contains("\(setting.scratch.path)/empty"), "\(empty.errors)")
    }

    @Test func anEmptyFileIsAnEmptyPartition() throws {
        let setting = try Setting()
        let result = try setting.replay(setting.scratch.write("", to: "empty.prom"), options: ["--summary", "json"])
        #expect(result.code == 0, "\(result.errors)")
        let summary = try JSON(try #require(result.output.split(separator: "\n").last))
        #expect(summary["samples"] == .number(0))
        #expect(summary["rows"] == .number(0))
        #expect(result.errors.contains("no records were read"), "\(result.errors)")
    }

    @Test func aSelectorThatNothingMatchesIsNamed() throws {
        let setting = try Setting()
        let result = try setting.replay(setting.samples(10), options: ["--set", "queries.q.select=other"])
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.errors.contains("query q: no sample passed"), "\(result.errors)")
    }

    @Test func aFileInAnotherFormatIsNamed() throws {
        let setting = try Setting()
        let result = try setting.replay(setting.samples(10), options: ["--set", "sources.metrics.format=sample-json"])
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.errors.contains("nothing of metrics/0 could be read"), "\(result.errors)")
        #expect(result.errors.contains("`format`"), "\(result.errors)")
    }

    @Test func everyReasonOfADeadLetterIsDocumented() throws {
        let page = String(
            decoding: try PosixFileSystem().readAll("\(BuiltProgram.package)/docs/file-formats.md"), as: UTF8.self)
        for reason in BadRecordReason.allCases {
            #expect(page.contains("\n| `\(reason.rawValue)` |"), "docs/file-formats.md lacks \(reason.rawValue)")
        }
    }

    @Test func anEventWithoutAMessageHasNone() throws {
        let scratch = try Scratch()
        let job = try scratch.write(
            """
            name: events
            sources:
              changes: {kafka: {topics: [changes]}, format: event-json}
            queries:
              - name: q
                window: {size: 1m}
                groupBy: [type]
                aggregates: {n: count(), told: count(message), newest: last(message)}
                sinks: [{jsonl: {path: rows}}]
            """, to: "job.yaml")
        let input = try scratch.write(
            """
            {"timestamp":"2026-01-01T00:00:00Z","type":"A"}
            {"timestamp":"2026-01-01T00:00:01Z","type":"B","message":"first"}
            {"timestamp":"2026-01-01T00:00:02Z","type":"B","message":""}
            """, to: "events.json")
        let replay = try Replay(job, inputs: [("changes", input)], in: scratch)
        let rows = try JSON.lines(replay.text("rows"))
        #expect(rows.map { $0["told"] } == [.number(0), .number(1)])
        #expect(rows.map { $0["newest"] } == [.null, .text("first")])
    }

    @Test func aBinaryFileIsBadRecordsThatAreKept() throws {
        let setting = try Setting()
        let result = try setting.replay(BuiltProgram.path, options: ["--summary", "json"])
        #expect(result.code == 0, "\(result.errors.prefix(2000))")
        let summary = try JSON(try #require(result.output.split(separator: "\n").last))
        let bad = try #require(summary["badRecords"]?.number)
        #expect(bad > 0)
        #expect(summary["queries"]?["q"]?["decoded"] == summary["queries"]?["q"]?["aggregated"])
    }

    @Test(arguments: ["zstd", "gzip", "lz4"])
    func aTruncatedArchive(_ program: String) throws {
        let setting = try Setting()
        let plain = try setting.samples(20_000)
        let packed = try BuiltProgram.start(program, ["-c", plain], in: setting.scratch)
        #expect(try packed.result().code == 0)
        let ending = ["zstd": "zst", "gzip": "gz", "lz4": "lz4"][program] ?? ""
        let script = "\(program) -c '\(plain)' | head -c 20000 > cut.prom.\(ending)"
        #expect(try BuiltProgram.start("sh", ["-c", script], in: setting.scratch).result().code == 0)
        let result = try setting.replay(setting.scratch.file("cut.prom.\(ending)"))
        #expect(result.code == 1)
        #expect(result.errors.contains("cut.prom.\(ending)"), "\(result.errors)")
        #expect(result.errors.contains("byte"), "\(result.errors)")
    }

    @Test func anOutputThatCannotBeWritten() throws {
        let setting = try Setting()
        // A place where not even root can make a directory.
        let result = try BuiltProgram.run(
            ["replay", setting.job, "--input", setting.samples(10), "--output", "/proc/stream-job-out"],
            in: setting.scratch)
        #expect(result.code == 1 || result.code == 2)
        #expect(result.errors.contains("/proc/stream-job-out"), "\(result.errors)")
    }

    @Test func anOutputThatIsNotEmptyIsNotTouched() throws {
        let setting = try Setting()
        try PosixFileSystem().createDirectories(setting.scratch.file("out"))
        let kept = try setting.scratch.write("mine", to: "out/kept.txt")
        let result = try setting.replay(setting.samples(10))
        #expect(result.code == 2)
        #expect(result.errors.contains("--overwrite"), "\(result.errors)")
        #expect(try PosixFileSystem().readAll(kept) == Array("mine".utf8))
    }

    @Test func aReaderThatGoesAwayEndsItQuietly() throws {
        let setting = try Setting()
        let script =
            "'\(BuiltProgram.path)' replay job.yaml --input '\(try setting.samples(100_000))' --output out | head -n 1 > /dev/null; echo ${PIPESTATUS[0]}"
        let result = try BuiltProgram.start("bash", ["-c", script], in: setting.scratch).result()
        #expect(result.output == "0\n", "\(result.errors)")
        #expect(!result.errors.lowercased().contains("error"), "\(result.errors)")
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func aSignalStopsItCleanly(_ signal: Int32) throws {
        let setting = try Setting()
        // At the pace of event time this lasts a minute and more, so the signal comes in the middle.
        let running = try BuiltProgram.start(
            BuiltProgram.path,
            [
                "replay", setting.job, "--input", setting.samples(6000), "--output", setting.scratch.file("out"),
                "--speed", "60x", "--summary", "json",
            ], in: setting.scratch)
        // The first window is on the console when the signals are being watched.
        try waitUntil("a window", state: { (try? running.errors()) ?? "" }) {
            try running.output().contains("window_start")
        }
        kill(running.pid, signal)
        let result = try running.result()
        #expect(result.code == 128 + signal)
        #expect(result.errors.contains("stopping"), "\(result.errors)")
        let summary = try JSON(try #require(result.output.split(separator: "\n").last))
        let samples = try #require(summary["samples"]?.number)
        #expect(samples > 60 && samples < 6000)
    }
}
