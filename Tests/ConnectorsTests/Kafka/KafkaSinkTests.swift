import CRdkafka
import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

@Suite struct KafkaSinkTests {
    private static let info = EmissionInfo(
        job: "j", query: "q", epoch: EpochToken(incarnation: "0", number: 1), watermarkMs: nil)
    private static let epoch = EpochToken(incarnation: "0", number: 1)

    private static func rows(_ count: Int) -> RowBatch {
        let schema = RowSchema(columns: [
            ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
            ColumnDescription(name: "node", type: .text, role: .key),
            ColumnDescription(name: "n", type: .int64, role: .aggregate),
        ])
        return RowBatch(
            schema: schema, rowCount: count,
            columns: [
                ColumnData(.timestamps((0..<count).map { Int64($0) * 1000 })),
                ColumnData(
                    .texts(TextColumn(dictionary: ["a", "b"], codes: (0..<count).map { Int32($0 % 2) }))),
                ColumnData(.integers((0..<count).map { Int64($0) })),
            ])
    }

    private static func sink(
        _ connection: KafkaConnection, _ topic: String, settings: [KafkaConnection.Setting] = [],
        timeoutMs: Int = Int(hungAfterMs)
    ) throws -> KafkaSink {
        var connection = connection
        connection.producerOptions += settings
        let producer = try KafkaProducer(connection) { _ in }
        try producer.open(topic: topic, partitioner: "murmur2_random", create: nil, timeoutMs: Int(hungAfterMs))
        return KafkaSink(
            producer: producer, topic: topic, encoder: JSONRows().makeEncoder(query: "q"), flushTimeoutMs: timeoutMs)
    }

    @Test func rowsComeBackInOrderByKey() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 4)
            let sink = try Self.sink(cluster.connection(), "out")
            try sink.write(Self.rows(100), Self.info)
            try sink.prepare(Self.epoch)
            try sink.publish(Self.epoch)
            let read = try cluster.values(of: ["out"])
            for (node, parity) in [("a", 0), ("b", 1)] {
                // One key, one partition, in emission order.
                let mine = read.values.map { $0.filter { $0.contains(#""node":"\#(node)""#) } }.filter { !$0.isEmpty }
                #expect(mine.count == 1)
                #expect(mine.first?.count == 50)
                #expect(mine.first?.last?.contains(#""n":\#(98 + parity)}"#) == true)
            }
            try sink.close()
        }
    }

    @Test func nothingIsVisibleBeforePrepareNorAfterDiscard() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let sink = try Self.sink(cluster.connection(), "out")
            try sink.write(Self.rows(3), Self.info)
            #expect(try cluster.values(of: ["out"]).isEmpty)
            sink.discard(Self.epoch)
            try sink.write(DocumentBatch(documents: [Array("{}".utf8)], keys: [Array("k".utf8)]), Self.info)
            try sink.prepare(Self.epoch)
            #expect(try cluster.values(of: ["out"]) == [partition("out", 0): ["{}"]])
            try sink.close()
        }
    }

    @Test func aTopicThatIsNotThereIsRefusedWithTheMend() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("other", partitions: 1)
            let error = #expect(throws: SourceError.self) { try Self.sink(cluster.connection(), "nope") }
            #expect(error?.kind == .unknownTopic)
            #expect(
                error?.description.contains("create it, or let the sink do it: `kafka: {topic: nope, create:") == true)
        }
    }

    @Test func tooLargeARecordIsALastingErrorThatSaysHowLarge() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let sink = try Self.sink(cluster.connection(), "out", settings: [.init("message.max.bytes", "2000")])
            try sink.write(DocumentBatch(documents: [[UInt8](repeating: 65, count: 5000)]), Self.info)
            let error = #expect(throws: SinkError.self) { try sink.prepare(Self.epoch) }
            #expect(error?.isRetriable == false)
            #expect(error?.description.contains("topic out: a record of 5000 bytes is too large") == true)
            sink.discard(Self.epoch)
            try sink.close()
        }
    }

    // Produce is API key 0.
    @Test(arguments: [
        (RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, false, "check the credentials"),
        (RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, false, "too large"),
    ])
    func aRefusalByTheBrokerIsTyped(_ code: rd_kafka_resp_err_t, isRetriable: Bool, words: String) async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let sink = try Self.sink(cluster.connection(), "out")
            cluster.failNext(0, [code])
            try sink.write(Self.rows(2), Self.info)
            let error = #expect(throws: SinkError.self) { try sink.prepare(Self.epoch) }
            #expect(error?.isRetriable == isRetriable)
            #expect(error?.description.contains(words) == true)
            #expect(error?.description.contains("topic out") == true)
            sink.discard(Self.epoch)
        }
    }

    @Test func transientRefusalsAreRiddenOutWithoutDoubles() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let sink = try Self.sink(cluster.connection(), "out", settings: [.init("retry.backoff.ms", "20")])
            cluster.failNext(
                0,
                [
                    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR__TRANSPORT,
                    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                ])
            try sink.write(Self.rows(10), Self.info)
            try sink.prepare(Self.epoch)
            #expect(try cluster.values(of: ["out"])[partition("out", 0)]?.count == 10)
            try sink.close()
        }
    }

    @Test func brokersOutOfReachAreARetriableErrorAndLaterAllIsWell() async throws {
        try await withCommitBroker { broker, connection in
            let sink = try Self.sink(connection, "out", timeoutMs: 300)
            broker.stop()
            try sink.write(Self.rows(10), Self.info)
            let error = #expect(throws: SinkError.self) { try sink.prepare(Self.epoch) }
            #expect(error?.isRetriable == true)
            sink.discard(Self.epoch)
            try broker.start()
            try sink.write(Self.rows(4), Self.info)
            try waitUntil("the brokers take rows again", pauseMs: 0) {
                do {
                    try sink.prepare(Self.epoch)
                    return true
                } catch {
                    sink.discard(Self.epoch)
                    try sink.write(Self.rows(4), Self.info)
                    return false
                }
            }
            // What timed out may have been written: at least once.
            #expect(try Driver.readAll(connection, ["out"]).total >= 4)
            try sink.close()
        }
    }

    @Test func theFactoryMakesSinksAndNamesBadSettings() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let factory = KafkaSinkFactory { _ in }
            let context = SinkContext(
                job: "j", query: "q", input: .documents, mode: .append, delivery: .atLeastOnce, baseDirectory: "",
                kafka: cluster.connection())
            func checked(_ entries: [OptionEntry]) -> CheckedOptions {
                var check = OptionCheck()
                let options = factory.schema.check(OptionNode(.map(entries)), path: "sinks.0.kafka", into: &check)
                #expect(check.diagnostics.isEmpty)
                return options
            }
            func text(_ text: String) -> OptionNode { OptionNode(.scalar(OptionScalar(text))) }
            let options = checked([OptionEntry("topic", text("out"))])
            #expect(factory.describe(options) == "kafka out")
            #expect(factory.check(options).isEmpty)
            let bad = checked([
                OptionEntry("topic", text("out")),
                OptionEntry(
                    "options",
                    OptionNode(
                        .map([
                            OptionEntry("linger.mss", text("5")), OptionEntry("acks", text("many")),
                            OptionEntry("transactional.id", text("x")), OptionEntry("linger.ms", text("7")),
                        ]))),
            ])
            let messages = factory.check(bad)
            #expect(
                messages.map(\.path) == [
                    "sinks.0.kafka.options.linger.mss", "sinks.0.kafka.options.acks",
                    "sinks.0.kafka.options.transactional.id",
                ])
            #expect(messages.first?.message.contains("did you mean `linger.ms`?") == true)
            let sink = try factory.make(options, context)
            try sink.write(DocumentBatch(documents: [Array("{}".utf8)]), Self.info)
            try sink.prepare(Self.epoch)
            try sink.close()
            #expect(try cluster.values(of: ["out"]) == [partition("out", 0): ["{}"]])
        }
    }
}
