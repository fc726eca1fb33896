import Connectors
import Operators
import Platform
import StreamEngine

/// A partition in memory, handed over in pieces of whole lines.
final class MemoryReader: PartitionReader {
    let id: PartitionID
    private let lines: [[UInt8]]
    private var next = 0
    /// How many lines the n-th piece has; the last is used again and again.
    private let cuts: [Int]
    private var pieces = 0

    init(id: PartitionID, text: String, cuts: [Int] = [1000]) {
        self.id = id
        lines = text.utf8.split(separator: 10, omittingEmptySubsequences: false).dropLast(text.hasSuffix("\n") ? 1 : 0)
            .map { Array($0) + [10] }
        self.cuts = cuts
    }

    func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        guard next < lines.count else { return .endOfInput }
        let size = max(1, cuts[min(pieces, cuts.count - 1)])
        pieces += 1
        let end = min(lines.count, next + size)
        let chunk = Array(lines[next..<end].joined())
        try chunk.withUnsafeBufferPointer {
            try body(RawRecord(bytes: $0, offset: Int64(next), timestampMs: nil, linesAreRecords: true))
        }
        next = end
        return next < lines.count ? .more : .endOfInput
    }

    var progress: (consumed: Int64, total: Int64)? { nil }
    func hibernate() {}
    func close() {}
}

/// Keeps rows as JSON lines, and which epoch they were published in.
final class CapturingSink: Sink {
    /// The call at which it fails, by name.
    var failsAt: String?
    private var open: [String] = []
    private(set) var published: [String] = []
    private(set) var documents: [String] = []
    private let encoder: any RowEncoder

    let description: String

    /// `name` tells it from the job's other outputs.
    init(query: String, name: String = "rows") {
        encoder = JSONRows().makeEncoder(query: query)
        description = "memory of \(query): \(name)"
    }

    var written: (files: Int, bytes: Int64)? { nil }

    private func failIfAsked(_ call: String) throws(SinkError) {
        if failsAt == call { throw SinkError("the disk is full (at \(call))") }
    }

    func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        try failIfAsked("write")
        var out = EncodedRows()
        encoder.encode(rows, into: &out)
        for row in 0..<out.count { open.append(String(decoding: out.bytes[out.range(of: row)], as: UTF8.self)) }
    }

    func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {
        self.documents += documents.documents.map { String(decoding: $0, as: UTF8.self) }
    }

    func prepare(_ epoch: EpochToken) throws(SinkError) { try failIfAsked("prepare") }

    func publish(_ epoch: EpochToken) throws(SinkError) {
        try failIfAsked("publish")
        published += open
        open = []
    }

    func discard(_ epoch: EpochToken) { open = [] }
    func abandon(_ epoch: EpochToken) { open = [] }
    func close() throws(SinkError) { try failIfAsked("close") }
}

/// Another query's way into an output: what it brings stands there in the order in which it was written.
final class SharingSink: Sink {
    private let output: any Sink

    init(_ output: any Sink) { self.output = output }

    var description: String { output.description }
    var written: (files: Int, bytes: Int64)? { nil }
    func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) { try output.write(rows, info) }
    func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) { try output.write(documents, info) }
    func prepare(_ epoch: EpochToken) throws(SinkError) {}
    func publish(_ epoch: EpochToken) throws(SinkError) {}
    func discard(_ epoch: EpochToken) {}
    func abandon(_ epoch: EpochToken) {}
    func close() throws(SinkError) {}
}

/// What a run gave.
struct EngineRun {
    /// Published rows of each query, in order.
    var rows: [[String]]
    /// Those of all queries, in the order in which they came; of jobs with one source.
    var sharedRows: [String]
    var late: [[String]]
    var deadLetters: [String]
    var summary: JobSummary
}

enum EngineHarness {
    static let registries = Registries(
        formats: InputFormats.all + [BitsFormat()], sinks: [], aggregates: Aggregates.all,
        bucketAggregates: BucketAggregates.all,
        seriesFunctions: SeriesFunctions.all)

    /// Replays texts, one for each partition of the job's only source. `cuts[p]` are the sizes of partition p's pieces.
    static func replay(
        _ definition: JobDefinition, _ partitions: [String], cuts: [[Int]] = [], workers: Int = 1,
        keepOpen: Bool = false
    ) throws -> EngineRun {
        try replay(definition, inputs: [partitions], cuts: cuts, workers: workers, keepOpen: keepOpen)
    }

    /// Replays texts: `inputs[s]` are the partitions of source s, each cut by the `cuts` of its place.
    static func replay(
        _ definition: JobDefinition, inputs: [[String]], cuts: [[Int]] = [], workers: Int = 1, keepOpen: Bool = false
    ) throws -> EngineRun {
        let readers = zip(definition.sources, inputs).map { source, texts in
            texts.enumerated().map { index, text -> any PartitionReader in
                MemoryReader(
                    id: partition(Int32(index), of: source.name), text: text,
                    cuts: index < cuts.count ? cuts[index] : [1000])
            }
        }
        let sinks = definition.queries.map { CapturingSink(query: $0.name) }
        return try replay(definition, readers: readers, sinks: sinks, workers: workers, keepOpen: keepOpen)
    }

    static func partition(_ number: Int32, of source: String) -> PartitionID {
        PartitionID(source: source, topic: source, partition: number)
    }

    /// Replays partitions: `readers[s]` are those of source s; `sinks` take the rows of the queries. `stopAfter`: asks for
    /// a stop after so many slices.
    static func replay(
        _ definition: JobDefinition, readers: [[any PartitionReader]], sinks: [CapturingSink], workers: Int = 1,
        keepOpen: Bool = false, stopAfter: Int? = nil
    ) throws -> EngineRun {
        let job = try CompiledJob(definition, registries: registries)
        let late = job.queries.map { CapturingSink(query: $0.name, name: "late") }
        let dead = CapturingSink(query: "", name: "dead letters")
        let shared = CapturingSink(query: "", name: "all rows")
        let isShared = definition.sources.count == 1
        let outputs = JobOutputs(
            queries: job.queries.indices.map { place in
                let all: [any Sink] = isShared ? [place == 0 ? shared : SharingSink(shared)] : []
                return QueryOutputs(sinks: [sinks[place]] + all, late: late[place])
            }, deadLetter: dead,
            encodeLate: { query, id, sample in
                LateRow(
                    query: query, partition: id, offset: sample.offset, line: sample.line,
                    timestampMs: sample.timestampMs, value: sample.value, series: sample.labels,
                    windowEndMs: sample.windowEndMs, latenessMs: sample.latenessMs
                ).json
            },
            encodeDeadLetter: { DeadLetter(partition: $0, record: $1).json })
        var options = ExecutionOptions()
        options.workers = workers
        options.keepOpen = keepOpen
        let execution = JobExecution(
            job: job, outputs: outputs, options: options, clock: SystemClock(),
            makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) })
        let stop = StopRequest()
        var slices = 0
        let summary = try execution.replay(
            zip(definition.sources, readers).map { (source: $0.name, readers: $1) }, stop: stop,
            progress: { _ in
                slices += 1
                if slices == stopAfter { stop.request() }
            })
        return EngineRun(
            rows: sinks.map(\.published), sharedRows: shared.published, late: late.map(\.documents),
            deadLetters: dead.documents, summary: summary)
    }

    /// A job with one `prometheus` source `metrics` and one query `q`.
    static func job(
        delayMs: Int64 = 0, window: WindowDefinition, groupBy: [String] = ["instance"], aggregates: [(String, String)],
        _ change: (inout QueryDefinition) throws -> Void = { _ in }
    ) throws -> JobDefinition {
        var source = SourceDefinition(name: "metrics", topics: .topics(["metrics"]), format: "prometheus")
        source.watermark.delayMs = delayMs
        var query = QueryDefinition(name: "q", from: "metrics", window: window)
        query.grouping = .by(groupBy)
        query.aggregates = try aggregates.map { NamedAggregate($0.0, try AggregateCall.parse($0.1)) }
        try change(&query)
        return JobDefinition(name: "test", sources: [source], queries: [query])
    }
}
