import Connectors
import EmbeddedBroker
import Platform
import StreamEngine
import Testing

/// Live = replay: what a group of one makes of topics is what `replay` makes of the same records.
@Suite(.serialized) struct LiveResultsTests {
    static let job = """
        name: live
        kafka: {brokers: BROKERS}
        sources:
          metrics:
            kafka: {topics: [metrics]}
            format: prometheus
            watermark: {delay: 5s, idleTimeout: off}
        queries:
          - name: q
            window: {size: 20s, slide: 10s}
            groupBy: [instance]
            aggregates: {n: count(), total: sum(value)}
            sinks: [{kafka: {topic: out}}]
        deadLetter: {kafka: {topic: dead}}
        trigger: {interval: 50ms}
        """

    /// Three partitions with disorder, late samples, bad lines; each ends in a sample far ahead.
    static func messages(_ partition: Int) -> [String] {
        var messages: [String] = []
        for step in 0..<300 {
            let second = Int64(step - (step * 7919 + partition) % 23)
            messages.append(Samples.line("i\(step % 4)", second, step + partition))
            if step % 97 == 13 { messages.append("not a sample {\n") }
        }
        return messages + [Samples.line("end", 400)]
    }

    @Test func rowsInTheOutputTopicEqualReplay() async throws {
        let topics = [
            LiveBroker.Topic("metrics", partitions: 3), LiveBroker.Topic("out", partitions: 1),
            LiveBroker.Topic("dead"),
        ]
        try await LiveBroker.with(topics) { live in
            let definition = try LiveJob.definition(Self.job, brokers: live.brokers)
            let texts = (0..<3).map { Self.messages($0).joined() }
            let replayed = try EngineHarness.replay(definition, texts, keepOpen: true)
            #expect(replayed.rows[0].count > 100)
            // Half of it is there before the job, half comes while it runs.
            for partition in 0..<3 {
                try live.send("metrics", Int32(partition), Array(Self.messages(partition).prefix(150)))
            }
            let job = try LiveJob(Self.job, brokers: live.brokers, output: .asInJob)
            try job.waitUntilReading(partitions: 3)
            for partition in 0..<3 {
                try live.send("metrics", Int32(partition), Array(Self.messages(partition).dropFirst(150)))
            }
            var rows: [String] = []
            try job.wait("all rows in the topic") { _ in
                rows = (try? live.read("out"))?.flatMap { $0 } ?? []
                return rows.count >= replayed.rows[0].count
            }
            let summary = try job.stop()
            #expect(try live.read("out").flatMap { $0 } == replayed.rows[0])
            #expect(summary.balances)
            #expect(summary.samples == 903)
            #expect(summary.badRecords == 9)
            #expect(try live.read("dead").flatMap { $0 }.count == 9)
        }
    }

    @Test func partitionLocalWindowsFollowTheirOwnPartition() async throws {
        let text = """
            name: local
            kafka: {brokers: BROKERS}
            sources:
              metrics:
                kafka: {topics: [metrics]}
                format: prometheus
                partitionedBy: [instance]
                watermark: {delay: 5s, idleTimeout: off}
            queries:
              - {name: q, window: {size: 10s}, groupBy: [instance], aggregates: {n: count()}, sinks: [{console: {}}]}
            trigger: {interval: 20ms}
            """
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 2)]) { live in
            let job = try LiveJob(text, brokers: live.brokers)
            // The second partition never speaks and is never idle: it holds nobody back.
            try live.send("metrics", 0, Samples.lines("a", [0, 1, 11, 21, 40]))
            let first = try job.waitForRows(3).map(\.brief)
            #expect(first == ["00:00:00 a 2", "00:00:10 a 1", "00:00:20 a 1"])
            // Far behind the other, and yet not late.
            try live.send("metrics", 1, Samples.lines("b", [2, 12, 30]))
            let rows = try job.waitForRows(5).map(\.brief)
            #expect(Array(rows.dropFirst(3)) == ["00:00:00 b 1", "00:00:10 b 1"])
            let replayed = try EngineHarness.replay(
                job.definition,
                [Samples.lines("a", [0, 1, 11, 21, 40]).joined(), Samples.lines("b", [2, 12, 30]).joined()],
                keepOpen: true)
            #expect(Set(replayed.rows[0].map(\.brief)).isSubset(of: Set(rows)))
            let summary = try job.stop()
            #expect(summary.late == 0)
            #expect(summary.balances)
        }
    }

    /// What a partition-local job of this mode gives live, partitions far apart in time, and in replay.
    private static func localRows(
        _ mode: String, _ live: LiveBroker
    ) throws -> (live: [String], replayed: [String], summary: JobSummary) {
        let text = """
            name: local
            kafka: {brokers: BROKERS}
            sources:
              metrics:
                kafka: {topics: [metrics]}
                format: prometheus
                partitionedBy: [instance]
                watermark: {delay: 3s, idleTimeout: off}
            queries:
              - name: q
                window: {size: 20s, slide: 10s}
                groupBy: [instance]
                aggregates: {n: count(), total: sum(value)}
                outputMode: \(mode)
                sinks: [{console: {}}]
            trigger: {interval: 20ms}
            """
        var texts: [[String]] = []
        for partition in 0..<3 {
            let ahead = Int64(partition) * 120
            texts.append(
                (0..<200).map { step in
                    let second = ahead + Int64(step) - Int64((step * 7919 + partition) % 11)
                    return Samples.line("i\(partition)-\(step % 3)", second, step)
                })
            try live.send("metrics", Int32(partition), texts[partition])
        }
        let job = try LiveJob(text, brokers: live.brokers, sliceBytes: 500)
        let replayed = try EngineHarness.replay(job.definition, texts.map { $0.joined() }, keepOpen: mode == "append")
        try job.wait("all is read") {
            $0.progress?.lag == 0 && $0.progress?.sources.first?.watermarkMs == Samples.baseMs + 195_000
        }
        let summary = try job.stop()
        return (job.rows(), replayed.rows[0], summary)
    }

    /// Each key's rows, in order.
    private static func byKey(_ rows: [String]) -> [String: [String]] {
        Dictionary(grouping: rows) { String($0.brief.split(separator: " ")[1]) }
    }

    @Test func partitionLocalRowsAreThoseOfReplayKeyByKey() async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 3)]) { live in
            let (rows, replayed, summary) = try Self.localRows("append", live)
            // keepOpen leaves out what some partition's own watermark had not passed; live goes by each one's own.
            for (key, expected) in Self.byKey(replayed) {
                let own = Self.byKey(rows)[key] ?? []
                #expect(Array(expected.prefix(own.count)) == own)
                #expect(own.count >= 15)
            }
            #expect(summary.balances)
        }
    }

    @Test func inUpdateModeTheLastRowOfAWindowIsItsFinalOne() async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 3)]) { live in
            let (rows, replayed, summary) = try Self.localRows("update", live)
            func last(_ rows: [String]) -> [String: String] {
                Dictionary(rows.map { ($0.brief.split(separator: " ").prefix(2).joined(separator: " "), $0) }) { $1 }
            }
            #expect(last(rows) == last(replayed))
            // No trigger shows a window that nothing changed.
            #expect(Set(rows).count == rows.count)
            #expect(summary.balances)
        }
    }

    @Test func aKeyOfTwoPartitionsIsAnErrorWhereItShouldHaveOne() async throws {
        let text = """
            name: local
            kafka: {brokers: BROKERS}
            sources:
              metrics: {kafka: {topics: [metrics]}, format: prometheus, partitionedBy: [instance], watermark: {delay: 5s}}
            queries:
              - {name: q, window: {size: 10s}, groupBy: [instance], aggregates: {n: count()}, sinks: [{console: {}}]}
            trigger: {interval: 20ms}
            """
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 2)]) { live in
            let job = try LiveJob(text, brokers: live.brokers)
            try live.send("metrics", 0, Samples.lines("a", [0, 40]))
            try live.send("metrics", 1, Samples.lines("a", [0, 40]))
            let error = #expect(throws: (any Error).self) { try job.end() }
            let words = error.map { "\($0)" } ?? ""
            #expect(words.contains("instance=") && words.contains("metrics/0") && words.contains("metrics/1"))
            #expect(words.contains("remove partitionedBy"))
        }
    }

    @Test func twoQueriesTwoSourcesAndEvents() async throws {
        let text = """
            name: both
            kafka: {brokers: BROKERS}
            sources:
              metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 0s, idleTimeout: off}}
              events: {kafka: {topics: [events]}, format: event-json, watermark: {delay: 0s, idleTimeout: off}}
            queries:
              - {name: q, from: metrics, window: {size: 10s}, groupBy: [instance], aggregates: {n: count()}, sinks: [{console: {}}]}
              - {name: w, from: metrics, where: value > 1, window: {size: 20s}, aggregates: {n: count()}, sinks: [{console: {}}]}
              - {name: e, from: events, window: {size: 10s}, groupBy: [type], aggregates: {n: count()}, sinks: [{console: {}}]}
            trigger: {interval: 20ms}
            """
        try await LiveBroker.with([LiveBroker.Topic("metrics"), LiveBroker.Topic("events")]) { live in
            let job = try LiveJob(text, brokers: live.brokers)
            try live.send("metrics", 0, (0..<45).map { Samples.line("a", $0, Int($0 % 3)) })
            func event(_ second: Int) -> String {
                #"{"timestamp":\#(Samples.baseMs / 1000 + Int64(second)),"type":"ClusterScaling","reason":"ScaleUp","#
                    + #""severity":"info","object":"o","message":"m","labels":{}}"#
            }
            try live.send("events", 0, [event(1), event(2), event(10)])
            #expect(try job.waitForRows(4, query: 0).map(\.brief).first == "00:00:00 a 10")
            #expect(try job.waitForRows(2, query: 1).map(\.brief) == ["00:00:00 - 6", "00:00:20 - 7"])
            #expect(try job.waitForRows(1, query: 2).map(\.brief) == ["00:00:00 - 2"])
            let summary = try job.stop()
            #expect(Set(summary.partitions.map(\.id.description)) == ["events/0", "metrics/0"])
            #expect(summary.balances)
        }
    }
}
