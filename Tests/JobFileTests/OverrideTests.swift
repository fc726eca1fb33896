import JobFile
import StreamEngine
import Testing

/// `--set key.path=value`
@Suite struct OverrideTests {
    private func job(_ overrides: String...) -> CheckedJob { Jobs.check(Jobs.small, overrides: overrides) }

    @Test func scalarsListsMapsAndNewKeys() throws {
        let job = job(
            "queries.q.window.size=5m", "trigger.interval=10s", "queries.0.groupBy=[a, b]",
            "queries.q.sinks.jsonl.path=elsewhere", "kafka.brokers=b:1", "kafka.options.security.protocol=ssl",
            "sources.metrics.watermark={delay: 5s}", "queries.q.where=value > 3", "limits.maxSeries=7")
        #expect(Jobs.rendered(job) == "")
        let definition = try #require(job.definition)
        #expect(definition.queries[0].window.sizeMs == 300_000)
        #expect(definition.trigger == .interval(ms: 10_000))
        #expect(definition.queries[0].grouping == .by(["a", "b"]))
        #expect(definition.queries[0].sinks[0].options.text("path") == "elsewhere")
        #expect(definition.kafka.options == [.init("security.protocol", "ssl")])
        #expect(definition.sources[0].watermark.delayMs == 5000)
        #expect(definition.queries[0].where?.description == "value > 3")
        #expect(definition.limits.maxSeries == 7)
    }

    @Test func laterOnesWin() {
        #expect(job("name=a", "name=b").definition?.name == "b")
    }

    @Test(arguments: [
        ("queries.p.window.size=5m", "no entry of this list is called `p`"),
        ("nonsense", "is not key.path=value"),
        ("queries..x=1", "a part of it is empty"),
        ("tigger.interval=1s", "unknown key `tigger`"),
        ("trigger.interval=soon", "`interval` cannot be `soon`"),
        ("queries.q.where=value >", "found the end"),
        ("name=[", "YAML"),
    ])
    func mistakesPointIntoTheArgument(_ override: String, _ expected: String) throws {
        let job = job(override)
        let said = Jobs.rendered(job)
        #expect(said.contains(expected), "\(said)")
        #expect(said.contains("--set \(override)"))
    }
}
