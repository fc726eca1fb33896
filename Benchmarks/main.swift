// Benchmarks with stated inputs, each in a file of its own. Run in release:
//     swift run -c release benchmarks [NAME…]
// Without a name all are run.

let benchmarks: [(name: String, run: () -> Void)] = [
    ("decode", runDecodeBenchmark),
    ("remote-write", runRemoteWriteBenchmark),
    ("series-functions", runSeriesFunctionsBenchmark),
    ("aggregates", runAggregatesBenchmark),
    ("detectors", runDetectorsBenchmark),
    ("expressions", runExpressionsBenchmark),
    ("kafka-consume", runKafkaConsumeBenchmark),
    ("kafka-path", runKafkaPathBenchmark),
    ("broker", runBrokerBenchmark),
    ("checkpoint", runCheckpointBenchmark),
    ("parquet", runParquetBenchmark),
    ("epochs", runEpochBenchmark),
    ("stages", runStagesBenchmark),
    ("files", runFilesBenchmark),
    ("sliding", runSlidingBenchmark),
    ("cardinality", runCardinalityBenchmark),
]

// The roles of `kafka-path` are processes of this program.
let wanted = CommandLine.arguments.dropFirst().prefix(
    CommandLine.arguments.dropFirst().first == "kafka-path" ? 1 : .max)
let unknown = wanted.filter { name in !benchmarks.contains { $0.name == name } }
if unknown.isEmpty {
    for benchmark in benchmarks where wanted.isEmpty || wanted.contains(benchmark.name) { benchmark.run() }
} else {
    print(
        "unknown benchmark \(unknown.joined(separator: ", ")); there are: \(benchmarks.map(\.name).joined(separator: ", "))"
    )
}
