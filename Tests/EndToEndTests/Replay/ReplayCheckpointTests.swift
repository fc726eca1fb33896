import Connectors
import Platform
import StreamEngine
import Testing

/// `replay --checkpoint`: a run goes on from where a replay of the same topics ended, without a gap.
@Suite(.serialized) struct ReplayCheckpointTests {
    /// What a manifest's readers see, line by line.
    private static func lines(_ directory: String) throws -> [String] {
        var lines: [String] = []
        for entry in try ManifestReader(directory: directory).entries() {
            let bytes = try PosixFileSystem().readAll(FilePath.join(directory, entry.path), limit: 1 << 24)
            let text = String(decoding: bytes.prefix(Int(entry.bytes)), as: UTF8.self)
            lines += text.split(separator: "\n").map(String.init)
        }
        return lines
    }

    @Test func aRunGoesOnFromAReplay() async throws {
        try await TopicReplayTests.with(disorder: true) { live, setting in
            let whole = try BuiltProgram.run(
                [
                    "run", setting.job, "--available-now", "--group", "whole", "--set", "checkpoint.location=ck/whole",
                    "--set", "queries.q.sinks=[{jsonl: {path: whole}}]",
                ], in: setting.scratch)
            #expect(whole.code == 0, "\(whole.errors)")
            let half = EventTime.rfc3339(Samples.baseMs + 200_000)
            let replay = try BuiltProgram.run(
                ["replay", setting.job, "--output", "replayed", "--to", half, "--checkpoint", "ck/half"],
                in: setting.scratch)
            #expect(replay.code == 0, "\(replay.errors)")
            let rest = try BuiltProgram.run(
                [
                    "run", setting.job, "--available-now", "--group", "half", "--set", "checkpoint.location=ck/half",
                    "--set", "queries.q.sinks=[{jsonl: {path: rest}}]", "--summary", "json",
                ], in: setting.scratch)
            #expect(rest.code == 0, "\(rest.errors)")
            #expect(rest.errors.contains("going on from the replay that left this checkpoint"))
            let (all, last) = (
                try Self.lines(setting.scratch.file("whole")), try Self.lines(setting.scratch.file("rest"))
            )
            #expect(last.count > 20 && last.count < all.count)
            #expect(Array(all.suffix(last.count)) == last)
            // The replay showed the rows before, and windows that only its end closed.
            let first = try Self.lines(setting.scratch.file("replayed/rows"))
            #expect(Array(first.prefix(all.count - last.count)) == Array(all.prefix(all.count - last.count)))
            // A checkpoint that a run may depend on is not written over.
            let again = try BuiltProgram.run(
                ["replay", setting.job, "--output", "again", "--checkpoint", "ck/half"], in: setting.scratch)
            #expect(again.code == 1)
            #expect(again.errors.contains("holds a checkpoint already"))
        }
    }

    /// Detectors that learned in the replay go on warm: their flags are those of one run over all of it.
    @Test func detectorsGoOnWarm() async throws {
        try await TopicReplayTests.with(disorder: false) { live, setting in
            func flags(_ path: String) -> [String] {
                [
                    "--set",
                    "queries.q.anomalies=[{name: odd, column: total, detector: {type: robust, warmup: 10}, emit: all, "
                        + "sinks: [{jsonl: {path: \(path)}}]}, {name: high, column: total, detector: {type: threshold, "
                        + "above: 100}, sinks: [{jsonl: {path: \(path)-high}}]}]",
                    "--set", "queries.q.sinks=[]",
                ]
            }
            func run(_ arguments: [String]) throws {
                let result = try BuiltProgram.run(arguments, in: setting.scratch)
                #expect(result.code == 0, "\(result.errors)")
            }
            try run(
                ["run", setting.job, "--available-now", "--group", "whole", "--set", "checkpoint.location=ck/whole"]
                    + flags("whole"))
            let half = EventTime.rfc3339(Samples.baseMs + 250_000)
            try run(
                ["replay", setting.job, "--output", "replayed", "--to", half, "--checkpoint", "ck/half"] + flags("half")
            )
            try run(
                ["run", setting.job, "--available-now", "--group", "half", "--set", "checkpoint.location=ck/half"]
                    + flags("half"))
            for suffix in ["", "-high"] {
                let (all, last) = (
                    try Self.lines(setting.scratch.file("whole\(suffix)")),
                    try Self.lines(setting.scratch.file("half\(suffix)"))
                )
                #expect(all.suffix(last.count) == last[...])
                // An incident that began in the replay is not begun again.
                if suffix.isEmpty { #expect(last.count > 20 && last.count < all.count) }
                #expect(!last.contains { $0.contains("learning") }, "a detector that learned learns anew")
            }
        }
    }

    @Test func filesHaveNoOffsets() async throws {
        try await TopicReplayTests.with(disorder: false) { live, setting in
            let result = try BuiltProgram.run(
                ["replay", setting.job, "--input", "metrics=files", "--output", "out", "--checkpoint", "ck"],
                in: setting.scratch)
            #expect(result.code == 2)
            #expect(result.errors.contains("--checkpoint needs a replay of topics"))
        }
    }
}
