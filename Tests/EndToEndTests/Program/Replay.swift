import Connectors
import Platform
import Testing

/// One `stream-job replay`: its summary, and its rows read back through the manifests.
struct Replay {
    let output: String
    let summary: JSON

    /// Replays a job; fails the test unless it ends with exit code 0.
    init(_ job: String, inputs: [(source: String, path: String)], options: [String] = [], in scratch: Scratch) throws {
        output = scratch.fresh("out")
        var arguments = ["replay", job, "--output", output, "--summary", "json"] + options
        for input in inputs { arguments += ["--input", "\(input.source)=\(input.path)"] }
        let result = try BuiltProgram.run(arguments, in: scratch)
        try #require(result.code == 0, "\(result.errors)")
        let line = try #require(result.output.split(separator: "\n").last, "no summary")
        summary = try JSON(line)
    }

    /// The committed bytes of the file output in `directory` (relative to the replay's own), in the order written.
    func bytes(_ directory: String) throws -> [UInt8] {
        let reader = ManifestReader(directory: FilePath.join(output, directory))
        return try reader.entries().flatMap { try reader.committedBytes(of: $0) }
    }

    /// The same as text.
    func text(_ directory: String) throws -> String { String(decoding: try bytes(directory), as: UTF8.self) }
}
