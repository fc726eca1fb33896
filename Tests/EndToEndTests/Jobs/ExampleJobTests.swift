import Glibc
import Platform
import Testing

/// A job of `jobs/`, its generated input (`Tests/Tools/job_inputs.py`), and the rows it gives.
struct ExampleJob: CustomTestStringConvertible, Sendable {
    let name: String

    static let all: [ExampleJob] = {
        let names = (try? PosixFileSystem().list("\(BuiltProgram.package)/jobs")) ?? []
        return names.filter { $0.hasSuffix(".yaml") }.map { ExampleJob(name: String($0.dropLast(".yaml".count))) }
    }()

    var testDescription: String { name }
    var path: String { "\(BuiltProgram.package)/jobs/\(name).yaml" }
    var golden: String { BuiltProgram.fixture("jobs/\(name).rows.jsonl") }

    /// Files `JOB.SOURCE.EXTENSION`.
    func inputs() throws -> [(source: String, path: String)] {
        try PosixFileSystem().list(BuiltProgram.fixture("jobs")).compactMap { file in
            let parts = file.split(separator: ".")
            guard parts.count == 3, parts[0] == name, parts[1] != "rows" else { return nil }
            return (String(parts[1]), BuiltProgram.fixture("jobs/\(file)"))
        }
    }
}

/// Every example job runs as it stands. STREAM_JOB_UPDATE_GOLDENS=1 writes the expected rows anew.
@Suite struct ExampleJobTests {
    @Test func jobsAreThere() { #expect(ExampleJob.all.count >= 13) }

    @Test(arguments: ExampleJob.all)
    func isShortAndValid(_ job: ExampleJob) throws {
        let lines = try PosixFileSystem().readAll(job.path, limit: .max).count { $0 == UInt8(ascii: "\n") }
        #expect(lines <= 40)
        let result = try BuiltProgram.run(["validate", job.path], in: Scratch())
        #expect(result.code == 0)
        #expect(result.errors.isEmpty, "\(result.errors)")
    }

    @Test(arguments: ExampleJob.all)
    func givesItsRows(_ job: ExampleJob) throws {
        let inputs = try job.inputs()
        try #require(!inputs.isEmpty, "no input Fixtures/jobs/\(job.name).SOURCE.*")
        let scratch = try Scratch()
        let replay = try Replay(job.path, inputs: inputs, in: scratch)
        #expect(replay.summary["badRecords"] == .number(0))
        var rows = ""
        for directory in try outputs(replay.output) { rows += try replay.text(directory) }
        #expect(!rows.isEmpty)
        if getenv("STREAM_JOB_UPDATE_GOLDENS") != nil {
            try PosixFileSystem().writeAtomically(Array(rows.utf8), to: job.golden)
        }
        let golden = String(decoding: try PosixFileSystem().readAll(job.golden, limit: .max), as: UTF8.self)
        let found = rows.split(separator: "\n")
        let expected = golden.split(separator: "\n")
        #expect(found.count == expected.count)
        for (row, wanted) in zip(found, expected) where row != wanted {
            Issue.record("\(job.name) gives \(row)\nexpected \(wanted)")
            break
        }
    }

    /// The directories with a manifest under a replay's output, without the dead letters.
    private func outputs(_ root: String, _ directory: String = "") throws -> [String] {
        let files = PosixFileSystem()
        var found: [String] = []
        for name in try files.list(FilePath.join(root, directory)) where name != "dead-letter" {
            let path = directory.isEmpty ? name : "\(directory)/\(name)"
            if name == "_manifest" {
                found.append(directory)
            } else if try files.status(FilePath.join(root, path))?.kind == .directory {
                found += try outputs(root, path)
            }
        }
        return found
    }
}
