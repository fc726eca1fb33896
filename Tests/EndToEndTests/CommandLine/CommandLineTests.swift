import Glibc
import Platform
import Testing

/// The program as a user meets it: its arguments, its exit codes, what goes to stdout and what to stderr.
@Suite struct CommandLineTests {
    static let job = """
        name: small
        sources:
          metrics: {kafka: {topics: [metrics]}, format: prometheus}
        queries:
          - {name: q, window: {size: 1m, slide: 20s}, groupBy: [instance], aggregates: {n: count()}, sinks: [{console: {}}]}
        """

    @Test func helpNamesEveryCommandAndEachHasItsOwn() throws {
        let help = try CommandLineProgram.run("--help")
        #expect(help.code == 0)
        #expect(help.errors.isEmpty)
        for command in ["replay", "validate", "explain"] {
            #expect(help.output.contains("\n  \(command) "))
            for arguments in [["help", command], [command, "--help"], [command, "-h"]] {
                let own = try CommandLineProgram.run(arguments)
                #expect(own.code == 0)
                #expect(own.output.contains("usage: stream-job \(command)"))
                #expect(own.output.contains("examples:\n  stream-job \(command)"))
            }
        }
    }

    @Test func versionIsTold() throws {
        let version = try CommandLineProgram.run("--version")
        #expect(version.code == 0)
        #expect(version.output.hasPrefix("stream-job "))
    }

    @Test(arguments: [
        (["validte", "x.yaml"], "did you mean `validate`?"), (["--hepl"], "did you mean `--help`?"),
        (["validate", "--jsn", "x"], "did you mean `--json`?"), (["validate"], "no job file is given"),
        (["explain", "a", "b"], "one job file is expected, found 2"), (["explain", "--set"], "needs a value"),
        (["explain", "--color", "allways", "x"], "did you mean `always`?"),
        (["explain", "--json=1", "x"], "takes no value"),
        (["validate", "/nonexistent/x.yaml"], "there is no such file"), (["validate", "/"], "is a directory"),
        ([], "usage:"),
    ])
    func mistakesExitWithTwoAndSayWhatToDo(_ arguments: [String], _ expected: String) throws {
        let result = try CommandLineProgram.run(arguments)
        #expect(result.code == 2)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains(expected), "\(result.errors)")
    }

    @Test func goodAndBadFilesTogether() throws {
        try CommandLineProgram.withFiles(["good.yaml": Self.job, "bad.yaml": "name: x\n"]) { directory in
            let result = try CommandLineProgram.run("validate", "\(directory)/good.yaml", "\(directory)/bad.yaml")
            #expect(result.code == 2)
            #expect(result.output == "\(directory)/good.yaml: ok\n")
            #expect(result.errors.contains("\(directory)/bad.yaml: 2 errors"))
            let json = try CommandLineProgram.run("validate", "--json", "\(directory)/bad.yaml")
            #expect(json.code == 2)
            #expect(json.errors.isEmpty)
            #expect(json.output.hasPrefix("{\"file\":\"\(directory)/bad.yaml\",\"ok\":false,\"errors\":2,"))
        }
    }

    /// The kernel's counter of a process begins with the size of who started it.
    @Test func theMemoryOfASummaryIsTheProgramsOwn() throws {
        let large = [UInt8](repeating: 1, count: 512 << 20)
        try CommandLineProgram.withFiles(["job.yaml": Self.job, "a.prom": "up{instance=\"a\"} 1 1767225600000\n"]) {
            directory in
            let result = try CommandLineProgram.run(
                "replay", "\(directory)/job.yaml", "--input", "metrics=\(directory)/a.prom", "--summary", "json",
                "--output", "\(directory)/out")
            #expect(result.code == 0, "\(result.errors)")
            let summary = try JSON(try #require(result.output.split(separator: "\n").last))
            let peak = try #require(summary["peakRSSBytes"]?.number)
            #expect(peak < 256e6)
        }
        #expect(large.count == 512 << 20)
    }

    @Test func colourOnlyWhereAsked() throws {
        try CommandLineProgram.withFiles(["bad.yaml": "name: x\n"]) { directory in
            let path = "\(directory)/bad.yaml"
            let plain = try CommandLineProgram.run("validate", path)
            #expect(!plain.errors.contains("\u{1B}["))
            let always = try CommandLineProgram.run("validate", "--color", "always", path)
            #expect(always.errors.contains("\u{1B}[1;31m"))
            let never = try CommandLineProgram.run("validate", "--color=never", path)
            #expect(never.errors.contains("error: the job needs"))
        }
    }

    @Test func explainDrawsThePlanAndItsNumbers() throws {
        try CommandLineProgram.withFiles(["job.yaml": Self.job]) { directory in
            let path = "\(directory)/job.yaml"
            let tree = try CommandLineProgram.run("explain", path)
            #expect(tree.code == 0)
            #expect(tree.errors.isEmpty)
            for part in [
                "small\n├─ source metrics   kafka topics [metrics] from earliest, prometheus, watermark: max event time - 1 m",
                "│  └─ query q   every series", "1 m every 20 s = 3 panes of 20 s; a window is final 1 m after its end",
                "not partition-local: source metrics has no `partitionedBy`",
                "└─ trigger        every 1 s; checkpoint checkpoints/small",
            ] {
                #expect(tree.output.contains(part), "\(part) in \(tree.output)")
            }
            let json = try CommandLineProgram.run("explain", "--json", path, "--set", "queries.q.window.slide=30s")
            #expect(json.code == 0)
            #expect(json.output.contains("\"slideMs\":30000,\"offsetMs\":0,\"paneMs\":30000,\"panes\":2,"))
        }
    }

    @Test func aReaderThatGoesAwayIsNoError() throws {
        try CommandLineProgram.withFiles(["job.yaml": Self.job]) { directory in
            let script = "set -o pipefail; \"$0\" explain \"$1\" | true; echo ${PIPESTATUS[0]}"
            let result = try CommandLineProgram.spawn(
                "/bin/bash", ["-c", script, BuiltProgram.path, "\(directory)/job.yaml"])
            #expect(result.output == "0\n")
            #expect(result.errors.isEmpty)
        }
    }

    @Test func aFullDiskIsAnError() throws {
        let result = try CommandLineProgram.spawn(
            "/bin/sh", ["-c", "\"$0\" --help > /dev/full", BuiltProgram.path])
        #expect(result.code == 1)
        #expect(result.errors.contains("No space left on device"))
    }

    @Test func theReferenceIsNotStale() throws {
        let generated = try CommandLineProgram.run("docs").output
        let committed = String(
            decoding: try PosixFileSystem().readAll("\(BuiltProgram.package)/docs/reference.md"), as: UTF8.self)
        #expect(generated == committed, "run: stream-job docs > docs/reference.md")
    }
}
