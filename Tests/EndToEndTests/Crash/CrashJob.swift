/// The job of the crash tests: tumbling and sliding windows, per-series functions, update mode; detectors with incidents,
/// context and groups, impacts of events; rows, flags, late rows and dead letters in Kafka and in files.
struct CrashJob: Sendable {
    /// Whether every key lives in one partition, so that several members may run.
    let isLocal: Bool

    /// Output topics and their partitions.
    var topics: [(name: String, partitions: Int)] {
        [("tumbling", 2), ("sliding", 2), ("updates", 1), ("late-tumbling", 1), ("alerts", 2), ("impacts", 1)]
            + (isLocal ? [("dead-letters", 1)] : [("zones", 1)])
    }

    /// File outputs with rows of append mode and what was found in them, relative to the working directory.
    var rowFiles: [String] {
        ["out/tumbling", "out/sliding", "out/low", "out/odd", "out/scores", "out/impacts"]
            + (isLocal ? [] : ["out/zones", "out/drift"])
    }

    /// File outputs with documents.
    var documentFiles: [String] { ["out/late-sliding"] + (isLocal ? [] : ["checkpoint/dead-letter"]) }

    /// The job file of a member.
    func text(brokers: String, instance: String?) -> String {
        let zones = """
            - name: zones
              from: metrics
              window: {size: 15s}
              groupBy: [zone]
              aggregates: {n: count(), a: avg(value), l: last(value)}
              sinks: [{kafka: {topic: zones}}, {jsonl: {path: out/zones}}]
              anomalies:
              - {name: drift, column: a, detector: {type: cusum, limit: 2, warmup: 3}, groupInto: [zone], sinks: [{kafka: {topic: alerts}}, {jsonl: {path: out/drift}}]}

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
              changes:
                kafka: {topics: [changes]}
                format: event-json
                broadcast: true
                watermark: {delay: 10s, idleTimeout: off, maxFutureSkew: off}
            queries:
            - name: tumbling
              from: metrics
              select: temperature
              window: {size: 10s}
              groupBy: [instance]
              aggregates: {n: count(), s: sum(value), lo: min(value), sd: stddev(value), f: first(value)}
              sinks: [{kafka: {topic: tumbling}}, {jsonl: {path: out/tumbling}}]
              late: {kafka: {topic: late-tumbling}}
              anomalies:
              - name: low
                column: lo
                detector: {type: threshold, below: 12}
                keepFiringFor: 20s
                cooldown: 10s
                context:
                - {from: changes, where: type == "ClusterUpgrade", match: [instance], after: 20s, action: suppress, maxWait: 1h}
                - {from: changes, where: type == "NodeMemoryPressure", match: [instance], before: 10s, after: 30s, action: raise, maxWait: 1h}
                sinks: [{kafka: {topic: alerts}}, {jsonl: {path: out/low}}]
              - {name: odd, column: s, detector: {type: auto, score: 0.5, warmup: 4}, emit: flags, sinks: [{kafka: {topic: alerts}}, {jsonl: {path: out/odd}}]}
              - {name: gone, column: n, detector: {type: absent, after: 1}, for: 10s, sinks: [{kafka: {topic: alerts}}]}
              impacts:
              - {name: events, column: s, from: changes, match: [instance], before: 40s, after: 40s, maxWait: 1h, sinks: [{kafka: {topic: impacts}}, {jsonl: {path: out/impacts}}]}
            - name: sliding
              from: metrics
              select: requests_total
              window: {size: 30s, slide: 10s}
              groupBy: [instance]
              allowedLateness: 3s
              aggregates: {r: sum(rate(value)), i: max(increase(value)), q: "quantile(0.9, value)"}
              sinks: [{jsonl: {path: out/sliding, targetFileSize: 16KiB}}, {kafka: {topic: sliding}}]
              late: {jsonl: {path: out/late-sliding}}
              anomalies:
              - {name: scores, column: r, detector: {type: ewma, sigmas: 2, warmup: 3}, emit: all, sinks: [{jsonl: {path: out/scores}}]}
            - name: updates
              from: metrics
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
