import Operators
import Platform
import Testing

@testable import StreamEngine

/// Feeds windows of hand-written rows to the detectors of one query, as the emitter does.
final class DetectorBench {
    /// One row: a key's labels in the order of `groupBy`, and the cell of column `v` (nil: null).
    typealias Row = (key: [String], value: Double?)

    static let registries = Registries(
        formats: [PlainFormat()], sinks: [], aggregates: Aggregates.all, seriesFunctions: SeriesFunctions.all,
        detectors: Detectors.all)

    let plan: QueryPlan
    var anomalies: QueryAnomalies
    private var directory: KeyDirectory
    private(set) var rows: [AnomalyRow] = []
    private(set) var impacts: [ImpactRow] = []
    let owner: DetectorOwner
    /// Verdicts that went without their events: the detector's or impact's name, and the window.
    private(set) var timeouts: [String] = []

    /// Detectors on column `v` of a query with 1-minute windows.
    init(
        _ definitions: [AnomalyDefinition], groupBy: [String] = ["node"], keyTTLMs: Int64 = 86_400_000,
        owner: DetectorOwner = .query, impacts: [ImpactDefinition] = []
    ) throws {
        let source = SourceDefinition(name: "metrics", topics: .topics(["metrics"]), format: "plain")
        var query = QueryDefinition(name: "q", from: "metrics", window: WindowDefinition(sizeMs: 60_000))
        query.grouping = .by(groupBy)
        directory = KeyDirectory(columnCount: groupBy.count)
        query.aggregates = [NamedAggregate("v", try AggregateCall.parse("avg(value)"))]
        query.anomalies = definitions
        query.impacts = impacts
        var job = JobDefinition(name: "job", sources: [source], queries: [query])
        job.limits.keyTTLMs = keyTTLMs
        plan = try CompiledJob(job, registries: Self.registries).queries[0]
        anomalies = try #require(QueryAnomalies(plan: plan, job: "job"))
        self.owner = owner
    }

    /// A detector on `v`; options as a job spells them.
    static func anomaly(
        _ type: String, _ options: [(String, String)] = [], name: String = "a", column: String? = "v",
        _ change: (inout AnomalyDefinition) -> Void = { _ in }
    ) throws -> AnomalyDefinition {
        let factory = try #require(registries.detector(type))
        var check = OptionCheck()
        let entries = options.map { key, text -> OptionEntry in
            guard text.hasPrefix("[") else { return OptionEntry(key, OptionNode(.scalar(OptionScalar(text)))) }
            let items = text.dropFirst().dropLast().split(separator: ",").map {
                OptionNode(.scalar(OptionScalar("\($0)")))
            }
            return OptionEntry(key, OptionNode(.list(items)))
        }
        let checked = factory.schema.check(OptionNode(.map(entries)), path: "", into: &check)
        #expect(check.diagnostics.isEmpty, "\(check.diagnostics)")
        var definition = AnomalyDefinition(name: name, column: column, detectorType: type, detector: checked)
        change(&definition)
        return definition
    }

    /// Takes window `number`, rows in any order.
    func window(_ number: Int64, _ rows: [Row]) {
        let sorted = rows.map { (key: GroupKey($0.key.map { .text(ByteString($0)) }), value: $0.value) }
            .sorted { $0.key < $1.key }
        let keys = sorted.map { directory.index(of: $0.key) }
        var columns = plan.schema.columns.map { _ in
            ColumnData(.timestamps([Int64](repeating: plan.window.startMs(number), count: rows.count)))
        }
        columns[columns.count - 1] = ColumnData(
            .doubles(sorted.map { $0.value ?? 0 }), valid: sorted.map { $0.value != nil })
        let batch = RowBatch(schema: plan.schema, rowCount: rows.count, columns: columns)
        anomalies.take(number, batch, keys: keys, in: directory, owner: owner, nowMs: 0)
        release()
    }

    /// Judges what waits for events, in a replay; `nowMs` in a live run.
    func release(nowMs: Int64? = nil) {
        anomalies.release(nowMs: nowMs) {
            timeouts.append("\($1) \(plan.window.newestClosed(watermarkMs: $2, latenessMs: 0)) \($3.count)")
        }
        rows += anomalies.takeRows().joined()
        impacts += anomalies.takeImpacts().joined()
    }

    /// Takes windows of a single key from 0 on; nil: no row, a window without any.
    func windows(_ values: [Double?], key: String = "a") {
        for (number, value) in values.enumerated() { window(Int64(number), value.map { [([key], $0)] } ?? []) }
    }

    /// Goes on in a fresh object from the encoded state, as after a restart.
    func restart() throws {
        var writer = ByteWriter()
        anomalies.encodeState(of: owner, into: &writer)
        anomalies = try #require(QueryAnomalies(plan: plan, job: "job"))
        var reader = ByteReader(writer.bytes)
        try anomalies.decodeState(of: owner, from: &reader, nowMs: 0)
        #expect(reader.isAtEnd)
        var again = ByteWriter()
        anomalies.encodeState(of: owner, into: &again)
        #expect(again.bytes == writer.bytes, "encoding what was decoded gives the same bytes")
    }

    /// The state as it is written.
    var state: [UInt8] {
        var writer = ByteWriter()
        anomalies.encodeState(of: owner, into: &writer)
        return writer.bytes
    }

    /// Window, state and labels of each row: `3 firing a`.
    var told: [String] {
        rows.map { row in
            "\(plan.window.newestClosed(watermarkMs: row.windowEndMs, latenessMs: 0)) \(row.state.rawValue) "
                + row.labels.map { "\($0.value)" }.joined(separator: "/")
        }
    }
}

/// Nothing is decoded here.
struct PlainFormat: Format {
    var name: String { "plain" }
    var summary: String { "" }
    var kind: RecordKind { .samples }

    func makeDecoder(limits: DecodeLimits) -> any RecordDecoder { Decoder() }

    private final class Decoder: RecordDecoder {
        func decode(
            _ record: RawRecord, latestTimestampMs: Int64, series: SeriesDictionary, into batch: SampleBatch
        ) {}
    }
}
