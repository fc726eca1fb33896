/// The job of the crash tests: tumbling and sliding windows, per-series functions, update mode, rows, late rows and dead
/// letters in Kafka and in files.
struct CrashJob: Sendable {
    /// Whether every key lives in one partition, so that several members may run.
    let isLocal: Bool

    /// Output topics and their partitions.
    var topics: [(name: String, partitions: Int)] {
        [("tumbling", 2), ("sliding", 2), ("updates", 1), ("late-tumbling", 1)]
            + (isLocal ? [("dead-letters", 1)] : [("zones", 1)])
    }

    /// File outputs with rows of append mode, relative to the working directory.
    var rowFiles: [String] { ["out/tumbling", "out/sliding"] + (isLocal ? [] : ["out/zones"]) }

    /// File outputs with documents.
    var documentFiles: [String] { ["out/late-sliding"] + (isLocal ? [] : ["checkpoint/dead-letter"]) }

    /// The job file of a member.
    func text(brokers: String, instance: String?) -> String {
        let zones = """
            - name: zones
              window: {size: 15s}
              groupBy: [zone]
              aggregates: {n: count(), a: avg(value), l: last(value)}
              sinks: [{kafka: {topic: zones}}, {jsonl: {path: out/zones}}]

            """
        return """
            name: crash
            kafka:
              brokers: \(brokers)
              options:
                session.timeout.ms: 2000
                heartbeat.interval.ms: 300
                reconnect.backoff.max.ms: 500
            \(instance.map { "    group.instance.id: \($0)" } ?? "")
            sources:
              metrics:
                kafka: {topics: [metrics]}
                format: prometheus
                partitionedBy: [\(isLocal ? "instance" : "")]
                watermark: {delay: 5s, idleTimeout: off, maxFutureSkew: off}
            queries:
            - name: tumbling
              select: temperature
              window: {size: 10s}
              groupBy: [instance]
              aggregates: {n: count(), s: sum(value), lo: min(value), sd: stddev(value), f: first(value)}
              sinks: [{kafka: {topic: tumbling}}, {jsonl: {path: out/tumbling}}]
              late: {kafka: {topic: late-tumbling}}
            - name: sliding
              select: requests_total
              window: {size: 30s, slide: 10s}
              groupBy: [instance]
              allowedLateness: 3s
              aggregates: {r: sum(rate(value)), i: max(increase(value)), q: "quantile(0.9, value)"}
              sinks: [{jsonl: {path: out/sliding, targetFileSize: 16KiB}}, {kafka: {topic: sliding}}]
              late: {jsonl: {path: out/late-sliding}}
            - name: updates
              select: temperature
              window: {size: 20s}
              groupBy: [instance]
              outputMode: update
              aggregates: {n: count(), s: sum(value)}
              sinks: [{kafka: {topic: updates}}]
            \(isLocal ? "" : zones)trigger: {interval: 20ms}
            checkpoint: {location: checkpoint, retainEpochs: 4, snapshotRatio: 1}
            \(isLocal ? "deadLetter: {kafka: {topic: dead-letters}}" : "")

            """
    }
}
