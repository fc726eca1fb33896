import Connectors
import EmbeddedBroker
import Platform
import StreamEngine
import TestSupport
import Testing

/// `stream-job doctor`: at each link of the chain the right finding, and the right mend.
@Suite struct DoctorTests {
    @Test func aHealthyJobIsToldSo() throws {
        let patient = try DoctorPatient()
        try patient.writeHealthy()
        let result = try patient.doctor()
        #expect(result.code == 0, "\(result.output)\(result.errors)")
        #expect(result.errors.isEmpty)
        let lines = result.output.split(separator: "\n")
        #expect(lines.count == 8)
        #expect(lines.allSatisfy { $0.hasPrefix(" ok    ") }, "\(result.output)")
        for part in [
            "broker \(patient.brokers) answers (1 node, ", "topic metrics: 2 partitions",
            "metrics: 120 records, newest ",
            "120 sampled records of metrics parse as prometheus: 360 samples, 0 bad",
            "query q: 2 of 6 sampled series match node_cpu_seconds_total{mode=\"idle\"}",
            "the watermark would stand at ", "query q: windows of 10 s; those that end by ",
            "sinks can be written: console",
        ] { #expect(result.output.contains(part), "\(part) in \(result.output)") }
    }

    @Test func aBrokerOutOfReach() throws {
        let patient = try DoctorPatient()
        let result = try patient.doctor("kafka.brokers=127.0.0.1:1")
        #expect(result.code == 1)
        #expect(result.output.hasPrefix(" FAIL  broker 127.0.0.1:1 does not answer: "))
        #expect(result.output.contains("stream-job broker --memory --listen 127.0.0.1:1\n"))
        #expect(result.output.hasSuffix(" skip  topics, records, parse, select, watermark, windows, sinks\n"))
    }

    /// Each broken link, what is said of it, and its mend.
    @Test(arguments: [
        (
            ["sources.metrics.kafka.topics=[metrisc]"], "topics", "source metrics: there is no topic metrisc",
            "did you mean metrics?"
        ),
        (
            ["sources.metrics.kafka.topics=[other]"], "topics", "there is no topic other",
            "topics: metrics; for a try: stream-job generate --brokers 127.0.0.1:"
        ),
        (
            ["sources.metrics.format=sample-json"], "parse", "nothing parses as sample-json; metrics/0@0: malformed",
            "mend `format` of source metrics"
        ),
        (
            ["queries.q.select=node_cpu_second_total"], "select", "query q: no series match node_cpu_second_total",
            "did you mean node_cpu_seconds_total?"
        ),
        (
            ["queries.q.select=node_cpu_seconds_total{mode=\"idel\"}"], "select", "no series match",
            "seen: node_cpu_seconds_total{mode=\"idle\"}"
        ),
        (
            ["queries.q.select=node_load1{cpu=\"0\"}"], "select", "no series match", "seen: node_load1{no cpu}"
        ),
        (
            ["queries.q.select=quite_different"], "select", "no series match",
            "metrics seen: node_cpu_seconds_total, node_load1, temperature"
        ),
        (
            ["queries.q.sinks=[{kafka: {topic: metrisc}}]"], "sinks",
            "query q: sink kafka metrisc: there is no topic metrisc on",
            "did you mean metrics? create it, or let the sink"
        ),
        (
            ["queries.q.sinks=[{jsonl: {path: job.yaml/out}}]"], "sinks", "job.yaml is no directory",
            "choose another path than job.yaml/out"
        ),
    ])
    func aBrokenLinkIsNamedWithItsMend(_ overrides: [String], _ link: String, _ text: String, _ mend: String) throws {
        let patient = try DoctorPatient()
        try patient.writeHealthy()
        var flags: [String] = []
        for override in overrides { flags += ["--set", override] }
        let result = try patient.doctor(flags: flags)
        #expect(result.code == 1, "\(result.output)\(result.errors)")
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: true)
        let place = try #require(lines.firstIndex { $0.hasPrefix(" FAIL ") }, "\(result.output)")
        #expect(lines[place].contains(text), "\(result.output)")
        #expect(lines[place + 1].hasPrefix("       ") && lines[place + 1].contains(mend), "\(result.output)")
        #expect(lines[..<place].allSatisfy { $0.hasPrefix(" ok    ") })

        let json = try JSON(try patient.doctor(flags: flags + ["--json"]).output)
        #expect(json["ok"] == .boolean(false))
        #expect(json["broken"]?.text == link)
    }

    @Test func aTopicWithoutRecords() throws {
        let patient = try DoctorPatient()
        let result = try patient.doctor()
        #expect(result.code == 1)
        #expect(result.output.contains(" FAIL  metrics: no record in any of 2 partitions\n"))
        #expect(result.output.contains("stream-job generate --brokers \(patient.brokers) --topic metrics\n"))
        #expect(result.output.hasSuffix(" skip  parse, select, watermark, windows, sinks\n"))
    }

    @Test func samplesOfTheFuture() throws {
        let patient = try DoctorPatient()
        // Microseconds taken for milliseconds.
        try patient.write([(0, "node_cpu_seconds_total{mode=\"idle\"} 1 \(SystemClock().wallMs() * 1000)")])
        let result = try patient.doctor()
        #expect(result.code == 1)
        #expect(
            result.output.contains(" FAIL  1 sampled record of metrics: all 1 samples lie more than 5m in the future"))
        #expect(result.output.contains("check the producer's clock and unit"))
    }

    @Test func anEmptyPartitionHoldsTheWatermark() throws {
        let patient = try DoctorPatient()
        try patient.write([(1, "node_cpu_seconds_total{mode=\"idle\"} 1 \(SystemClock().wallMs())")])
        let held = try patient.doctor("sources.metrics.watermark.idleTimeout=off")
        #expect(held.code == 1)
        #expect(
            held.output.contains(
                " FAIL  metrics/0 has no sample, and with `idleTimeout: off` it holds the watermark for ever\n"))
        #expect(held.output.contains("set watermark.idleTimeout of source metrics"))
        #expect(held.output.hasSuffix(" skip  windows, sinks\n"))
        let idle = try patient.doctor()
        #expect(idle.code == 0)
        #expect(idle.output.contains("metrics/0 is quiet and left out when idle"))
        #expect(idle.output.contains("none is final yet: the first one is at watermark "))
    }

    @Test(arguments: [
        (
            "queries.q.aggregates.idle=avg(value)", "query q: idle takes avg of node_cpu_seconds_total, a counter",
            "avg(rate(value)), or increase(value)"
        ),
        (
            "queries.q.aggregates.idle=min(deriv(value))",
            "query q: idle takes deriv() of node_cpu_seconds_total, a counter",
            "rate(value) or increase(value)"
        ),
    ])
    func countersAreNotTakenAsTheyAre(_ override: String, _ text: String, _ mend: String) throws {
        let patient = try DoctorPatient()
        try patient.writeHealthy()
        let result = try patient.doctor(override)
        #expect(result.code == 0)
        #expect(result.output.contains(" warn  \(text)"), "\(result.output)")
        #expect(result.output.contains(mend))
    }

    /// By `# TYPE`, and by what the series does.
    @Test(arguments: ["node_load1", "temperature"])
    func gaugesHaveNoRate(_ metric: String) throws {
        let patient = try DoctorPatient()
        try patient.writeHealthy()
        let result = try patient.doctor("queries.q.select=\(metric)")
        #expect(result.code == 0)
        #expect(result.output.contains(" warn  query q: idle takes rate() of \(metric), a gauge\n"), "\(result.output)")
        let fine = try patient.doctor("queries.q.select=\(metric)", "queries.q.aggregates.idle=max(value)")
        #expect(!fine.output.contains("warn"), "\(fine.output)")
    }

    @Test func seriesOfSeveralPartitions() throws {
        let patient = try DoctorPatient()
        try patient.writeHealthy()
        let honest = try patient.doctor("sources.metrics.partitionedBy=[instance]")
        #expect(!honest.output.contains("warn"), "\(honest.output)")
        let nowMs = SystemClock().wallMs()
        try patient.write([(1, "node_cpu_seconds_total{instance=\"n0\",mode=\"idle\"} 99 \(nowMs)")])
        let result = try patient.doctor("sources.metrics.partitionedBy=[instance]")
        #expect(result.code == 0)
        #expect(
            result.output.contains(
                "1 of 2 values are in several partitions: {instance=\"n0\"} in metrics/0, metrics/1"),
            "\(result.output)")
    }

    @Test func someBadRecordsAreAWarning() throws {
        let patient = try DoctorPatient()
        try patient.writeHealthy()
        try patient.write([(1, "up{ 1 2")])
        let result = try patient.doctor()
        #expect(result.code == 0)
        #expect(result.output.contains("360 samples, 1 bad; the first: metrics/1@60: "), "\(result.output)")
    }

    /// It is no member: the group it would join is not there afterwards.
    @Test func itJoinsNoGroupAndCommitsNothing() throws {
        let patient = try DoctorPatient()
        try patient.writeHealthy()
        _ = try patient.doctor()
        let consumer = try KafkaConsumer(
            KafkaConnection(brokers: patient.brokers), group: KafkaGroup(id: "sick"),
            subscriptions: [KafkaSubscription(source: "metrics", topics: .topics(["metrics"]))], log: { _ in })
        defer { consumer.close() }
        let ids = (0..<2).map { PartitionID(source: "metrics", topic: "metrics", partition: $0) }
        #expect(try consumer.committed(ids, timeoutMs: Int(hungAfterMs)).isEmpty)
    }

    @Test func aWrongJobEndsWithTwo() throws {
        let patient = try DoctorPatient()
        let result = try patient.doctor("queries.q.aggregates.idle=mean(value)")
        #expect(result.code == 2)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("did you mean `avg`?"))
    }
}
