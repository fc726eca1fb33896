import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// `replay --decisions` against a run that was really made: over a broker, by a process that is killed on the way, with
/// partitions that fall silent, a topic that joins, samples from the future and events that are late (SEMANTICS §7).
@Suite(.serialized) struct RecordedRunTests {
    private static let job = """
        name: recorded
        kafka: {brokers: BROKERS, options: {topic.metadata.refresh.interval.ms: 200, group.instance.id: one}}
        sources:
          metrics:
            kafka: {pattern: "^metrics-.*"}
            format: prometheus
            watermark: {delay: 1s, idleTimeout: 250ms, maxFutureSkew: 12h}
          changes:
            kafka: {topics: [events]}
            format: event-json
            broadcast: true
            watermark: {delay: 0s, idleTimeout: 200ms}
        queries:
          - name: q
            from: metrics
            window: {size: 6s, slide: 2s}
            groupBy: [instance]
            aggregates: {n: count(), total: sum(value)}
            sinks: [{jsonl: {path: rows}}, {parquet: {path: pq}}]
            anomalies:
              - name: busy
                column: n
                detector: {type: threshold, above: 2}
                emit: all
                context:
                  - {from: changes, where: type == "Upgrade", match: [instance], after: 5s, maxWait: 300ms, action: annotate}
                sinks: [{jsonl: {path: anomalies}}]
        trigger: {interval: 20ms}
        checkpoint: {location: ck, retainEpochs: 2}
        """

    /// What a manifest's readers see, line by line.
    private static func lines(_ directory: String) throws -> [String] {
        let reader = ManifestReader(directory: directory)
        let bytes = try reader.entries().flatMap { try reader.committedBytes(of: $0) }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// The rows of a Parquet output in manifest order, as text.
    private static func parquetRows(_ directory: String) throws -> [String] {
        var lines: [String] = []
        for entry in try ManifestReader(directory: directory).entries() {
            let rows = ParquetRows(try ParquetFile(FilePath.join(directory, entry.path)))
            while let (count, columns) = try rows.next(1000) {
                for row in 0..<count {
                    lines.append(
                        columns.map { column -> String in
                            guard column.valid?[row] ?? true else { return "null" }
                            return switch column.values {
                            case .texts(let texts):
                                texts.codes[row] < 0 ? "null" : "\(texts.dictionary[Int(texts.codes[row])])"
                            case .doubles(let values): "\(values[row])"
                            case .integers(let values), .timestamps(let values): "\(values[row])"
                            case .booleans(let values): "\(values[row])"
                            }
                        }.joined(separator: " "))
                }
            }
        }
        return lines
    }

    /// Feeds the topics while the job runs, until `isEnough`.
    private final class Feed {
        private let live: LiveBroker
        private let nowMs: Int64
        private(set) var second: Int64 = 0

        init(_ live: LiveBroker) {
            self.live = live
            nowMs = SystemClock().wallMs() / 1000 * 1000
        }

        /// The next second of every partition that speaks now.
        func step(withB: Bool, speakers: Set<Int32>) throws {
            for partition in speakers.sorted() {
                var text = Samples.line("p\(partition)", second, Int(second), base: nowMs)
                // Somebody's clock is a day ahead, and somebody repeats what is old. The others, of which each step is a
                // second, never come as far as `maxFutureSkew`, however long the job takes.
                if second % 7 == 3 { text += Samples.line("p\(partition)", second + 86_400, 1, base: nowMs) }
                if second % 5 == 1 { text += Samples.line("old", second - 9, 1, base: nowMs) }
                try live.send("metrics-a", partition, [text])
            }
            if withB { try live.send("metrics-b", 0, [Samples.line("b", second - 4, 2, base: nowMs)]) }
            if second % 3 == 0 {
                let event = #"{"timestamp":\#(nowMs + second * 1000 - 2000),"type":"Upgrade","reason":"r\#(second)","#
                try live.send(
                    "events", Int32(second % 2),
                    [event + #""severity":"info","object":"o","labels":{"instance":"p0"},"message":"m"}"#])
            }
            second += 1
        }
    }

    @Test func aRunWithSilencesJoinsAndAKillIsRepeatedByteForByte() async throws {
        let topics = [
            LiveBroker.Topic("metrics-a", partitions: 3), LiveBroker.Topic("events", partitions: 2),
        ]
        try await LiveBroker.with(topics) { live in
            let scratch = try Scratch()
            let job = try scratch.write(
                Self.job.split(separator: "BROKERS", omittingEmptySubsequences: false).joined(separator: live.brokers),
                to: "job.yaml")
            let feed = Feed(live)
            var program = try BuiltProgram.start(BuiltProgram.path, ["run", job], in: scratch)
            func rows() -> Int { (try? Self.lines(scratch.file("rows")))?.count ?? 0 }
            func wait(_ what: String, speakers: Set<Int32>, withB: Bool = false, until: () throws -> Bool) throws {
                try waitUntil(what, state: { (try? program.errors()) ?? "" }) {
                    try feed.step(withB: withB, speakers: speakers)
                    // A pace, below the job's `idleTimeout`: who speaks is not idle.
                    SystemClock().sleep(ms: 30)
                    return try until()
                }
            }
            func waitQuietly(_ what: String, _ count: Int) throws {
                try waitUntil(what, state: { (try? program.errors()) ?? "" }) { rows() >= count }
            }
            try wait("rows of all", speakers: [0, 1, 2]) { rows() > 20 }
            var before = rows()
            try wait("windows without a silent partition", speakers: [0, 1]) { rows() > before + 15 }
            // It comes back; then nobody says anything, and the clock closes what is open.
            try wait("it speaks again", speakers: [0, 1, 2]) { feed.second % 4 == 0 }
            before = rows()
            try waitQuietly("windows by the clock", before + 2)
            try live.create("metrics-b", partitions: 1)
            try wait("a topic joins", speakers: [0, 1], withB: true) {
                try program.errors().contains("metrics-b/0@0")
            }
            program.signal(SIGKILL)
            _ = try program.result()
            program = try BuiltProgram.start(BuiltProgram.path, ["run", job], in: scratch)
            before = rows()
            // Long enough for epochs to be cleaned away that hold decisions.
            try wait("cleaned epochs", speakers: [0, 2], withB: true) {
                let said = try Self.lines(scratch.file("anomalies"))
                return try rows() > before + 15 && PosixFileSystem().exists(scratch.file("ck/decisions"))
                    && said.count > 40 && said.contains { $0.contains("Upgrade") }
            }
            program.signal(SIGTERM)
            #expect(try program.result().code == 143)

            let run = try RecordedRun.read(scratch.file("ck"), of: LiveJob.definition(Self.job, brokers: live.brokers))
                .run
            #expect(run.ends.count == 4 && run.starts.count == 6)
            // More comes behind the run's end: it is not read.
            for _ in 0..<30 { try feed.step(withB: true, speakers: [0, 1, 2]) }
            let again = try Replay(job, inputs: [], options: ["--decisions", "ck"], in: scratch)
            let (wrote, repeated) = (try Self.lines(scratch.file("rows")), try Self.lines(again.output + "/rows"))
            #expect(wrote.count > 50)
            #expect(Array(repeated.prefix(wrote.count)) == wrote)
            let (said, resaid) = (
                try Self.lines(scratch.file("anomalies")), try Self.lines(again.output + "/anomalies")
            )
            #expect(Array(resaid.prefix(said.count)) == said)
            let (table, retable) = (
                try Self.parquetRows(scratch.file("pq")), try Self.parquetRows(again.output + "/pq")
            )
            #expect(table.count == wrote.count && Array(retable.prefix(table.count)) == table)
            // Any number of threads, and any speed: the same bytes.
            let threads = try Replay(
                job, inputs: [], options: ["--decisions", "ck", "--workers", "4", "--speed", "50x"], in: scratch)
            #expect(try threads.bytes("rows") == again.bytes("rows"))
            #expect(try threads.bytes("anomalies") == again.bytes("anomalies"))
            // Without the decisions it is another result.
            let bare = try Replay(job, inputs: [], in: scratch)
            #expect(try Array(Self.lines(bare.output + "/rows").prefix(wrote.count)) != wrote)

            try Self.checkRefusals(job, live, scratch)
        }
    }

    /// What keeps a run from being repeated is said in words.
    private static func checkRefusals(_ job: String, _ live: LiveBroker, _ scratch: Scratch) throws {
        func refused(_ options: [String], _ code: Int32, _ words: String, _ job: String) throws {
            let result = try BuiltProgram.run(["replay", job, "--output", scratch.fresh("no")] + options, in: scratch)
            #expect(result.code == code, "\(result.errors)")
            #expect(result.errors.contains(words), "\(result.errors)")
        }
        try refused(["--decisions", "nowhere"], 1, "nowhere is no checkpoint", job)
        try refused(
            ["--decisions", "ck", "--set", "queries.q.window.size=8s"], 1,
            "the decisions in ck are of another job than recorded", job)
        try refused(
            ["--decisions", "ck", "--input", "metrics=job.yaml"], 2, "--decisions repeats a run over topics", job)
        // The oldest file of decisions is lost.
        let files = PosixFileSystem()
        let ck = scratch.file("ck/decisions")
        let process = try #require(try files.list(ck).first)
        let name = try #require(try files.list("\(ck)/\(process)").first)
        try files.rename("\(ck)/\(process)/\(name)", to: scratch.file("lost"))
        try refused(["--decisions", "ck"], 1, "the run cannot be repeated from its start", job)
        try files.rename(scratch.file("lost"), to: "\(ck)/\(process)/\(name)")
        // So are the topic's first records.
        let topic = try TimedTopic(live.brokers)
        try topic.delete("metrics-a", 0, before: 5)
        try refused(
            ["--decisions", "ck"], 1,
            "metrics-a/0: the run began at offset 0, and offsets 0 to 4 are no longer in the log", job)
    }
}
