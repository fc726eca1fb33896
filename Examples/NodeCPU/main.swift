// The job of DESIGN's Swift API, run for real: idle share of each node's CPUs from `metrics` to `cpu-5m`.
//   KAFKA_BROKERS=localhost:9092 swift run example-node-cpu
import Connectors
import Glibc
import Operators
import StreamEngine

let brokers = getenv("KAFKA_BROKERS").map { String(cString: $0) } ?? "localhost:9092"

let registries = Registries(
    formats: InputFormats.all, sinks: FileSinks.all + [KafkaSinkFactory { print($0.text) }],
    aggregates: Aggregates.all, bucketAggregates: BucketAggregates.all, seriesFunctions: SeriesFunctions.all)
let engine = Engine(
    registries: registries,
    runner: LocalJobRunner(
        log: { print($0) }, makeOperator: { PaneWindows(plan: $0, partition: $1, series: $2) }))

let cpu = engine.readStream
    .kafka(brokers: brokers, topics: ["metrics"], format: .prometheus)
    .withWatermark(delay: .seconds(60))
    .select(#"node_cpu_seconds_total{mode="idle"}"#)
    .groupBy(.window(size: .minutes(5), slide: .seconds(30)), "instance")
    .agg(avg(rate("value"), as: "idle"))
    .derive("busy", "1 - idle")
let query = try cpu.writeStream.outputMode(.append).trigger(.interval(.seconds(1)))
    .checkpoint("checkpoints/cpu").kafka(topic: "cpu-5m").start()
try query.awaitTermination()
