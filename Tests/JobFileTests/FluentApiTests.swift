import JobFile
import StreamEngine
import Testing

/// The Swift API and job files give the same definitions.
@Suite struct FluentApiTests {
    /// Starts nothing; keeps what it was given.
    struct Recorder: JobRunner {
        struct Refused: Error {}
        func start(_ job: JobDefinition, registries: Registries) throws -> any RunningJob { throw Refused() }
    }

    let engine = Engine(registries: Jobs.registries, runner: Recorder())

    @Test func designExampleEqualsItsYaml() throws {
        let cpu = engine.readStream
            .kafka(brokers: "localhost:9092", topics: ["metrics"], format: .prometheus)
            .withWatermark(delay: .seconds(60))
            .select(#"node_cpu_seconds_total{mode="idle"}"#)
            .groupBy(.window(size: .minutes(5), slide: .seconds(30)), "instance")
            .agg(avg(rate("value"), as: "idle"))
            .derive("busy", "1 - idle")
        let built = try cpu.writeStream.outputMode(.append).trigger(.interval(.seconds(1)))
            .checkpoint("checkpoints/cpu").kafka(topic: "cpu-5m").definition()
        let job = Jobs.check(
            """
            name: cpu
            kafka: {brokers: "localhost:9092"}
            sources:
              metrics: {kafka: {topics: [metrics]}, format: prometheus, watermark: {delay: 60s}}
            queries:
              - name: cpu
                select: 'node_cpu_seconds_total{mode="idle"}'
                window: {size: 5m, slide: 30s}
                groupBy: [instance]
                aggregates: {idle: avg(rate(value))}
                derive: {busy: 1 - idle}
                sinks: [{kafka: {topic: cpu-5m}}]
            """)
        #expect(Jobs.rendered(job) == "")
        #expect(job.definition == built)
    }

    @Test func everyPartEqualsItsYaml() throws {
        let stream = engine.readStream
            .kafka(
                brokers: nil, pattern: "^m-.*", format: .sampleJSON, startingOffsets: .latest,
                options: ["client.id": "x"], name: "samples"
            )
            .withWatermark(delay: .milliseconds(1500), idleTimeout: nil, maxFutureSkew: .hours(1))
            .partitionedBy("instance")
            .columns(["node": #"extract(instance, "^([^:]+)")"#])
            .where("value >= 0")
            .groupBy(.window(size: .days(1), offset: .hours(-1)), without: ["cpu"])
            .agg(
                count(as: "n"), max("value", as: "top", where: #"mode == "user""#), quantile(0.9, "value", as: "p90"),
                aggregate("stddev_pop", "value * 2", as: "sd")
            )
            .having("n > 3").allowedLateness(.seconds(5))
        let built = try stream.writeStream.queryName("whole").outputMode(.update).trigger(.availableNow)
            .delivery(.atLeastOnce).jsonl(path: "out", options: ["compression": "zstd"]).console(rows: 5)
            .late("jsonl", ["path": "late"])
            .configure { $0.limits.maxSeries = 10 }
            .definition()
        let job = Jobs.check(
            """
            name: whole
            kafka: {options: {client.id: x}}
            sources:
              samples:
                kafka: {pattern: "^m-.*", startingOffsets: latest}
                format: sample-json
                partitionedBy: [instance]
                watermark: {delay: 1s500ms, idleTimeout: off, maxFutureSkew: 1h}
            queries:
              - name: whole
                columns: {node: 'extract(instance, "^([^:]+)")'}
                where: value>=0
                window: {size: 1d, offset: -1h}
                without: [cpu]
                aggregates:
                  n: count( )
                  top: max(value) where mode == "user"
                  p90: quantile(0.9, value)
                  sd: stddev_pop(value*2)
                having: (n > 3)
                allowedLateness: 5s
                outputMode: update
                sinks: [{jsonl: {path: out, compression: zstd}}, {console: {rows: 5}}]
                late: {jsonl: {path: late}}
            trigger: {availableNow: true}
            delivery: atLeastOnce
            limits: {maxSeries: 10}
            """)
        #expect(job.errorCount == 0)
        #expect(job.definition == built)
    }

    @Test func twoQueriesShareTheirSource() throws {
        let source = engine.readStream.kafka(brokers: nil, topics: ["metrics"], format: .prometheus)
        func query(_ name: String, _ size: Duration) -> StreamWriter {
            source.groupBy(.window(size: size)).agg(count(as: "n")).writeStream.queryName(name).jsonl(path: name)
        }
        let job = try engine.job("both", [query("a", .minutes(1)), query("b", .minutes(2))])
        #expect(job.sources.count == 1)
        #expect(job.queries.map(\.name) == ["a", "b"])
        let yaml = Jobs.check(
            """
            name: both
            sources: {metrics: {kafka: {topics: [metrics]}, format: prometheus}}
            queries:
              - {name: a, window: {size: 1m}, aggregates: {n: count()}, sinks: [{jsonl: {path: a}}]}
              - {name: b, window: {size: 2m}, aggregates: {n: count()}, sinks: [{jsonl: {path: b}}]}
            """)
        #expect(yaml.definition == job)
    }

    @Test func everythingWrongIsToldAtOnce() {
        let stream = engine.readStream.kafka(brokers: nil, topics: ["m"], format: StreamFormat("promethues"))
            .select("{").where("value >")
            .groupBy(.window(size: .seconds(1), slide: .seconds(2)), "instance", "instance")
            .agg(avg("value", as: "x"))
        let error = #expect(throws: JobDefinitionError.self) {
            try stream.writeStream.kafka(topic: "a b").sink("parqet", ["path": "x"]).definition()
        }
        let told = error?.description ?? ""
        let parts = ["promethues", "select", "where", "slide", "instance", "topic", "parqet"]
        for part in parts { #expect(told.contains(part), "\(part) in \(told)") }
    }
}
