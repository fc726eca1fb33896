import CAllocations
import Connectors
import Operators
import StreamEngine

/// What every query of these benchmarks computes.
let sixAggregates = ["count()", "sum(value)", "avg(value)", "min(value)", "max(value)", "stddev(value)"]

/// A query of six aggregates by (name, instance) over one source, compiled.
func sixAggregatesJob(format: String, sizeMs: Int64, slideMs: Int64? = nil, delayMs: Int64 = 0) throws -> CompiledJob {
    var source = SourceDefinition(name: "metrics", topics: .topics(["metrics"]), format: format)
    source.watermark.delayMs = delayMs
    source.watermark.maxFutureSkewMs = nil
    source.watermark.idleTimeoutMs = nil
    var query = QueryDefinition(
        name: "q", from: "metrics", window: WindowDefinition(sizeMs: sizeMs, slideMs: slideMs))
    query.grouping = .by(["name", "instance"])
    query.aggregates = try sixAggregates.enumerated().map { NamedAggregate("a\($0)", try AggregateCall.parse($1)) }
    var job = JobDefinition(name: "benchmark", sources: [source], queries: [query])
    job.limits.maxSeries = 10_000_000
    return try CompiledJob(
        job,
        registries: Registries(
            formats: InputFormats.all, sinks: [], aggregates: Aggregates.all, bucketAggregates: BucketAggregates.all,
            seriesFunctions: SeriesFunctions.all))
}

/// One partition's data plane, as a replay and a live run have it: reader, decoder, series, windows.
func partitionTask(_ reader: any PartitionReader, _ job: CompiledJob) throws -> PartitionTask {
    let source = job.definition.sources[0]
    guard let format = job.formats[source.name] else { throw JobFailure("no format") }
    return PartitionTask(
        reader: reader, decoder: format.makeDecoder(limits: job.decodeLimits(of: source)),
        options: job.taskOptions(of: source),
        makeOperators: { id, series in job.queries.map { PaneWindows(plan: $0, partition: id, series: series) } })
}

extension PartitionTask {
    /// Throws unless it has decoded so many samples, and each query has taken all of them into windows.
    func checkTook(samples: Int) throws {
        guard ledger.bad == 0, ledger.decoded == samples else {
            throw JobFailure("\(ledger.decoded) samples decoded of \(samples), \(ledger.bad) records bad")
        }
        for op in operators where op.ledger.aggregated != samples {
            throw JobFailure("\(op.ledger.aggregated) samples aggregated of \(samples), \(op.ledger.late) late")
        }
    }
}

/// CPU time of this thread and allocations of the process, added up over several stretches.
struct WorkMeter {
    private(set) var nanoseconds: UInt64 = 0
    private(set) var allocations: UInt64 = 0
    private(set) var allocatedBytes: UInt64 = 0

    mutating func measure<R>(_ body: () throws -> R) rethrows -> R {
        let before = c_allocations()
        let start = c_thread_cpu_ns()
        let result = try body()
        nanoseconds += c_thread_cpu_ns() - start
        let after = c_allocations()
        allocations += after.calls - before.calls
        allocatedBytes += after.bytes - before.bytes
        return result
    }

    /// The usual figures for so many samples.
    func figures(samples: Int) -> [(name: String, value: Double)] {
        let count = Double(max(samples, 1))
        return [
            ("nsPerSample", Double(nanoseconds) / count),
            ("allocationsPerMillion", Double(allocations) * 1e6 / count),
            ("allocatedBytesPerMillion", Double(allocatedBytes) * 1e6 / count),
        ]
    }
}
