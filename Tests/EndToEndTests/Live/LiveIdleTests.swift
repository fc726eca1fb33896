import Connectors
import EmbeddedBroker
import Platform
import StreamEngine
import TestSupport
import Testing

/// What only the wall clock decides (SEMANTICS §3): idle, all idle, joins, the future.
@Suite(.serialized) struct LiveIdleTests {
    /// `window`: an hour where an idle timeout is short, so that no pause of the machine lets the clock close the next one.
    static func job(_ watermark: String, _ more: String = "", window: String = "10s") -> String {
        """
        name: live
        kafka: {brokers: BROKERS\(more)}
        sources:
          metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {\(watermark)}}
        queries:
          - {name: q, window: {size: \(window)}, groupBy: [instance], aggregates: {n: count()}, sinks: [{console: {}}]}
        trigger: {interval: 20ms}
        """
    }

    @Test func aQuietPartitionHoldsWindowsNoLongerThanIdleTimeout() async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 3)]) { live in
            // Partition 2 never has a record.
            try live.send("metrics", 0, Samples.lines("a", [1, 2]))
            try live.send("metrics", 1, Samples.lines("b", [1]))
            let job = try LiveJob(Self.job("delay: 0s, idleTimeout: 400ms", window: "1h"), brokers: live.brokers)
            try job.waitUntilReading(partitions: 3)
            var second: Int64 = 3600
            try job.wait("windows without the quiet ones") { job in
                // One keeps talking, in steps that stay behind the second window's end.
                try? live.send("metrics", 0, Samples.lines("a", [min(second, 7000)]))
                second += 1
                return job.rows().count >= 2
            }
            #expect(Set(job.rows().map(\.brief)) == ["00:00:00 a 2", "00:00:00 b 1"])
            func idle(_ partition: Int32) -> Decision? {
                job.decisions.first { $0.kind == .idle && $0.partition?.partition == partition }
            }
            try job.wait("two idle decisions") { _ in idle(1) != nil && idle(2) != nil }
            #expect(idle(1)?.nextOffset == 1)
            #expect(idle(2)?.nextOffset == nil)
            // It comes back: too late for the window that went out without it, in time for the open one.
            try live.send("metrics", 1, Samples.lines("b", [2, 3602]))
            try job.wait("active again") { job in
                job.decisions.contains { $0.isActive && $0.partition?.partition == 1 }
            }
            let summary = try job.stop()
            #expect(summary.lateAfterIdle == 1)
            #expect(summary.late == 1)
            #expect(summary.balances)
        }
    }

    @Test func aStreamThatStopsStillGetsItsLastWindowsOnceAndGoesOnAfterwards() async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 2)]) { live in
            // Before the job: a partition that holds more than was read is not idle.
            try live.send("metrics", 0, Samples.lines("a", [1, 2, 3600]))
            try live.send("metrics", 1, Samples.lines("b", [3599, 3600]))
            let startNs = SystemClock().monotonicNs()
            let job = try LiveJob(Self.job("delay: 1s, idleTimeout: 200ms", window: "1h"), brokers: live.brokers)
            // The watermark stands at 3599 s; the clock brings it to the hour and no window but the first can be due then.
            #expect(try job.waitForRows(2).map(\.brief) == ["00:00:00 a 2", "00:00:00 b 1"])
            // The job tells what it decided after the rows.
            let ms = try waitFor("a watermark by the clock", state: { job.words }) { () -> Int64? in
                guard case .clockWatermark(let ms)? = job.decisions.last(where: { $0.partition == nil })?.kind else {
                    return nil
                }
                return ms
            }
            // As far as the clock, and no further.
            let passedMs = (SystemClock().monotonicNs() - startNs) / 1_000_000
            #expect((3_600_000...3_599_000 + passedMs).contains(ms - Samples.baseMs))
            // More data goes on right: the open window takes it, what is gone does not come again.
            try live.send("metrics", 0, Samples.lines("a", [3, 7000]))
            try live.send("metrics", 1, Samples.lines("b", [7001]))
            try job.wait("both are back") { job in
                Set(job.decisions.filter { $0.isActive }.map { $0.partition?.partition }) == [0, 1]
            }
            try live.send("metrics", 0, Samples.lines("a", [7300]))
            try live.send("metrics", 1, Samples.lines("b", [7300]))
            let rows = try job.waitForRows(4).map(\.brief)
            #expect(Array(rows.prefix(4).dropFirst(2)) == ["01:00:00 a 2", "01:00:00 b 2"])
            let summary = try job.stop()
            #expect(summary.lateAfterIdle == 1)
            #expect(summary.balances)
        }
    }

    @Test func aSlowConsumerIsNeverIdleAndLosesNothing() async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 2)]) { live in
            // A message a turn, with an idle timeout of a few turns.
            for partition in 0..<2 {
                try live.send(
                    "metrics", Int32(partition), (0..<400).map { Samples.line("i\(partition)", Int64($0)) })
            }
            let job = try LiveJob(Self.job("delay: 0s, idleTimeout: 5ms"), brokers: live.brokers, sliceBytes: 1)
            try job.wait("everything read") { $0.progress?.sources.first?.watermarkMs ?? 0 >= Samples.baseMs + 399_000 }
            let rows = try job.waitForRows(78)
            let replayed = try EngineHarness.replay(
                job.definition,
                (0..<2).map { p in (0..<400).map { Samples.line("i\(p)", Int64($0)) }.joined() }, keepOpen: true)
            let summary = try job.stop()
            #expect(Array(rows.prefix(78)) == Array(replayed.rows[0].prefix(78)))
            #expect(summary.late == 0)
            #expect(summary.samples == 800)
            // Every idle decision was taken at the partition's end, none before.
            #expect(job.decisions.filter { $0.kind == .idle }.allSatisfy { $0.nextOffset == 400 })
        }
    }

    @Test func partitionLocalWindowsOfAQuietPartitionComeOutByTheClock() async throws {
        let text = """
            name: local
            kafka: {brokers: BROKERS}
            sources:
              metrics:
                kafka: {topics: [metrics]}
                format: prometheus
                partitionedBy: [instance]
                watermark: {delay: 0s, idleTimeout: 100ms}
            queries:
              - {name: q, window: {size: 1h}, groupBy: [instance], aggregates: {n: count()}, sinks: [{console: {}}]}
            trigger: {interval: 20ms}
            """
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 2)]) { live in
            let job = try LiveJob(text, brokers: live.brokers)
            try live.send("metrics", 1, [Samples.line("b", 3599)])
            var sent: Int64 = 0
            // The other one never falls silent.
            try job.wait("the quiet one's window") { job in
                try? live.send("metrics", 0, [Samples.line("a", sent / 100)])
                sent += 1
                return job.rows().map(\.brief).contains("00:00:00 b 1")
            }
            let summary = try job.stop()
            #expect(job.decisions.contains { $0.partition?.partition == 1 && $0.kind == .idle })
            #expect(summary.late == 0)
            #expect(summary.balances)
        }
    }

    @Test func aSampleOfTheFutureGoesToTheDeadLettersAndMovesNothing() async throws {
        try await LiveBroker.with([
            LiveBroker.Topic("metrics"),
            LiveBroker.Topic("stamped", config: ["message.timestamp.type": "LogAppendTime"]),
        ]) { live in
            for topic in ["metrics", "stamped"] {
                let text = Self.job("delay: 0s, idleTimeout: off").split(separator: "[metrics]").joined(
                    separator: "[\(topic)]")
                let nowMs = SystemClock().wallMs() / 10_000 * 10_000 - 20_000
                let job = try LiveJob(text, brokers: live.brokers)
                try live.send(
                    topic, 0,
                    [
                        Samples.line("a", 0, base: nowMs), Samples.line("a", 86_400, base: nowMs),
                        Samples.line("a", 5, base: nowMs), Samples.line("a", 10, base: nowMs),
                    ])
                #expect(try job.waitForRows(1).first?.brief.hasSuffix(" a 2") == true)
                let summary = try job.stop()
                #expect(summary.future == 1)
                #expect(summary.badRecords == 0)
                #expect(summary.late == 0)
                #expect(summary.partitions.first?.watermarkMs == nowMs + 10_000)
                let dead = job.deadLetters.withLock { $0 }
                #expect(dead.count == 1)
                #expect(dead.first?.contains(#""offset":1,"line":1,"reason":"futureTimestamp""#) == true, "\(dead)")
                #expect(job.decisions.contains { $0.isFuture && $0.nextOffset == 1 })
            }
        }
    }

    @Test func thePartitionThatHoldsTheWatermarkBackHasAName() async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 2)]) { live in
            let job = try LiveJob(Self.job("delay: 0s, idleTimeout: off"), brokers: live.brokers)
            try live.send("metrics", 0, Samples.lines("a", [1, 60]))
            try job.wait("the silent one is named") { job in
                let source = job.progress?.sources.first
                return source?.holder?.description == "metrics/1" && source?.watermarkMs == nil
            }
            #expect(job.log.contains { $0.contains("query q: first window 2026-01-01T00:00:00") }, "\(job.log)")
            #expect(job.rows().isEmpty)
            try live.send("metrics", 1, Samples.lines("b", [20]))
            #expect(try job.waitForRows(1).map(\.brief) == ["00:00:00 a 1"])
            try job.wait("the slow one is named") { job in
                let source = job.progress?.sources.first
                return source?.holder?.description == "metrics/1" && source?.watermarkMs == Samples.baseMs + 20_000
            }
            #expect(job.progress?.lag == 0)
            #expect(try job.stop().late == 0)
        }
    }

    @Test func aTopicThatJoinsStartsAtTheWatermarkOfThatMoment() async throws {
        let text = Self.job("delay: 0s, idleTimeout: 1h", ", options: {topic.metadata.refresh.interval.ms: 200}")
            .split(separator: "topics: [metrics]").joined(
                separator: "pattern: \"^metrics-.*\", startingOffsets: latest")
        try await LiveBroker.with([LiveBroker.Topic("metrics-a")]) { live in
            let job = try LiveJob(text, brokers: live.brokers)
            try job.waitUntilReading(partitions: 1)
            try live.send("metrics-a", 0, Samples.lines("a", [1, 11]))
            #expect(try job.waitForRows(1).map(\.brief) == ["00:00:00 a 1"])
            try live.create("metrics-b", partitions: 1)
            try live.send("metrics-b", 0, Samples.lines("b", [2, 12, 21]))
            try job.wait("the new topic is read") { $0.log.contains { $0.contains("metrics-b/0@0") } }
            try live.send("metrics-a", 0, Samples.lines("a", [21]))
            #expect(try job.waitForRows(3).map(\.brief).dropFirst() == ["00:00:10 a 1", "00:00:10 b 1"])
            let summary = try job.stop()
            #expect(job.decisions.map(\.kind) == [.join(watermarkMs: Samples.baseMs + 11_000)])
            #expect(job.decisions.first?.partition?.topic == "metrics-b")
            #expect(summary.lateAfterIdle == 1)
            #expect(summary.late == 1)
            #expect(summary.balances)
        }
    }
}
