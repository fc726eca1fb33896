import Glibc
import Testing

/// `--log-format json`: stderr is one object a line, whatever happens.
@Suite(.serialized) struct LogFormatTests {
    /// The lines of stderr, each checked for what every line has.
    private static func records(_ errors: String) throws -> [JSON] {
        let lines = errors.split(separator: "\n")
        #expect(!lines.isEmpty)
        return try lines.map { line in
            let record = try JSON(line)
            #expect(record["time"]?.text?.hasSuffix("Z") == true, "\(line)")
            #expect(["info", "warning", "error"].contains(record["level"]?.text), "\(line)")
            #expect(record["message"]?.text?.isEmpty == false, "\(line)")
            return record
        }
    }

    @Test func aRunFromItsStartToItsSummary() async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 1)]) { live in
            let scratch = try Scratch()
            try live.send("metrics", 0, Samples.lines("a", [1, 2, 11]))
            let job = LiveProgramTests.job.split(separator: "BROKERS").joined(separator: live.brokers)
            let file = try scratch.write(job, to: "job.yaml")
            let result = try BuiltProgram.run(
                ["run", file, "--available-now", "--log-format", "json", "--summary", "json"], in: scratch)
            #expect(result.code == 0, "\(result.errors)")
            let records = try Self.records(result.errors)
            #expect(records.contains { $0["message"]?.text == "reading metrics/0@0" })
            let status = try #require(records.compactMap { $0["status"] }.first)
            guard case .array(let sources) = try #require(status["sources"]) else { return #expect(Bool(false)) }
            #expect(sources.first?["name"]?.text == "metrics")
            #expect(status["lag"] != nil)
            let summary = try #require(records.last?["summary"])
            let printed = try JSON(try #require(result.output.split(separator: "\n").last))
            #expect(summary["samples"]?.number == 3)
            #expect(summary["rows"]?.number == printed["rows"]?.number)
        }
    }

    @Test(arguments: [
        (["run", "JOB", "--worker", "3"], "`run` has no flag `--worker`"),
        (["replay", "JOB", "--output", "out"], "the job needs `sources`"),
        (["replay", "absent.yaml", "--output", "out"], "absent.yaml: there is no such file"),
    ])
    func whatIsWrongWithTheArgumentsOrTheJob(_ arguments: [String], _ message: String) throws {
        let scratch = try Scratch()
        let job = try scratch.write("name: x\n", to: "job.yaml")
        let result = try BuiltProgram.run(
            arguments.map { $0 == "JOB" ? job : $0 } + ["--log-format=json", "--color", "always"], in: scratch)
        #expect(result.code == 2)
        let records = try Self.records(result.errors)
        let first = try #require(records.first { $0["message"]?.text == message })
        #expect(first["level"]?.text == "error")
    }

    @Test func aSignalBeforeTheJobIsRead() throws {
        let scratch = try Scratch()
        let pipe = scratch.file("job.yaml")
        try #require(mkfifo(pipe, 0o600) == 0)
        let program = try BuiltProgram.start(BuiltProgram.path, ["run", pipe, "--log-format", "json"], in: scratch)
        let writer = open(pipe, O_WRONLY)
        defer { close(writer) }
        program.signal(SIGTERM)
        let result = try program.result()
        #expect(result.code == 143)
        #expect(try JSON(result.errors)["message"]?.text == "stopped before it began")
    }
}
