import Glibc

// Benchmarks with stated inputs, each in a file of its own. Run in release:
//     scripts/bench.sh NAME…          (or: swift run -c release benchmarks NAME…)
// Without a name all are run; `--list` names them. Exit status 1 if one of them failed or what it computed is not what its
// input must give, 2 if there is none of a name.

let benchmarks: [(name: String, run: () throws -> Void)] = [
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

/// A line on standard error.
func complain(_ text: String) {
    fflush(nil)
    let line = Array("benchmarks: \(text)\n".utf8)
    write(STDERR_FILENO, line, line.count)
}

let names = benchmarks.map(\.name).joined(separator: ", ")
let arguments = CommandLine.arguments.dropFirst()
if arguments.contains(where: { ["-h", "--help", "--list"].contains($0) }) {
    print("benchmarks [NAME …]; there are: \(names)")
    exit(0)
}
// The roles of `kafka-path` are processes of this program.
let isRole = arguments.first == "kafka-path" && arguments.dropFirst().first.map(PathRoles.names.contains) == true
let wanted = arguments.prefix(isRole ? 1 : .max)
let unknown = wanted.filter { name in !benchmarks.contains { $0.name == name } }
guard unknown.isEmpty else {
    complain("there is no \(unknown.joined(separator: ", ")); there are: \(names)")
    exit(2)
}
var failed = false
for benchmark in benchmarks where wanted.isEmpty || wanted.contains(benchmark.name) {
    do {
        try benchmark.run()
    } catch {
        complain("\(benchmark.name) failed: \(error)")
        failed = true
    }
}
exit(failed ? 1 : 0)
