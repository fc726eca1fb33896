import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

/// Verdicts and cluster events in a running job: they wait for each other, and what comes out is what a replay gives.
@Suite(.serialized) struct LiveContextTests {
    private static let job = """
        name: context
        kafka: {brokers: BROKERS}
        sources:
          metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 0s, idleTimeout: off}}
          changes:
            kafka: {topics: [changes]}
            format: event-json
            broadcast: true
            watermark: {delay: 5s, idleTimeout: off}
        queries:
          - name: q
            from: metrics
            window: {size: 10s}
            groupBy: [instance]
            aggregates: {v: max(value)}
            sinks: [{kafka: {topic: rows}}]
            anomalies:
              - name: hot
                column: v
                detector: {type: threshold, above: 10}
                emit: EMIT
                context:
                  - {from: changes, where: type == "NodeMemoryPressure", match: [instance], after: 30s, action: raise, maxWait: MAX}
                  - {from: changes, where: type == "ClusterUpgrade", match: [instance], before: 10s, after: 20s, action: suppress, maxWait: MAX}
                  - {from: changes, where: type == "ClusterScaling", after: 20s, action: lower, maxWait: MAX}
                  - {from: changes, where: type == "Node", match: [instance], action: annotate, maxWait: MAX}
                sinks: [{kafka: {topic: flags}}]
            impacts:
              - {name: scaling, column: v, from: changes, where: type == "ClusterScaling", before: 20s, after: 20s, maxWait: MAX, sinks: [{kafka: {topic: impacts}}]}
        trigger: {interval: 20ms}
        checkpoint: {location: ck}
        """

    private static let topics = [
        LiveBroker.Topic("metrics", partitions: 1), LiveBroker.Topic("changes", partitions: 1),
        LiveBroker.Topic("rows", partitions: 1), LiveBroker.Topic("flags", partitions: 1),
        LiveBroker.Topic("impacts", partitions: 1),
    ]

    private static func event(_ second: Int64, _ type: String, _ reason: String, _ instance: String) -> String {
        let time = EventTime.rfc3339(Samples.baseMs + second * 1000)
        return #"{"timestamp":"\#(time)","type":"\#(type)","reason":"\#(reason)","severity":"info","object":"o","#
            + #""labels":{"instance":"\#(instance)"}}"#
    }

    private static func write(_ live: LiveBroker, _ scratch: Scratch, emit: String, maxWait: String) throws -> String {
        let text = job.replacing("BROKERS", with: live.brokers).replacing("EMIT", with: emit)
            .replacing("MAX", with: maxWait)
        return try scratch.write(text, to: "job.yaml")
    }

    /// `window instance severity` of each flag.
    private static func brief(_ flags: [String]) throws -> [String] {
        try flags.map { line in
            let row = try JSON(line)
            let startMs = row["window_start"]?.text.flatMap { EventTime.parseRFC3339($0) } ?? 0
            return "\((startMs - Samples.baseMs) / 10_000) \(row["labels"]?["instance"]?.text ?? "") "
                + "\(row["state"]?.text ?? "") \(row["severity"]?.text ?? "")"
        }
    }

    @Test func verdictsWaitForEventsAndHeedThem() async throws {
        try await LiveBroker.with(Self.topics) { live in
            let scratch = try Scratch()
            let file = try Self.write(live, scratch, emit: "flags", maxWait: "1h")
            let program = try BuiltProgram.start(BuiltProgram.path, ["run", file], in: scratch)
            defer {
                program.signal(SIGKILL)
                _ = try? program.result()
            }
            // Six windows of three hot instances, and a sample that closes the last.
            for second in Int64(0)...60 {
                try live.send("metrics", 0, ["a", "b", "c"].map { Samples.line($0, second, 20) })
            }
            func state() -> String { (try? program.errors()) ?? "" }
            try waitUntil("the rows of six windows", state: state) {
                try live.read("rows")[0].count == 18
            }
            #expect(try live.read("flags")[0].isEmpty, "a verdict did not wait for its events")
            try live.send(
                "changes", 0,
                [
                    Self.event(5, "NodeMemoryPressure", "EvictionThresholdMet", "a"),
                    Self.event(32, "ClusterUpgrade", "NodeDrained", "b"),
                    Self.event(41, "ClusterScaling", "ScaleUp", ""),
                    Self.event(43, "Node", "Rebooted", "c"),
                    // More than `delay` behind the newest: it does not count.
                    Self.event(0, "ClusterUpgrade", "NodeDrained", "c"),
                    // The events' watermark passes every window.
                    Self.event(200, "ClusterScaling", "ScaleUp", ""),
                ])
            let expected = [
                "0 a flagged critical", "0 b flagged warning", "0 c flagged warning", "1 a flagged critical",
                "1 b flagged warning", "1 c flagged warning", "2 a flagged critical", "2 c flagged warning",
                "3 a flagged critical", "3 c flagged warning", "4 a flagged info", "4 c flagged info",
                "5 a flagged info", "5 c flagged info",
            ]
            let flags = try waitFor("the flags", state: state) { () -> [String]? in
                let flags = try live.read("flags")[0]
                return flags.count >= expected.count ? flags : nil
            }
            let found = try Self.brief(flags)
            #expect(found == expected)
            for (place, words) in [
                (0, "raised to critical by NodeMemoryPressure EvictionThresholdMet of o at 2026-01-01T00:00:05Z"),
                (10, "lowered to info by ClusterScaling ScaleUp of o at 2026-01-01T00:00:41Z"),
                (11, "near Node Rebooted of o at 2026-01-01T00:00:43Z"),
            ] { #expect(flags[place].contains(words), "\(flags[place])") }
            // 41 s + 20 s is past the last final window: what the scale-out did is not known yet.
            #expect(try live.read("impacts")[0].isEmpty, "an impact too early")
        }
    }

    /// A restart fires nothing again and resolves nothing that holds; verdicts that wait are kept.
    @Test func aRestartFiresNothingAgain() async throws {
        try await LiveBroker.with(Self.topics) { live in
            let scratch = try Scratch()
            let file = try Self.write(live, scratch, emit: "transitions", maxWait: "1h")
            func run() throws {
                let result = try BuiltProgram.run(["run", file, "--available-now"], in: scratch)
                #expect(result.code == 0, "\(result.errors)")
            }
            func feed(_ seconds: ClosedRange<Int64>, _ value: Int) throws {
                for second in seconds { try live.send("metrics", 0, [Samples.line("a", second, value)]) }
            }
            try live.send("changes", 0, [Self.event(35, "ClusterScaling", "ScaleUp", "")])
            try feed(0...20, 20)
            try run()
            #expect(try Self.brief(try live.read("flags")[0]) == ["0 a firing warning"], "the first run")
            // The events' watermark, 30 s, lets no window that ends later go.
            try feed(21...49, 20)
            try run()
            try run()
            try feed(50...70, 1)
            try run()
            #expect(try Self.brief(try live.read("flags")[0]) == ["0 a firing warning"], "it waits")
            try live.send("changes", 0, [Self.event(300, "ClusterScaling", "ScaleUp", "")])
            try run()
            try run()
            let flags = try live.read("flags")[0]
            let found = try Self.brief(flags)
            try #require(found == ["0 a firing warning", "5 a resolved warning"])
            let incidents = try flags.map { try JSON($0)["incidentId"]?.text }
            #expect(incidents[0] == incidents[1] && incidents[0] != nil, "\(incidents)")
            // What the run judged bit by bit is what a replay of the topics gives at once.
            let replay = try Replay(file, inputs: [], options: ["--keep-open"], in: scratch)
            #expect(try replay.text("flags").split(separator: "\n").map(String.init) == flags, "replay differs")
            let impacts = try live.read("impacts")[0]
            #expect(try replay.text("impacts").split(separator: "\n").map(String.init) == impacts)
            #expect(impacts.count == 1)
            #expect(impacts.first?.contains(#""before":20.0,"after":20.0,"#) == true, "\(impacts)")
        }
    }

    /// Without events a verdict comes after `maxWait`, and the run says so in its record.
    @Test func verdictsDoNotWaitForEver() async throws {
        try await LiveBroker.with(Self.topics) { live in
            let scratch = try Scratch()
            let file = try Self.write(live, scratch, emit: "flags", maxWait: "300ms")
            let program = try BuiltProgram.start(BuiltProgram.path, ["run", file], in: scratch)
            defer {
                program.signal(SIGKILL)
                _ = try? program.result()
            }
            for second in Int64(0)...20 { try live.send("metrics", 0, [Samples.line("a", second, 20)]) }
            let flags = try waitFor("flags without events", state: { (try? program.errors()) ?? "" }) {
                () -> [String]? in
                let flags = try live.read("flags")[0]
                return flags.count == 2 ? flags : nil
            }
            #expect(try Self.brief(flags) == ["0 a flagged warning", "1 a flagged warning"], "\(flags)")
            program.signal(SIGTERM)
            let ended = try program.result()
            #expect(ended.code == 143, "\(ended.errors)")
            // An upgrade that is told of later would have suppressed them; the record says that it was not known.
            try live.send("changes", 0, [Self.event(5, "ClusterUpgrade", "NodeDrained", "a")])
            let replay = try Replay(
                file, inputs: [], options: ["--keep-open", "--decisions", "ck"], in: scratch)
            #expect(try replay.text("flags").split(separator: "\n").map(String.init) == flags, "replay differs")
            let bare = try Replay(file, inputs: [], options: ["--keep-open"], in: scratch)
            #expect(try bare.text("flags").isEmpty, "a bare replay knows every event")
        }
    }
}
