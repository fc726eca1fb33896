/// The job that `demo` runs; it is also left behind, to try things on.
enum DemoJob {
    static let text = """
        # What `stream-job demo` runs: how busy each node is, how fast its services answer, and what is wrong with either.
        name: demo
        kafka:
          brokers: ${KAFKA_BROKERS:-localhost:9092}
        sources:
          metrics:
            kafka: {topics: [metrics]}
            format: prometheus
            watermark: {delay: 1s}
        queries:
          - name: cpu
            # 1 - avg by (node) (rate(node_cpu_seconds_total{mode="idle"}[5s]))
            select: 'node_cpu_seconds_total{mode="idle"}'
            columns: {node: 'extract(instance, "^([^:]+)")'}
            window: {size: 5s, slide: 1s}
            groupBy: [node]
            aggregates:
              idle: avg(rate(value))
            derive: {busy: 1 - idle}
            sinks:
              - console: {}
            anomalies:
              - name: differs
                # One node against the others: no bound to set, nothing to learn beforehand.
                column: busy
                detector: {type: peers, warmup: 3}
                for: 1s
                sinks:
                  - console: {}
          - name: http
            # histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5s])))
            select: http_request_duration_seconds_bucket
            window: {size: 5s, slide: 1s}
            aggregates:
              requests: 'sum(rate(value)) where le == "+Inf"'
              p99: 'histogram_quantile(0.99, rate(value))'
            sinks:
              - console: {}
            anomalies:
              - name: slow
                column: p99
                detector: {type: threshold, above: 0.6}
                severity: critical
                sinks:
                  - console: {}
        trigger: {interval: 200ms}
        onBadRecord: skip
        """ + "\n"
}
