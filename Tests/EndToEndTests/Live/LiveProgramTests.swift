import EmbeddedBroker
import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// `stream-job run` as a user meets it: another process, signals, exit codes, stdout and stderr.
@Suite(.serialized) struct LiveProgramTests {
    static let job = """
        name: live
        kafka: {brokers: BROKERS}
        sources:
          metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 0s}}
        queries:
          - {name: q, window: {size: 10s}, groupBy: [instance], aggregates: {n: count()}, sinks: [{jsonl: {path: out}}]}
        trigger: {interval: 20ms}
        """

    private static func write(_ scratch: Scratch, _ brokers: String) throws -> String {
        try scratch.write(
            job.split(separator: "BROKERS", omittingEmptySubsequences: false).joined(separator: brokers),
            to: "job.yaml")
    }

    /// How many members the job's group has, as the broker tells.
    private static func members(_ brokers: String) throws -> Int {
        let client = try KafkaClient(try KafkaConfiguration(.producer, KafkaConnection(brokers: brokers))) { _ in }
        return try KafkaGroupMembers(handle: client.handle).count(of: "live", timeoutMs: Int(hungAfterMs))
    }

    @Test(arguments: [(SIGTERM, Int32(143)), (SIGINT, Int32(130))])
    func aSignalEndsTheEpochAndLeavesTheGroup(_ signal: Int32, _ code: Int32) async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 2)]) { live in
            let scratch = try Scratch()
            try live.send("metrics", 0, Samples.lines("a", [1, 2, 11]))
            try live.send("metrics", 1, Samples.lines("b", [1, 11]))
            let file = try Self.write(scratch, live.brokers)
            let program = try BuiltProgram.start(
                BuiltProgram.path, ["run", file, "--summary", "json"], in: scratch)
            try waitUntil("published rows", state: { (try? program.errors()) ?? "" }) {
                try Self.hasRows(scratch)
            }
            program.signal(signal)
            let result = try program.result()
            #expect(result.code == code, "\(result.errors)")
            #expect(result.errors.contains("reading metrics/0@0 metrics/1@0"))
            #expect(result.errors.contains("stopping after this epoch; once more stops at once"))
            #expect(result.errors.contains("stopped after"))
            let last = result.output.split(separator: "\n").last.map(String.init) ?? ""
            #expect(last.hasPrefix(#"{"job":"live","epochs":"#), "\(result.output)")
            #expect(last.contains(#""samples":5,"rows":2,"#))
            // It has left by itself: the group has no member although its session would last for long.
            #expect(try Self.members(live.brokers) == 0)
        }
    }

    /// Whether rows are published: a manifest names a file with rows.
    private static func hasRows(_ scratch: Scratch) throws -> Bool {
        try BuiltProgram.start("grep", ["-rqs", "\"rows\":[ ]*2", "out/_manifest"], in: scratch).result().code == 0
    }

    @Test(arguments: ["--available-now", "--once"])
    func aBoundedRunEndsWithZeroAndItsSummary(_ flag: String) async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 2)]) { live in
            let scratch = try Scratch()
            try live.send("metrics", 0, Samples.lines("a", [1, 2, 11]))
            try live.send("metrics", 1, Samples.lines("b", [1, 11]))
            let file = try Self.write(scratch, live.brokers)
            let result = try BuiltProgram.run(["run", file, flag, "--summary", "json"], in: scratch)
            #expect(result.code == 0, "\(result.errors)")
            #expect(result.output.hasPrefix(#"{"job":"live","epochs":1,"records":5,"samples":5,"rows":2,"#))
            #expect(result.output.split(separator: "\n").count == 1)
            #expect(result.errors.contains("joining group live in slot 0 at \(live.brokers)"))
            #expect(try Self.members(live.brokers) == 0)
        }
    }

    @Test(arguments: [[], ["--set", "queries.q.sinks=[{kafka: {topic: rows}}]"]])
    func anUnreachableBrokerIsSaidOnceAndTriedOnUntilStopped(_ options: [String]) async throws {
        try await onOwnThread {
            let scratch = try Scratch()
            let program = try BuiltProgram.start(
                BuiltProgram.path, ["run", try Self.write(scratch, "127.0.0.1:1")] + options, in: scratch)
            try waitUntil("the message") { try program.errors().contains("cannot be reached") }
            program.signal(SIGTERM)
            let result = try program.result()
            #expect(result.code == 143)
            #expect(
                result.errors.ranges(of: "127.0.0.1:1 cannot be reached, trying again").count == 1, "\(result.errors)")
        }
    }
}
