import Operators
import Platform
import StreamEngine
import Testing

@testable import stream_job

/// What the doctor says of times that no test can wait for.
@Suite struct DoctorTimeTests {
    /// A job over one source; `idleTimeoutMs` nil: off.
    private static func doctor(idleTimeoutMs: Int64?) throws -> JobDoctor {
        var source = SourceDefinition(name: "m", topics: .topics(["m"]), format: "prometheus")
        source.watermark.idleTimeoutMs = idleTimeoutMs
        var query = QueryDefinition(name: "q", from: "m", window: WindowDefinition(sizeMs: 60_000))
        query.aggregates = [NamedAggregate("n", try AggregateCall.parse("count()"))]
        let job = try CompiledJob(
            JobDefinition(name: "j", sources: [source], queries: [query]), registries: .standard)
        return JobDoctor(job, registries: .standard, recordsWanted: 1, report: { _ in })
    }

    private static func partition(_ number: Int32, timesMs: ClosedRange<Int64>?, recordsMs: ClosedRange<Int64>?)
        -> PartitionSample
    {
        var partition = PartitionSample(
            id: PartitionID(source: "m", topic: "m", partition: number), held: timesMs == nil ? 0 : 10)
        partition.records = timesMs == nil ? 0 : 10
        partition.timesMs = timesMs
        partition.recordTimesMs = recordsMs
        return partition
    }

    private static let nowMs = SystemClock().wallMs()

    @Test func windowsThatNothingCloses() throws {
        // An hour ago ten seconds came, then nothing.
        let hourAgo = (Self.nowMs - 3_600_000) / 60_000 * 60_000
        let times = hourAgo...(hourAgo + 10_000)
        for (idle, isBroken) in [(nil as Int64?, true), (30_000, false)] {
            let doctor = try Self.doctor(idleTimeoutMs: idle)
            let source = try #require(doctor.definition.sources.first)
            var sample = SourceSample(source: source)
            sample.partitions = [Self.partition(0, timesMs: times, recordsMs: times)]
            let plan = try #require(doctor.job.queries.first)
            if isBroken {
                let broken = #expect(throws: BrokenLink.self) { try doctor.checkWindows(plan, sample) }
                #expect(broken?.finding.text.hasSuffix("and no new record comes") ?? false)
                #expect(broken?.finding.mend.contains("set watermark.idleTimeout of source m") ?? false)
            } else {
                let finding = try doctor.checkWindows(plan, sample)
                #expect(finding.state == .ok)
                #expect(finding.text.contains("none is final yet"))
            }
        }
    }

    @Test func timeThatStandsStill() throws {
        let doctor = try Self.doctor(idleTimeoutMs: 30_000)
        var sample = SourceSample(source: try #require(doctor.definition.sources.first))
        let recordsMs = (Self.nowMs - 60_000)...Self.nowMs
        sample.partitions = [Self.partition(0, timesMs: 1_000_000...1_000_000, recordsMs: recordsMs)]
        let broken = #expect(throws: BrokenLink.self) { try doctor.checkWatermark(sample) }
        #expect(broken?.finding.text.contains("time stands still at 1970-01-01 00:16:40Z") ?? false)
    }

    @Test func theHolderIsNamed() throws {
        let doctor = try Self.doctor(idleTimeoutMs: 30_000)
        var sample = SourceSample(source: try #require(doctor.definition.sources.first))
        let recordsMs = (Self.nowMs - 60_000)...Self.nowMs
        sample.partitions = [
            Self.partition(0, timesMs: (Self.nowMs - 60_000)...Self.nowMs, recordsMs: recordsMs),
            Self.partition(1, timesMs: (Self.nowMs - 60_000)...(Self.nowMs - 20_000), recordsMs: recordsMs),
            Self.partition(
                2, timesMs: (Self.nowMs - 900_000)...(Self.nowMs - 800_000),
                recordsMs: (Self.nowMs - 900_000)...(Self.nowMs - 800_000)),
        ]
        let finding = try doctor.checkWatermark(sample)
        #expect(finding.state == .ok)
        #expect(
            finding.text.contains("1m behind m/1, which holds it: its newest sample is 20.0 s behind the newest of all")
        )
        #expect(finding.text.hasSuffix("m/2 is quiet and left out when idle"))
    }

    @Test(arguments: [
        ("# TYPE a counter", "a", true as Bool?), ("# TYPE a gauge", "a", false), ("", "a", nil), ("", "a_total", true),
        ("# TYPE a_count gauge", "a_count", false), ("# TYPE a histogram", "a_bucket", true),
        ("# TYPE a counter", "a_total", true), ("# TYPE a summary", "a", false), ("# TYPE a unknown", "a", nil),
        ("# TYPE a", "a", nil), ("# HELP a b\n# TYPE a gauge\r\na 1", "a", false),
    ])
    func typesAreDeclaredOrToldByNames(_ text: String, _ metric: String, _ expected: Bool?) {
        var types = MetricTypes()
        Array(text.utf8).withUnsafeBufferPointer { types.read($0) }
        #expect(types.isCounter(metric) == expected)
    }
}
