import EmbeddedBroker
import Platform
import Testing

/// `stream-job generate` into files and topics.
@Suite struct GenerateTests {
    private static func text(_ path: String) throws -> String {
        String(decoding: try PosixFileSystem().readAll(path), as: UTF8.self)
    }

    @Test func theSameSeedGivesTheSameFiles() throws {
        let scratch = try Scratch()
        func generate(_ seed: String) throws -> [String] {
            let directory = scratch.fresh("generated")
            let result = try BuiltProgram.run(
                [
                    "generate", "--output", directory, "--mode", "failure", "--seed", seed, "--duration", "10m",
                    "--partitions", "3", "--disorder", "0.1",
                ], in: scratch)
            #expect(result.code == 0)
            #expect(result.errors.contains("incident `failure`: node-"))
            let names = (0..<3).map { "metrics/metrics-\($0).prom" } + ["events/events-0.jsonl", "labels.csv"]
            return try names.map { try Self.text("\(directory)/\($0)") }
        }
        let first = try generate("5")
        #expect(try generate("5") == first)
        #expect(try generate("6") != first)
        #expect(first[4].hasPrefix("start,end,kind,selector\n2026-01-01T"))
    }

    /// Every example job finds its series in what is generated, and the rows it makes of them.
    @Test(arguments: [
        "deployment-memory", "disk-fill-rate", "http-error-ratio", "http-latency-p99", "node-cpu-saturation",
        "spark-gc-share", "spark-tasks",
    ])
    func exampleJobsFindTheirSeries(_ job: String) throws {
        let scratch = try Scratch()
        let directory = scratch.fresh("generated")
        let made = try BuiltProgram.run(["generate", "--output", directory, "--duration", "10m"], in: scratch)
        #expect(made.code == 0)
        let replay = try Replay(
            "\(BuiltProgram.package)/jobs/\(job).yaml", inputs: [("metrics", "\(directory)/metrics")], in: scratch)
        #expect((replay.summary["rows"]?.number ?? 0) > 0)
        #expect(replay.summary["badRecords"]?.number == 0)
        #expect(replay.summary["late"]?.number == 0)
    }

    /// From a topic comes what was written to files.
    @Test func aTopicHoldsWhatFilesHold() throws {
        let scratch = try Scratch()
        let broker = EmbeddedBroker()
        let brokers = "127.0.0.1:\(try broker.start())"
        defer { broker.stop() }
        let common = ["--start", "2026-01-01T00:00:00Z", "--duration", "5m", "--mode", "memory"]
        let into = try BuiltProgram.run(
            [
                "generate", "--brokers", brokers, "--partitions", "2", "--events-topic", "cluster-events", "--speed",
                "max", "--labels", scratch.file("labels.csv"),
            ] + common, in: scratch)
        #expect(into.code == 0, "\(into.errors)")
        let directory = scratch.fresh("generated")
        let files = try BuiltProgram.run(
            ["generate", "--output", directory, "--partitions", "2"] + common, in: scratch)
        #expect(files.code == 0)
        #expect(try Self.text(scratch.file("labels.csv")) == Self.text("\(directory)/labels.csv"))

        // The same job over both gives the same rows; windows that only an end of input closes are left out.
        let job = "\(BuiltProgram.package)/jobs/spark-tasks.yaml"
        let replay = try Replay(
            job, inputs: [("metrics", "\(directory)/metrics")], options: ["--keep-open"], in: scratch)
        let live = try BuiltProgram.run(
            [
                "run", job, "--available-now", "--summary", "json", "--set", "kafka.brokers=\(brokers)", "--set",
                "sources.metrics.watermark.idleTimeout=off",
            ], in: scratch)
        #expect(live.code == 0, "\(live.errors)")
        let summary = try JSON(try #require(live.output.split(separator: "\n").last))
        #expect(summary["samples"] == replay.summary["samples"])
        #expect((summary["samples"]?.number ?? 0) > 0)

        let wrong = try BuiltProgram.run(
            ["generate", "--brokers", brokers, "--partitions", "5"] + common, in: scratch)
        #expect(wrong.code == 1)
        #expect(wrong.errors.contains("topic metrics has 2 partitions, not 5"))
    }

    @Test func aBrokerOutOfReachIsNamed() throws {
        let result = try CommandLineProgram.run("generate", "--brokers", "127.0.0.1:1")
        #expect(result.code == 1)
        #expect(result.errors.contains("error: broker 127.0.0.1:1 does not answer: "), "\(result.errors)")
        #expect(result.errors.contains("stream-job broker --memory --listen 127.0.0.1:1"))
    }

    @Test func aCaptureIsFedAgain() throws {
        let scratch = try Scratch()
        let broker = EmbeddedBroker()
        let brokers = "127.0.0.1:\(try broker.start())"
        defer { broker.stop() }
        let lines = (0..<50).map { "up{instance=\"n\($0 % 5)\"} 1 \(1_000_000 + $0 / 5 * 10)" }
        let capture = try scratch.write("# TYPE up gauge\n" + lines.joined(separator: "\n") + "\n", to: "capture.prom")
        let fed = try BuiltProgram.run(
            ["generate", "--brokers", brokers, "--topic", "fed", "--partitions", "2", "--from-file", capture],
            in: scratch)
        #expect(fed.code == 0, "\(fed.errors)")
        #expect(fed.errors.contains("50 samples"))
        let job = try scratch.write(
            """
            name: fed
            kafka: {brokers: "\(brokers)"}
            sources: {metrics: {kafka: {topics: [fed]}, format: prometheus}}
            queries:
              - {name: q, window: {size: 1m}, aggregates: {n: count()}, sinks: [{console: {}}]}
            """, to: "job.yaml")
        let read = try BuiltProgram.run(["run", job, "--available-now", "--summary", "json"], in: scratch)
        let summary = try JSON(try #require(read.output.split(separator: "\n").last))
        #expect(summary["samples"]?.number == 50)
        #expect(summary["badRecords"]?.number == 0)
        #expect(summary["future"]?.number == 0)
    }

    /// What was generated into a file arrives whole when it is fed, in every format.
    @Test(arguments: ["prometheus", "openmetrics", "sample-json"])
    func whatWasGeneratedIsFedWhole(_ format: String) throws {
        let scratch = try Scratch()
        let broker = EmbeddedBroker()
        let brokers = "127.0.0.1:\(try broker.start())"
        defer { broker.stop() }
        let made = try BuiltProgram.run(
            ["generate", "--output", scratch.file("g"), "--format", format, "--series", "70", "--duration", "5m"],
            in: scratch)
        #expect(made.errors.contains("1,400 samples"), "\(made.errors)")
        let name = try #require(try PosixFileSystem().list(scratch.file("g/metrics")).first)
        let fed = try BuiltProgram.run(
            [
                "generate", "--brokers", brokers, "--partitions", "3", "--format", format, "--speed", "max",
                "--from-file", scratch.file("g/metrics/\(name)"),
            ], in: scratch)
        #expect(fed.code == 0, "\(fed.errors)")
        #expect(fed.errors.contains("1,400 samples"), "\(fed.errors)")
        let job = try scratch.write(
            """
            name: fed
            kafka: {brokers: "\(brokers)"}
            sources: {metrics: {kafka: {topics: [metrics]}, format: \(format)}}
            queries:
              - {name: q, window: {size: 1m}, aggregates: {n: count()}, sinks: [{console: {}}]}
            """, to: "job.yaml")
        let read = try BuiltProgram.run(["run", job, "--available-now", "--summary", "json"], in: scratch)
        let summary = try JSON(try #require(read.output.split(separator: "\n").last))
        #expect(summary["samples"]?.number == 1400)
        #expect(summary["badRecords"]?.number == 0)
    }

    @Test(arguments: [
        (["--output", "x", "--topic", "t"], "`--topic` and `--output` exclude each other"),
        (["--rate", "100", "--interval", "1s", "--output", "x"], "exclude each other"),
        (["--disorder", "2", "--output", "x"], "takes a share from 0 to 1"),
        (["--interval", "0s", "--output", "x"], "takes a duration above 0"),
        (["--mode", "memroy"], "did you mean `memory`?"), (["--as-is"], "goes with `--from-file`"),
        (["--from-file", "x", "--seed", "1"], "exclude each other"), (["x"], "takes no operand"),
        (["--from-file", "/nonexistent"], "nothing is at /nonexistent"), (["--from-file", "/"], "is a directory"),
        (["--speed", "fast"], "takes max or a factor"), (["--output", "/"], "is there already and not empty"),
    ])
    func mistakesExitWithTwo(_ arguments: [String], _ expected: String) throws {
        let result = try CommandLineProgram.run(["generate"] + arguments)
        #expect(result.code == 2)
        #expect(result.errors.contains(expected), "\(result.errors)")
    }
}
