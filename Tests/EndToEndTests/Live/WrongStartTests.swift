import EmbeddedBroker
import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// Starts that SEMANTICS §5 refuses: offset, state and topic must belong together. Each is refused with exit code 1, naming what it
/// found and the ways on; nothing is read or written.
@Suite(.serialized) struct WrongStartTests {
    private static let job = """
        name: start
        kafka: {brokers: BROKERS}
        sources:
          metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 0s}}
        queries:
          - {name: q, window: {size: 10s}, groupBy: [instance], aggregates: {n: count()}, sinks: [{jsonl: {path: out}}]}
        trigger: {interval: 20ms}
        """

    private static func with(
        _ seconds: [Int64] = [1, 5, 11, 15], in scratch: Scratch? = nil,
        _ body: @escaping @Sendable (LiveBroker, Scratch) throws -> Void
    ) async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 1)]) { live in
            try live.send("metrics", 0, Samples.lines("a", seconds))
            try body(live, try scratch ?? Scratch())
        }
    }

    private static func run(_ live: LiveBroker, _ scratch: Scratch, _ options: [String] = []) throws -> ProgramResult {
        try BuiltProgram.run(["run", try write(live, scratch), "--available-now"] + options, in: scratch)
    }

    private static func write(_ live: LiveBroker, _ scratch: Scratch) throws -> String {
        try scratch.write(
            job.split(separator: "BROKERS", omittingEmptySubsequences: false).joined(separator: live.brokers),
            to: "job.yaml")
    }

    private static func rows(_ scratch: Scratch) throws -> Int64 {
        try ManifestReader(directory: scratch.file("out")).entries().reduce(0) { $0 + $1.rows }
    }

    private static let id = PartitionID(source: "metrics", topic: "metrics", partition: 0)

    /// What the group has committed.
    private static func committed(_ live: LiveBroker) throws -> CommittedOffset {
        try #require(try group(live).committed([id], timeoutMs: Int(hungAfterMs))[id])
    }

    private static func commit(_ offset: CommittedOffset, _ live: LiveBroker) throws {
        try group(live).commit([id: offset], timeoutMs: Int(hungAfterMs))
    }

    private static func group(_ live: LiveBroker) throws -> KafkaIdleGroup {
        let source = SourceDefinition(name: "metrics", topics: .topics(["metrics"]), format: "prometheus")
        var job = JobDefinition(name: "start", sources: [source], queries: [])
        job.kafka = KafkaConnection(brokers: live.brokers)
        job.group = "start"
        return try KafkaIdleGroup(job) { _ in }
    }

    @Test func stateThatIsGoneStopsAndNewCheckpointGoesOn() async throws {
        try await Self.with { live, scratch in
            #expect(try Self.run(live, scratch).code == 0)
            #expect(try Self.rows(scratch) == 1)
            try PosixFileSystem().removeTree(scratch.file("checkpoints/start/epochs"))
            let refused = try Self.run(live, scratch)
            #expect(refused.code == 1)
            for words in ["no older whole state to fall back on", "--new-checkpoint", "checkpoints/start/epochs/"] {
                #expect(refused.errors.contains(words), "\(refused.errors)")
            }
            let fresh = try Self.run(live, scratch, ["--new-checkpoint", "--from", "earliest"])
            #expect(fresh.code == 0, "\(fresh.errors)")
            #expect(fresh.errors.contains("the old checkpoint is kept as checkpoints/start.old-"), "\(fresh.errors)")
            #expect(fresh.errors.contains("reading metrics/0@0"))
            #expect(try Self.rows(scratch) == 2)
            // From here on it is a checkpoint as any other.
            #expect(try Self.run(live, scratch).code == 0)
            #expect(try Self.rows(scratch) == 2)
        }
    }

    @Test func stateOfAnotherGroupStops() async throws {
        try await Self.with { live, scratch in
            #expect(try Self.run(live, scratch).code == 0)
            let refused = try Self.run(live, scratch, ["--group", "other"])
            #expect(refused.code == 1)
            for words in ["holds state up to offset 4", "group other has no committed offset", "reset-offsets"] {
                #expect(refused.errors.contains(words), "\(refused.errors)")
            }
        }
    }

    @Test func anOffsetThatIsNotOursStops() async throws {
        try await Self.with { live, scratch in
            try Self.commit(CommittedOffset(offset: 2, metadata: "somebody's"), live)
            let refused = try Self.run(live, scratch)
            #expect(refused.code == 1)
            for words in ["metrics/0: group start has committed offset 2, but not by this job", "`somebody's`"] {
                #expect(refused.errors.contains(words), "\(refused.errors)")
            }
            let fresh = try Self.run(live, scratch, ["--new-checkpoint", "--from", "committed"])
            #expect(fresh.code == 0, "\(fresh.errors)")
            #expect(fresh.errors.contains("reading metrics/0@2"), "\(fresh.errors)")
        }
    }

    /// Another cluster with the same group, where the topic of that name holds other records, or fewer.
    @Test(arguments: [
        ([2, 6, 12, 16, 18], "the record at offset 3 is not the one the checkpoint has seen"), ([2], "metrics/0"),
    ])
    func aTopicMadeAnewStops(_ seconds: [Int64], _ words: String) async throws {
        let scratch = try Scratch()
        let known = Monitor<CommittedOffset?>(nil)
        try await Self.with(in: scratch) { live, scratch in
            #expect(try Self.run(live, scratch).code == 0)
            let offset = try Self.committed(live)
            known.withLock { $0 = offset }
        }
        try await Self.with(seconds, in: scratch) { live, scratch in
            try Self.commit(try #require(known.withLock { $0 }), live)
            let refused = try Self.run(live, scratch)
            #expect(refused.code == 1)
            #expect(refused.errors.contains(words), "\(refused.errors)")
        }
    }

    @Test func aChangedJobIsRefusedOrGoesOn() async throws {
        try await Self.with { live, scratch in
            #expect(try Self.run(live, scratch).code == 0)
            let refused = try Self.run(live, scratch, ["--set", "queries.q.window.size=20s"])
            #expect(refused.code == 1)
            for words in ["query q", "10s", "20s", "--new-checkpoint"] {
                #expect(refused.errors.contains(words), "\(refused.errors)")
            }
            try live.send("metrics", 0, Samples.lines("a", [21]))
            let changed = try Self.run(
                live, scratch,
                ["--set", "trigger.interval=30ms", "--set", "queries.q.sinks=[{jsonl: {path: out}}, {console: {}}]"])
            #expect(changed.code == 0, "\(changed.errors)")
            #expect(changed.errors.contains("changed since the checkpoint: query q"), "\(changed.errors)")
            #expect(try Self.rows(scratch) == 2)
        }
    }

    /// Members of a group run one job; the one that was there is not disturbed.
    @Test func aMemberWithAnotherJobDoesNotJoin() async throws {
        try await Self.with { live, scratch in
            let share = ["--set", "sources.metrics.partitionedBy=[instance]"]
            let file = try Self.write(live, scratch)
            let first = try BuiltProgram.start(BuiltProgram.path, ["run", file] + share, in: scratch)
            try waitUntil("the first member reads", state: { (try? first.errors()) ?? "" }) {
                try first.errors().contains("reading metrics/0@0")
            }
            let refused = try Self.run(
                live, scratch, share + ["--set", "queries.q.sinks=[{jsonl: {path: out}}, {console: {}}]"])
            #expect(refused.code == 1)
            for words in ["and another job than this one (query q", "members of a group run one job"] {
                #expect(refused.errors.contains(words), "\(refused.errors)")
            }
            first.signal(SIGTERM)
            #expect(try first.result().code == 143)
        }
    }
}
