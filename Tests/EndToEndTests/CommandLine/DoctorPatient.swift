import Connectors
import EmbeddedBroker
import Platform
import StreamEngine
import TestSupport

/// A broker with the topic `metrics` of two partitions and what a test writes into it.
final class DoctorPatient {
    let scratch: Scratch
    let broker: EmbeddedBroker
    let brokers: String
    private let job: String

    private static let job = """
        name: sick
        kafka: {brokers: "localhost:1"}
        sources:
          metrics:
            kafka: {topics: [metrics]}
            format: prometheus
            watermark: {delay: 1s}
        queries:
          - name: q
            select: 'node_cpu_seconds_total{mode="idle"}'
            window: {size: 10s}
            groupBy: [instance]
            aggregates: {idle: avg(rate(value))}
            sinks: [{console: {}}]
        """

    init(partitions: Int = 2, topics: [BrokerConfiguration.NewTopic] = []) throws {
        scratch = try Scratch()
        var configuration = BrokerConfiguration()
        configuration.topics = [.init("metrics", partitions: partitions)] + topics
        configuration.createsTopics = false
        broker = EmbeddedBroker(configuration)
        brokers = "127.0.0.1:\(try broker.start())"
        job = try scratch.write(DoctorPatient.job, to: "job.yaml")
    }

    deinit { broker.stop() }

    /// Writes messages: partition and text.
    func write(_ messages: [(partition: Int32, text: String)]) throws {
        let producer = try KafkaProducer(KafkaConnection(brokers: brokers), log: { _ in })
        try producer.open(topic: "metrics", partitioner: "murmur2_random", create: nil)
        for message in messages {
            try Array(message.text.utf8).withUnsafeBytes {
                try producer.send(topic: "metrics", value: $0, partition: message.partition)
            }
        }
        try producer.flush(timeoutMs: Int(hungAfterMs))
        producer.close()
    }

    /// A healthy minute of two nodes, a partition each.
    func writeHealthy() throws {
        let nowMs = SystemClock().wallMs()
        try write(
            (0..<60).flatMap { second in
                (0..<2).map { node in
                    let timeMs = nowMs - Int64(60 - second) * 1000
                    return (
                        Int32(node),
                        """
                        # TYPE node_cpu_seconds_total counter
                        node_cpu_seconds_total{instance="n\(node)",mode="idle"} \(second) \(timeMs)
                        # TYPE node_load1 gauge
                        node_load1{instance="n\(node)"} \(second % 5) \(timeMs)
                        temperature{instance="n\(node)"} \(second % 3) \(timeMs)
                        """
                    )
                }
            })
    }

    func doctor(_ overrides: String..., flags: [String] = []) throws -> ProgramResult {
        let sets = (["kafka.brokers=\(brokers)"] + overrides).flatMap { ["--set", $0] }
        return try BuiltProgram.run(["doctor", job] + sets + flags, in: scratch)
    }
}
