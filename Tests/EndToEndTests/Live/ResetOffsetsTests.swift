import EmbeddedBroker
import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// `stream-job checkpoint reset-offsets`: offsets and state go back together, and what follows comes again, equal.
@Suite(.serialized) struct ResetOffsetsTests {
    private static let job = """
        name: reset
        kafka: {brokers: BROKERS}
        sources:
          metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 0s}SHARE}
        queries:
          - {name: q, window: {size: 10s}, groupBy: [instance], aggregates: {n: count()}, sinks: [{kafka: {topic: rows}}]}
        trigger: {interval: 20ms}
        """
    private static let topics = [
        LiveBroker.Topic("metrics", partitions: 2), LiveBroker.Topic("rows", partitions: 1),
    ]

    /// `share`: more of the source.
    private static func write(_ scratch: Scratch, _ brokers: String, share: String = "") throws -> String {
        var text = job
        for (word, value) in [("BROKERS", brokers), ("SHARE", share)] {
            text = text.split(separator: word, omittingEmptySubsequences: false).joined(separator: value)
        }
        return try scratch.write(text, to: "job.yaml")
    }

    /// Reads what is there, as an epoch at least; gives the rows the topic has then, as they came.
    private static func run(
        _ job: String, _ live: LiveBroker, _ scratch: Scratch, _ flag: String = "--available-now"
    ) throws -> [String] {
        let result = try BuiltProgram.run(["run", job, flag], in: scratch)
        #expect(result.code == 0, "\(result.errors)")
        return try live.read("rows").flatMap { $0 }
    }

    private static func reset(_ job: String, _ options: [String], _ scratch: Scratch) throws -> ProgramResult {
        try BuiltProgram.run(["checkpoint", "reset-offsets", job] + options, in: scratch)
    }

    private static func time(_ seconds: Int64) -> String { EventTime.rfc3339(Samples.baseMs + seconds * 1000) }

    private static func feed(_ live: LiveBroker, _ seconds: [Int64]) throws {
        try live.send("metrics", 0, Samples.lines("a", seconds))
        try live.send("metrics", 1, Samples.lines("b", seconds))
    }

    @Test(arguments: ["", ", partitionedBy: [instance]"])
    func rowsAfterTheTimeComeAgainEqual(_ share: String) async throws {
        try await LiveBroker.with(Self.topics) { live in
            let scratch = try Scratch()
            let job = try Self.write(scratch, live.brokers, share: share)
            try Self.feed(live, [1, 5, 11, 15])
            let first = try Self.run(job, live, scratch)
            #expect(first.map(\.brief).sorted() == ["00:00:00 a 2", "00:00:00 b 2"])
            try Self.feed(live, [21, 25])
            _ = try Self.run(job, live, scratch)
            try Self.feed(live, [31, 35, 41])
            let third = try Self.run(job, live, scratch)

            // The first run's state is at 15 s: the windows from 10 s on are open in it.
            let unasked = try Self.reset(job, ["--to", Self.time(17)], scratch)
            #expect(unasked.code == 2, "\(unasked.output)")
            #expect(unasked.errors.contains("--yes does it without asking"))
            #expect(unasked.output.contains("metrics/0   offset 9 -> 4   epoch "), "\(unasked.output)")

            let done = try Self.reset(job, ["--to", Self.time(17), "--yes"], scratch)
            #expect(done.code == 0, "\(done.errors)")
            #expect(
                done.output.contains("group reset: 2 offsets committed; newer epochs are kept in "), "\(done.output)")
            let again = try Self.reset(job, ["--to", Self.time(17), "--yes"], scratch)
            #expect(again.code == 0 && again.output.hasPrefix("nothing to reset"), "\(again.output)\(again.errors)")
            #expect(try BuiltProgram.run(["checkpoint", "verify", "checkpoints/reset"], in: scratch).code == 0)

            let fourth = try Self.run(job, live, scratch)
            let repeated = Array(fourth.dropFirst(third.count))
            #expect(Set(repeated) == Set(third.dropFirst(first.count)))
            #expect(repeated.count == third.count - first.count && repeated.count == 6)
            // And the run after it goes on as ever.
            try Self.feed(live, [51])
            let fifth = try Self.run(job, live, scratch)
            #expect(
                fifth.dropFirst(fourth.count).map(\.brief).sorted() == ["00:00:40 a 1", "00:00:40 b 1"])
        }
    }

    @Test func withoutAnEpochThatOldReadingBeginsAtTheTimeWithEmptyState() async throws {
        try await LiveBroker.with(Self.topics) { live in
            let scratch = try Scratch()
            let job = try Self.write(scratch, live.brokers)
            try Self.feed(live, [11, 15, 21, 25, 31])
            let first = try Self.run(job, live, scratch)
            // Kafka's times of these records are of today: the time and what windows need lie before them all.
            let done = try Self.reset(job, ["--to", Self.time(0), "--yes", "--json"], scratch)
            #expect(done.code == 0, "\(done.errors)")
            #expect(done.output.contains(#""oldOffset":5,"newOffset":0,"epoch":null"#), "\(done.output)")
            #expect(done.output.contains(#""incomplete":false,"changed":true"#), "\(done.output)")
            let second = try Self.run(job, live, scratch)
            #expect(Set(second.dropFirst(first.count)) == Set(first))
            #expect(second.count == 2 * first.count)
        }
    }

    @Test func offsetsThatAreGoneAreTakenFromTheState() async throws {
        try await LiveBroker.with(Self.topics) { live in
            let scratch = try Scratch()
            let job = try Self.write(scratch, live.brokers)
            try Self.feed(live, [1, 5, 11])
            // One epoch: of several the last may not have taken effect, and the one before it is preferred.
            let first = try Self.run(job, live, scratch, "--once")
            try Self.feed(live, [15, 21])
            // To the job a group without offsets is one whose offsets expired.
            let refused = try BuiltProgram.run(["run", job, "--available-now", "--group", "other"], in: scratch)
            #expect(refused.code == 1 && refused.errors.contains("checkpoint reset-offsets"), "\(refused.errors)")
            let done = try Self.reset(job, ["--group", "other", "--to", Self.time(11), "--yes"], scratch)
            #expect(done.code == 0, "\(done.errors)")
            #expect(done.output.contains("metrics/1   offset none -> 3   epoch "), "\(done.output)")
            #expect(done.output.contains("do not tell whether that epoch took effect"), "\(done.output)")
            let result = try BuiltProgram.run(["run", job, "--available-now", "--group", "other"], in: scratch)
            #expect(result.code == 0, "\(result.errors)")
            let rows = try live.read("rows").flatMap { $0 }
            #expect(rows.dropFirst(first.count).map(\.brief).sorted() == ["00:00:10 a 2", "00:00:10 b 2"])
        }
    }

    @Test func aRunningMemberIsNeverDisturbed() async throws {
        try await LiveBroker.with(Self.topics) { live in
            let scratch = try Scratch()
            let job = try Self.write(scratch, live.brokers)
            try Self.feed(live, [1, 11])
            let program = try BuiltProgram.start(BuiltProgram.path, ["run", job], in: scratch)
            try waitUntil("rows", state: { (try? program.errors()) ?? "" }) {
                try !live.read("rows").flatMap { $0 }.isEmpty
            }
            let refused = try Self.reset(job, ["--to", Self.time(0), "--yes"], scratch)
            #expect(refused.code == 1)
            #expect(refused.errors.contains("no member may run while its offsets are reset"), "\(refused.errors)")
            #expect(!refused.errors.contains("--standby"))
            program.signal(SIGTERM)
            #expect(try program.result().code == 143)
        }
    }

    @Test(arguments: [
        (["checkpoint", "reset-offsets"], "no job file is given"),
        (["checkpoint", "reset-offsets", "job.yaml"], "`--to` is not given"),
        (["checkpoint", "reset-offsets", "job.yaml", "--to", "yesterday"], "takes an RFC 3339 time"),
        (["checkpoint", "show", "x", "--yes"], "`--yes` is for reset-offsets"),
    ])
    func wrongUseIsToldApart(_ arguments: [String], _ message: String) throws {
        let result = try CommandLineProgram.run(arguments)
        #expect(result.code == 2)
        #expect(result.errors.contains(message), "\(result.errors)")
    }
}
