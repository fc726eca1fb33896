import CRdkafka
import Connectors
import Platform
import StreamEngine
import TestSupport
import Testing

/// The live path against a broker that is not ours: librdkafka's own mock cluster.
@Suite struct LiveMockTests {
    /// librdkafka's cluster in this process.
    private final class Cluster {
        private let handle: OpaquePointer
        private let cluster: OpaquePointer

        init(_ topics: [(name: String, partitions: Int32)]) throws {
            let conf = rd_kafka_conf_new()
            var text = [CChar](repeating: 0, count: 512)
            // Its own client connects to nothing; what it would log is of no interest.
            rd_kafka_conf_set(conf, "log_level", "0", &text, text.count)
            handle = try #require(rd_kafka_new(RD_KAFKA_PRODUCER, conf, &text, text.count))
            cluster = try #require(rd_kafka_mock_cluster_new(handle, 1))
            for topic in topics { rd_kafka_mock_topic_create(cluster, topic.name, topic.partitions, 1) }
        }

        deinit {
            rd_kafka_mock_cluster_destroy(cluster)
            rd_kafka_destroy(handle)
        }

        var brokers: String { String(cString: rd_kafka_mock_cluster_bootstraps(cluster)) }
    }

    @Test func rowsInTheOutputTopicEqualReplay() async throws {
        try await onOwnThread {
            let cluster = try Cluster([("metrics", 3), ("out", 1), ("dead", 1)])
            let definition = try LiveJob.definition(LiveResultsTests.job, brokers: cluster.brokers)
            let messages = (0..<3).map { LiveResultsTests.messages($0) }
            let expected = try EngineHarness.replay(definition, messages.map { $0.joined() }, keepOpen: true).rows[0]
            let producer = try KafkaProducer(KafkaConnection(brokers: cluster.brokers)) { _ in }
            for (partition, list) in messages.enumerated() {
                for message in list {
                    try Array(message.utf8).withUnsafeBytes {
                        try producer.send(topic: "metrics", value: $0, partition: Int32(partition))
                    }
                }
            }
            try producer.flush(timeoutMs: Int(hungAfterMs))
            producer.close()
            let job = try LiveJob(LiveResultsTests.job, brokers: cluster.brokers, output: .asInJob, end: .availableNow)
            let summary = try job.end()
            #expect(try readTopic("out", cluster.brokers).flatMap { $0 } == expected)
            #expect(try readTopic("dead", cluster.brokers).flatMap { $0 }.count == 9)
            #expect(summary.balances)
            #expect(summary.rows == expected.count)
        }
    }
}
