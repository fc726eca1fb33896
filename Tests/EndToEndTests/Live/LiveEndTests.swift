import Connectors
import EmbeddedBroker
import Platform
import StreamEngine
import TestSupport
import Testing

/// Runs that end by themselves, and what the broker and the group do to a run.
@Suite(.serialized) struct LiveEndTests {
    static let job = LiveIdleTests.job(
        "delay: 0s, idleTimeout: 30s",
        ", options: {topic.metadata.refresh.interval.ms: 300, heartbeat.interval.ms: 100}")

    @Test(arguments: [LiveEnd.availableNow, .once])
    func whatIsThereIsReadAndOpenWindowsStayOpen(_ end: LiveEnd) async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 2)]) { live in
            // One partition is far behind the other, by more than maxAhead: nobody waits for it to become idle.
            try live.send("metrics", 0, Samples.lines("a", [1, 11, 21]))
            try live.send("metrics", 1, (0..<500).map { Samples.line("b", 100 * Int64($0)) })
            let job = try LiveJob(Self.job, brokers: live.brokers, end: end, sliceBytes: 100)
            let summary = try job.end()
            #expect(!summary.interrupted)
            #expect(summary.samples == 503)
            #expect(job.rows().map(\.brief) == ["00:00:00 a 1", "00:00:00 b 1", "00:00:10 a 1"])
            #expect(summary.balances)
            if case .once = end { #expect(summary.epochs == 1) }
        }
    }

    @Test func aTopicThatFillsOnDoesNotKeepABoundedRunGoing() async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics")]) { live in
            try live.send("metrics", 0, (0..<50).map { Samples.line("a", $0) })
            let isOver = StopRequest()
            let brokers = live.brokers
            let thread = try Thread(name: "producer") {
                guard let producer = try? KafkaProducer(KafkaConnection(brokers: brokers), log: { _ in }) else {
                    return
                }
                var second: Int64 = 50
                while !isOver.isRequested {
                    let line = Array(Samples.line("a", second).utf8)
                    try? line.withUnsafeBytes { try producer.send(topic: "metrics", value: $0, partition: 0) }
                    try? producer.flush(timeoutMs: Int(hungAfterMs))
                    second += 1
                }
                producer.close()
            }
            // Slower than the producer.
            let job = try LiveJob(Self.job, brokers: live.brokers, end: .availableNow, sliceBytes: 1)
            let summary = try job.end()
            isOver.request()
            thread.join()
            #expect(summary.samples >= 50)
        }
    }

    @Test func aBoundedRunGivesUpOnABrokerThatIsNotThere() async throws {
        try await onOwnThread {
            let job = try LiveJob(Self.job, brokers: "127.0.0.1:1", end: .availableNow, reachTimeoutMs: 2000)
            let error = #expect(throws: JobFailure.self) { try job.end() }
            #expect(
                error.map { "\($0)" }?.contains("kafka 127.0.0.1:1 group live: no broker in reach for 2s") == true)
            // Said once, however often it was tried.
            #expect(job.log.count == 1)
            #expect(job.log.first?.contains("cannot be reached, trying again") == true, "\(job.log)")
        }
    }

    @Test func aBoundedRunGivesUpOnATopicThatIsNotThere() async throws {
        try await LiveBroker.with([LiveBroker.Topic("other")]) { live in
            let job = try LiveJob(Self.job, brokers: live.brokers, end: .availableNow, reachTimeoutMs: 50)
            let error = #expect(throws: JobFailure.self) { try job.end() }
            #expect(error.map { "\($0)" }?.contains("no partition to read for 200ms; do the topics exist") == true)
        }
    }

    @Test func aTopicThatDoesNotExistIsSaidAndPickedUpWhenItAppears() async throws {
        try await LiveBroker.with([LiveBroker.Topic("other")]) { live in
            let text = Self.job.split(separator: "[metrics]").joined(separator: "[metrics], startingOffsets: latest")
            let job = try LiveJob(text, brokers: live.brokers)
            try job.wait("a warning") { $0.log.contains { $0.contains("metrics") && $0.contains("does not exist") } }
            try live.create("metrics", partitions: 2)
            // It joins from its first record on, `startingOffsets: latest` notwithstanding.
            try live.send("metrics", 0, Samples.lines("a", [1, 11]))
            try live.send("metrics", 1, Samples.lines("b", [1, 11]))
            #expect(try job.waitForRows(2).map(\.brief) == ["00:00:00 a 1", "00:00:00 b 1"])
            #expect(job.log.count { $0.contains("does not exist") } == 1)
            #expect(try job.stop().samples == 4)
        }
    }

    @Test func aBrokerThatIsKilledAndComesBackCostsNothing() async throws {
        let directory = try LiveBroker.makeDirectory()
        defer { try? PosixFileSystem().removeTree(directory) }
        try await LiveBroker.with([LiveBroker.Topic("metrics"), LiveBroker.Topic("out")], data: directory) { live in
            let text =
                Self.job.split(separator: "{console: {}}").joined(separator: "{kafka: {topic: out}}")
                + "\ndeadLetter: {kafka: {topic: out}}\n"
            try live.send("metrics", 0, Samples.lines("a", [1, 2, 11]))
            let job = try LiveJob(text, brokers: live.brokers, output: .asInJob)
            try job.wait("a row") { _ in ((try? live.read("out"))?[0].count ?? 0) >= 1 }
            live.broker.crash()
            try job.wait("the broker is missed") { $0.log.contains { $0.contains("cannot be reached") } }
            try live.broker.start()
            try job.wait("it answers again") { $0.log.contains { $0.contains("answers again") } }
            try live.send("metrics", 0, Samples.lines("a", [12, 13, 21]))
            try job.wait("the next row") { _ in ((try? live.read("out"))?[0].count ?? 0) >= 2 }
            let summary = try job.stop()
            #expect(try live.read("out")[0].map(\.brief) == ["00:00:00 a 2", "00:00:10 a 3"])
            #expect(summary.samples == 6)
            #expect(summary.late == 0)
        }
    }

    @Test func aSecondMemberOfAJobThatNeedsToBeAloneLeavesTheFirstAlone() async throws {
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 2)]) { live in
            let first = try LiveJob(Self.job, brokers: live.brokers)
            try live.send("metrics", 0, Samples.lines("a", [1, 2]))
            try live.send("metrics", 1, Samples.lines("b", [1, 2]))
            try first.wait("all is read") { $0.progress?.sources.first?.watermarkMs == Samples.baseMs + 2000 }
            let second = try LiveJob(Self.job, brokers: live.brokers)
            let error = #expect(throws: JobFailure.self) { try second.end() }
            let words = error.map { "\($0)" } ?? ""
            #expect(words.contains("partitions belong to other members of the group"))
            #expect(words.contains("query q is right only where one process reads all partitions"))
            try first.wait("all partitions again") { job in
                job.log.contains("reading metrics/0@2 metrics/1@2")
            }
            // What was read before is not read again, and what comes goes on from there.
            try live.send("metrics", 0, Samples.lines("a", [3, 11]))
            try live.send("metrics", 1, Samples.lines("b", [3, 11]))
            #expect(try first.waitForRows(2).map(\.brief) == ["00:00:00 a 3", "00:00:00 b 3"])
            let summary = try first.stop()
            #expect(summary.samples == 8)
            #expect(summary.late == 0)
            #expect(first.decisions.allSatisfy { $0.kind == .idle || $0.isActive })
            #expect(summary.partitions.count == 2)
        }
    }

    @Test func membersOfAPartitionLocalJobShareItAndTakeOver() async throws {
        let text = """
            name: local
            kafka: {brokers: BROKERS, options: {heartbeat.interval.ms: 100}}
            sources:
              metrics:
                kafka: {topics: [metrics]}
                format: prometheus
                partitionedBy: [instance]
                watermark: {delay: 0s, idleTimeout: off}
            queries:
              - {name: q, window: {size: 10s}, groupBy: [instance], aggregates: {n: count()}, sinks: [{console: {}}]}
            trigger: {interval: 20ms}
            """
        try await LiveBroker.with([LiveBroker.Topic("metrics", partitions: 2)]) { live in
            let first = try LiveJob(text, brokers: live.brokers)
            for partition in 0..<2 {
                try live.send("metrics", Int32(partition), Samples.lines("i\(partition)", [1, 11]))
            }
            #expect(try first.waitForRows(2).count == 2)
            let second = try LiveJob(text, brokers: live.brokers)
            try second.wait("a share") { $0.log.contains { $0.hasPrefix("reading metrics/") } }
            try first.wait("the other share") { $0.log.contains { $0.contains("1 of 2 partitions belong to other") } }
            for partition in 0..<2 {
                try live.send("metrics", Int32(partition), Samples.lines("i\(partition)", [12, 21]))
            }
            // Its state stays in memory: the partition it kept goes on, nothing is counted twice.
            let kept = try first.waitForRows(3).map(\.brief)[2]
            #expect(kept.hasPrefix("00:00:10") && kept.hasSuffix(" 2"))
            #expect(try second.waitForRows(2).map(\.brief).last?.hasSuffix(" 2") == true)
            #expect(try second.stop().balances)
            // The first one gets the other partition back and goes on where it had stopped.
            let rows = Set(try first.waitForRows(4).map(\.brief))
            #expect(rows == ["00:00:00 i0 1", "00:00:00 i1 1", "00:00:10 i0 2", "00:00:10 i1 2"])
            let summary = try first.stop()
            #expect(summary.samples == 8)
            #expect(summary.late == 0)
        }
    }
}
