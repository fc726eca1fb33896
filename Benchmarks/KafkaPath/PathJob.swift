import Connectors
import JobFile
import Operators
import StreamEngine

/// The job of `kafka-path`: one query, 1-minute windows, six aggregates by (name, instance), into a topic.
enum PathJob {
    static let registries: Registries = {
        Registries(
            formats: InputFormats.all, sinks: [KafkaSinkFactory { _ in }], aggregates: Aggregates.all,
            bucketAggregates: BucketAggregates.all, seriesFunctions: SeriesFunctions.all)
    }()

    /// The job on these brokers, its checkpoint there.
    static func load(brokers: String, checkpoint: String, group: String) throws -> JobDefinition {
        let text = """
            name: path
            group: \(group)
            kafka: {brokers: "\(brokers)"}
            sources:
              metrics:
                kafka: {topics: [metrics], startingOffsets: earliest}
                format: prometheus
                watermark: {delay: 10s, maxFutureSkew: off, idleTimeout: off}
            queries:
              - name: q
                window: {size: 1m}
                groupBy: [name, instance]
                aggregates: {n: count(), s: sum(value), a: avg(value), lo: min(value), hi: max(value), sd: stddev(value)}
                sinks: [{kafka: {topic: rows}}]
            trigger: {interval: 1s}
            checkpoint: {location: "\(checkpoint)"}
            onBadRecord: skip
            """
        let checked = JobFileLoader(registries).load(SourceText(file: "path.yaml", text: text))
        guard let job = checked.definition else { throw JobFailure("\(checked.diagnostics)") }
        return job
    }
}
