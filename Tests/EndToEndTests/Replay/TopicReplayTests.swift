import Connectors
import EmbeddedBroker
import Glibc
import Operators
import Platform
import StreamEngine
import TestSupport
import Testing

/// `stream-job replay` over topics: the rows of the same records in files, whatever threads, speed and producers do.
@Suite(.serialized) struct TopicReplayTests {
    static let job = """
        name: topics
        kafka: {brokers: BROKERS}
        sources:
          metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 5s}}
        queries:
          - name: q
            window: {size: 20s, slide: 10s}
            groupBy: [instance]
            aggregates: {n: count(), total: sum(value), speed: avg(rate(value))}
            sinks: [{jsonl: {path: rows}}]
        """

    /// A job at a broker, the records of its topic, and the same records as files.
    struct Setting {
        let scratch: Scratch
        let job: String
        let records: [[(text: String, timestampMs: Int64)]]

        /// `disorder`: samples lie up to 23 s out of order, some are bad, and records are stamped with the time of the first
        /// sample in order.
        init(_ brokers: String, disorder: Bool) throws {
            scratch = try Scratch()
            job = try scratch.write(
                TopicReplayTests.job.split(separator: "BROKERS", omittingEmptySubsequences: false)
                    .joined(separator: brokers), to: "job.yaml")
            records = (0..<3).map { partition in
                (0..<400).map { step in
                    let second = disorder ? step - (step * 7919 + partition) % 23 : step
                    var text = Samples.line("i\(step % 4)", Int64(second), step + partition)
                    if disorder, step % 97 == 13 { text += "not a sample {\n" }
                    return (text, Samples.baseMs + Int64(step) * 1000)
                }
            }
            try PosixFileSystem().createDirectories(scratch.file("files"))
            for (index, partition) in records.enumerated() {
                _ = try scratch.write(partition.map(\.text).joined(), to: "files/\(index)")
            }
        }

        func fill(_ topic: TimedTopic) throws {
            for (index, partition) in records.enumerated() {
                for record in partition {
                    try topic.send("metrics", Int32(index), record.text, timestampMs: record.timestampMs)
                }
            }
            try topic.flush()
        }

        func files(_ options: [String] = []) throws -> Replay {
            try Replay(job, inputs: [("metrics", scratch.file("files"))], options: options, in: scratch)
        }

        func topics(_ options: [String] = []) throws -> Replay {
            try Replay(job, inputs: [], options: options, in: scratch)
        }
    }

    static func with(disorder: Bool, _ body: @escaping @Sendable (LiveBroker, Setting) throws -> Void) async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 3)]) { live in
            let setting = try Setting(live.brokers, disorder: disorder)
            try setting.fill(try TimedTopic(live.brokers))
            try body(live, setting)
        }
    }

    @Test func theSameBytesAsFilesForAnyThreadsAndSpeed() async throws {
        try await Self.with(disorder: true) { live, setting in
            let rows = try setting.files().text("rows")
            #expect(rows.split(separator: "\n").count > 100)
            for options in [
                [], ["--workers", "1"], ["--workers", "2"], ["--workers", "4"], ["--speed", "100000x"],
                ["--speed", "max"],
            ] {
                let replay = try setting.topics(options)
                #expect(try replay.text("rows") == rows, "\(options)")
                #expect(replay.summary["samples"] == .number(1200))
                #expect(replay.summary["badRecords"] == .number(12))
                #expect(replay.summary["partitions"]?["metrics/2"]?["records"] == .number(400))
            }
            let open = try setting.topics(["--keep-open"])
            #expect(try open.text("rows") == setting.files(["--keep-open"]).text("rows"))
            #expect(rows.hasPrefix(try open.text("rows")) && open.summary["closedByEnd"] == .number(0))
            // Nobody joined a group, nothing was committed: the broker's own topic of offsets was never made.
            let counts = try KafkaCluster(KafkaConnection(brokers: live.brokers)).partitionCounts(
                timeoutMs: Int(hungAfterMs))
            #expect(counts.keys.sorted() == ["metrics"])
        }
    }

    @Test func fromAndToByTimeEqualFilesAndTheWholeReplaysWindows() async throws {
        try await Self.with(disorder: false) { live, setting in
            let bounds = ["--from", "2026-01-01T00:01:40Z", "--to", "2026-01-01T00:05:00Z"]
            let topics = try setting.topics(bounds)
            let files = try setting.files(bounds)
            #expect(try topics.text("rows") == files.text("rows"))
            // 100 s - (20 s window + 5 s delay) to 300 s, of three partitions.
            #expect(topics.summary["samples"] == .number(3 * 225))
            #expect(files.summary["samples"] == .number(3 * 225))
            // The last window is cut by the bound.
            let whole = try setting.files().text("rows").split(separator: "\n").map(String.init)
                .filter { row in row.brief >= "00:01:40" && row.brief < "00:04:50" }
            let own = try topics.text("rows").split(separator: "\n").map(String.init)
                .filter { row in row.brief < "00:04:50" }
            #expect(own == whole && own.count > 50)
        }
    }

    @Test func endsAtTheBoundWhileProducersGoOn() async throws {
        try await Self.with(disorder: false) { live, setting in
            let rows = try setting.files(["--to", "2026-01-01T00:03:20Z"]).text("rows")
            let stop = StopRequest()
            let done = Monitor(false)
            let topic = try TimedTopic(live.brokers)
            _ = try Thread(name: "producer") {
                var step: Int64 = 400
                while !stop.isRequested {
                    for partition in 0..<3 {
                        try? topic.send(
                            "metrics", Int32(partition), Samples.line("i1", step, 1),
                            timestampMs: Samples.baseMs + step * 1000)
                    }
                    step += 1
                    // A pace: it goes on writing as long as the replay reads.
                    SystemClock().sleep(ms: 1)
                }
                done.withLock { $0 = true }
            }
            let replay = try setting.topics(["--to", "2026-01-01T00:03:20Z"])
            #expect(try replay.text("rows") == rows)
            // Without --to: what is there at the start, whatever comes meanwhile; an end all the same.
            let open = try setting.topics()
            #expect((open.summary["samples"]?.number ?? 0) >= 1200)
            stop.request()
            try waitUntil("the producer ends") { done.withLock { $0 } }
        }
    }

    @Test func recordsThatRetentionDeletedAreTold() async throws {
        try await Self.with(disorder: false) { live, setting in
            let topic = try TimedTopic(live.brokers)
            try topic.delete("metrics", 1, before: 100)
            let result = try BuiltProgram.run(
                ["replay", setting.job, "--output", setting.scratch.file("cut"), "--summary", "json"],
                in: setting.scratch)
            #expect(result.code == 0, "\(result.errors)")
            #expect(result.errors.contains("no longer in the log: metrics/1 begins at offset 100"), "\(result.errors)")
            #expect(result.output.contains(#""samples":1100,"#))
        }
    }

    @Test(arguments: [DataLossAction.fail, .continue])
    func recordsDeletedWhileTheReplayRuns(_ action: DataLossAction) async throws {
        try await Self.with(disorder: false) { live, setting in
            var definition = try LiveJob.definition(Self.job, brokers: live.brokers)
            definition.onDataLoss = action
            let source = try KafkaSources.bounded(definition, sources: ["metrics"]) { _ in }
            var readers: [any PartitionReader] = []
            try waitUntil("partitions") {
                for event in source.poll(untilNs: 0) {
                    // Partition 0 begins where nothing is any more, as if retention had come in between.
                    if case .assigned(let ids) = event {
                        try TimedTopic(live.brokers).delete("metrics", 0, before: 50)
                        readers = try source.start(Dictionary(uniqueKeysWithValues: ids.map { ($0, 10) }))
                    }
                }
                return !readers.isEmpty
            }
            let job = try CompiledJob(definition, registries: LiveJob.registries)
            let execution = JobExecution(
                job: job,
                outputs: JobOutputs(
                    queries: [QueryOutputs(sinks: [], late: nil)], deadLetter: nil, encodeLate: { _, _, _ in [] },
                    encodeDeadLetter: { _, _ in [] }), options: ExecutionOptions(), clock: SystemClock(),
                makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
            var log: [String] = []
            let hole = "metrics/0: offsets 10 to 49 are no longer in the log"
            do {
                let summary = try execution.replay(
                    [("metrics", readers)], topics: source, stop: StopRequest(), log: { log.append($0) }
                ) { _ in }
                #expect(action == .continue)
                #expect(summary.samples == 350 + 390 + 390)
                #expect(log.contains { $0.contains(hole) }, "\(log)")
                #expect(summary.partitions.map(\.ledger.lost) == [[10...49], [], []] && summary.balances)
            } catch {
                #expect(action == .fail && "\(error)".contains(hole), "\(error)")
            }
        }
    }

    @Test func boundsThatMissEveryRecordSaySo() async throws {
        try await Self.with(disorder: false) { live, setting in
            let result = try BuiltProgram.run(
                ["replay", setting.job, "--output", setting.scratch.file("none"), "--to", "2020-01-01T00:00:00Z"],
                in: setting.scratch)
            #expect(result.code == 0)
            #expect(result.errors.contains("though the topics hold 1200"), "\(result.errors)")
        }
    }

    @Test func aSignalEndsItWithWhatIsWhole() async throws {
        try await Self.with(disorder: false) { live, setting in
            let output = setting.scratch.file("paced")
            let program = try BuiltProgram.start(
                BuiltProgram.path, ["replay", setting.job, "--output", output, "--speed", "100x"], in: setting.scratch)
            try waitUntil("rows", state: { (try? program.errors()) ?? "" }) {
                let entries = (try? ManifestReader(directory: "\(output)/rows").entries()) ?? []
                return entries.contains { $0.rows > 0 }
            }
            program.signal(SIGINT)
            let result = try program.result()
            #expect(result.code == 130)
            #expect(result.errors.contains("stopped after"), "\(result.errors)")
            let reader = ManifestReader(directory: "\(output)/rows")
            let own = try reader.entries().flatMap { try reader.committedBytes(of: $0) }
            #expect(try setting.files().text("rows").hasPrefix(String(decoding: own, as: UTF8.self)))
        }
    }

    @Test(arguments: [
        (["--from", "yesterday"], "`--from` takes an RFC 3339 time, found `yesterday`"),
        (["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"], "is not before `--to`"),
    ])
    func wrongBounds(_ options: [String], _ words: String) throws {
        let scratch = try Scratch()
        let job = try scratch.write(Self.job, to: "job.yaml")
        let result = try BuiltProgram.run(["replay", job, "--output", "out"] + options, in: scratch)
        #expect(result.code == 2)
        #expect(result.errors.contains(words), "\(result.errors)")
    }
}
