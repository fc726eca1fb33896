import JobFile
import StreamEngine
import Testing

/// A changed job against the checkpoint of the old one (SEMANTICS §5).
@Suite struct JobDifferenceTests {
    private static let base = """
        name: cpu
        sources:
          metrics:
            kafka: {topics: [metrics, more]}
            format: prometheus
            partitionedBy: [instance]
            watermark: {delay: 60s}
        queries:
          - name: cpu
            from: metrics
            select: node_cpu_seconds_total{mode!="idle",instance=~"n.*"}
            columns: {rack: lower(instance)}
            where: value > 0
            window: {size: 5m, slide: 1m}
            groupBy: [instance, mode]
            aggregates: {busy: avg(rate(value)), n: count()}
            derive: {twice: busy * 2}
            having: n > 1
            allowedLateness: 10s
            sinks: [{jsonl: {path: out}}]
        """

    private func identity(_ text: String, _ overrides: [String] = []) throws -> JobIdentity {
        let job = Jobs.check(text, overrides: overrides)
        return JobIdentity(try #require(job.definition, "\(Jobs.rendered(job))"))
    }

    private func difference(_ overrides: String...) throws -> JobDifference {
        JobDifference(checkpoint: try identity(Self.base), present: try identity(Self.base, overrides))
    }

    @Test(arguments: [
        ("kafka.brokers=other:9092", ""), ("group=another", ""), ("trigger.interval=7s", ""),
        ("limits.maxSeries=9", ""), ("checkpoint.location=elsewhere", ""), ("maxAhead=1h", ""),
        ("onBadRecord=skip", ""), ("sources.metrics.kafka.startingOffsets=latest", ""),
        ("sources.metrics.kafka.topics=[more, metrics]", ""),
        (#"queries.cpu.select=node_cpu_seconds_total{instance=~"n.*", mode!="idle"}"#, ""),
        ("queries.cpu.where=(value)>0", ""),
        ("sources.metrics.kafka.topics=[metrics, more, third]", "source metrics: topics added: third"),
        ("sources.metrics.watermark.idleTimeout=off", "source metrics: idleTimeout 30s → off"),
        ("sources.metrics.watermark.maxFutureSkew=1h", "source metrics: maxFutureSkew 5m → 1h"),
        ("queries.cpu.sinks=[{jsonl: {path: other}}, {console: {}}]", "query cpu: sinks changed"),
        ("queries.cpu.late={jsonl: {path: late}}", "query cpu: late sink changed"),
        ("queries.cpu.having=n > 2", "query cpu: having n > 1 → n > 2"),
        ("queries.cpu.derive={thrice: busy * 3}", "query cpu: derive twice: busy * 2 → thrice: busy * 3"),
    ])
    func compatible(_ override: String, _ said: String) throws {
        let difference = try difference(override)
        #expect(difference.items.map(\.description).joined(separator: "; ") == said)
        #expect(difference.refusal(job: "cpu", directory: "d") == nil)
        if said.isEmpty { #expect(try identity(Self.base, [override]) == identity(Self.base)) }
    }

    @Test(arguments: [
        ("queries.cpu.window.size=10m", "query cpu: window 5m every 1m → 10m every 1m"),
        ("queries.cpu.window={size: 5m}", "query cpu: window 5m every 1m → 5m"),
        (
            "queries.cpu.window={size: 5m, slide: 1m, offset: 10s}",
            "query cpu: window 5m every 1m → 5m every 1m, offset 10s"
        ),
        ("queries.cpu.groupBy=[instance]", "query cpu: groupBy [instance, mode] → groupBy [instance]"),
        ("queries.cpu.aggregates.busy=max(value)", "query cpu: aggregate busy: avg(rate(value)) → max(value)"),
        ("queries.cpu.aggregates.more=sum(value)", "query cpu: aggregate more: none → sum(value)"),
        ("queries.cpu.aggregates={n: count(), busy: avg(rate(value))}", "query cpu: the order of its aggregates"),
        (
            "queries.cpu.select=node_cpu_seconds_total",
            #"query cpu: select node_cpu_seconds_total{instance=~"n.*",mode!="idle"} → node_cpu_seconds_total"#
        ),
        ("queries.cpu.where=value > 1", "query cpu: where value > 0 → value > 1"),
        (
            "queries.cpu.columns.rack=upper(instance)",
            "query cpu: columns rack: lower(instance) → rack: upper(instance)"
        ),
        ("queries.cpu.allowedLateness=20s", "query cpu: allowedLateness 10s → 20s"),
        ("queries.cpu.outputMode=update", "query cpu: outputMode append → update"),
        ("sources.metrics.watermark.delay=2m", "source metrics: watermark delay 1m → 2m"),
        ("sources.metrics.format=openmetrics", "source metrics: format prometheus → openmetrics"),
        ("sources.metrics.partitionedBy=[]", "source metrics: partitionedBy [instance] → []"),
        ("sources.metrics.kafka.topics=[metrics]", "source metrics: topics removed: more"),
    ])
    func incompatible(_ override: String, _ said: String) throws {
        let difference = try difference(override)
        #expect(difference.incompatible.map(\.description) == [said])
        let refusal = try #require(difference.refusal(job: "cpu", directory: "checkpoints/cpu")).description
        #expect(refusal.contains("checkpoints/cpu") && refusal.contains(said) && refusal.contains("--new-checkpoint"))
    }

    /// A bound that is moved must not cost the windows' state: detectors learn anew, impacts begin anew.
    @Test func detectorsAndImpactsMayChange() throws {
        let before = [
            "queries.cpu.anomalies=[{name: a, column: busy, detector: {type: threshold, above: 1}, groupInto: [mode]}]",
            "sources.changes={kafka: {topics: [changes]}, format: event-json, broadcast: true}",
            "queries.cpu.impacts=[{name: i, column: busy, from: changes}]",
        ]
        func change(_ overrides: String...) throws -> JobDifference {
            JobDifference(
                checkpoint: try identity(Self.base, before), present: try identity(Self.base, before + overrides))
        }
        for (override, words) in [
            ("queries.cpu.anomalies.a.detector.above=2", "detector's options"),
            ("queries.cpu.anomalies.a.detector={type: auto}", "detector threshold → auto"),
            ("queries.cpu.anomalies.a.column=n", "column busy → n"),
            ("queries.cpu.impacts.i.before=20m", "events"), ("queries.cpu.impacts.i.column=n", "column busy → n"),
            ("queries.cpu.impacts=[]", "impact i: removed"),
        ] {
            let difference = try change(override)
            #expect(difference.incompatible.isEmpty, "\(override): \(difference.items)")
            #expect(difference.items.contains { $0.description.contains(words) }, "\(override): \(difference.items)")
        }
        #expect(try !change("queries.cpu.anomalies.a.groupInto=[]").incompatible.isEmpty)
        #expect(try !change("queries.cpu.having=n > 2").incompatible.isEmpty)
    }

    @Test func queriesComeAndGo() throws {
        let other =
            Self.base + """

                  - name: second
                    from: metrics
                    window: {size: 1m}
                    groupBy: [instance]
                    aggregates: {n: count()}
                    sinks: [{jsonl: {path: second}}]
                """
        let added = JobDifference(checkpoint: try identity(Self.base), present: try identity(other))
        #expect(added.newQueries == ["second"] && added.incompatible.isEmpty)
        let removed = JobDifference(checkpoint: try identity(other), present: try identity(Self.base))
        #expect(removed.removedQueries == ["second"] && removed.incompatible.isEmpty)
        #expect(removed.items.map(\.description) == ["query second: removed"])
    }

    @Test func everyDifferenceIsNamed() throws {
        let said = try difference(
            "queries.cpu.window.size=10m", "queries.cpu.where=value > 1", "queries.cpu.having=n > 9")
        let refusal = try #require(said.refusal(job: "cpu", directory: "d")).description
        #expect(
            refusal == """
                job cpu was changed, and its checkpoint d cannot be gone on from:
                  query cpu: where value > 0 → value > 1
                  query cpu: window 5m every 1m → 10m every 1m
                ways on: `--new-checkpoint` starts afresh and keeps the old one aside; another `checkpoint.location` leaves \
                it where it is; the job as it was goes on from it
                """)
    }

    @Test func theSpellingOfAFileDoesNotCount() throws {
        let text = Self.base.replacing("path: out", with: "path: \"${OUT}\"")
        let job = Jobs.check(text, environment: ["OUT": "out"])
        #expect(JobIdentity(try #require(job.definition)) == (try identity(Self.base)))
    }
}
