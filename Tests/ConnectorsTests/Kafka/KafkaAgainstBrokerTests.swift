import EmbeddedBroker
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// What the mock cluster cannot do: times, creation of topics, and what readers of committed transactions see.
@Suite struct KafkaAgainstBrokerTests {
    private func withBroker(_ topics: [String], _ body: @escaping @Sendable (KafkaConnection) throws -> Void)
        async throws
    {
        try await onOwnThread {
            var configuration = BrokerConfiguration()
            configuration.topics = topics.map { BrokerConfiguration.NewTopic($0, partitions: 2) }
            configuration.createsTopics = false
            let broker = EmbeddedBroker(configuration)
            let port = try broker.start()
            defer { broker.stop() }
            try body(KafkaConnection(brokers: "127.0.0.1:\(port)"))
        }
    }

    private func send(_ producer: KafkaProducer, _ topic: String, _ values: [String]) throws {
        for value in values {
            try Array(value.utf8).withUnsafeBytes { try producer.send(topic: topic, value: $0, partition: 0) }
        }
    }

    @Test func readsBetweenTwoTimes() async throws {
        try await withBroker(["t"]) { connection in
            let producer = try KafkaProducer(connection) { _ in }
            try send(producer, "t", ["a", "b"])
            try producer.flush(timeoutMs: Int(hungAfterMs))
            let first =
                try Driver.readAll(connection, ["t"]).timestamps[partition("t", 0)]?.compactMap { $0 }.max() ?? 0
            // The next record gets a later time.
            while SystemClock().wallMs() <= first {}
            try send(producer, "t", ["c", "d"])
            try producer.flush(timeoutMs: Int(hungAfterMs))
            producer.close()
            let later = try Driver.readAll(connection, ["t"], start: .time(ms: first + 1))
            #expect(later.values[partition("t", 0)] == ["c", "d"])
            let earlier = try Driver.readAll(connection, ["t"], end: .time(first + 1))
            #expect(earlier.values[partition("t", 0)] == ["a", "b"])
            let none = try Driver.readAll(connection, ["t"], start: .time(ms: first + 3_600_000))
            #expect(none.total == 0)
        }
    }

    @Test func aSinkCreatesItsTopicAndLeavesOneThatIsThere() async throws {
        try await withBroker(["t"]) { connection in
            let producer = try KafkaProducer(connection) { _ in }
            for _ in 0..<2 {
                try producer.open(topic: "new", partitioner: "murmur2_random", create: (3, 1))
            }
            let counts = try KafkaTopics(handle: producer.client.handle).partitionCounts(timeoutMs: Int(hungAfterMs))
            #expect(counts["new"] == 3)
            #expect(counts["t"] == 2)
            try send(producer, "new", ["x"])
            try producer.flush(timeoutMs: Int(hungAfterMs))
            producer.close()
            #expect(try Driver.readAll(connection, ["new"]).total == 1)
        }
    }

    @Test func readersSeeCommittedTransactionsOnlyAndOffsetsGoWithThem() async throws {
        try await withBroker(["t", "out"]) { connection in
            let consumer = try KafkaConsumer(
                connection, group: KafkaGroup(id: "g"),
                subscriptions: [KafkaSubscription(source: "s", topics: .topics(["t"]))], log: { _ in })
            let driver = Driver(consumer)
            try driver.run { $0.readers.count == 2 }
            let ids = [partition("t", 0), partition("t", 1)]
            let member = try KafkaTransactions.member(of: consumer)
            let producer = try KafkaProducer(connection, transactionalID: "g/c/0") { _ in }
            let transactions = try KafkaTransactions(producer, timeoutMs: Int(hungAfterMs))
            try transactions.begin()
            try send(producer, "out", ["never"])
            try transactions.sendOffsets([ids[0]: CommittedOffset(offset: 1)], of: member, timeoutMs: Int(hungAfterMs))
            // An open transaction on the offsets is not "nothing committed".
            let error = #expect(throws: SourceError.self) { try consumer.committed(ids, timeoutMs: 500) }
            #expect(error?.isRetriable == true)
            guard case .aborted = transactions.abort(because: SourceError(.other, "test"), timeoutMs: Int(hungAfterMs))
            else {
                Issue.record("not aborted")
                return
            }
            #expect(try consumer.committed(ids, timeoutMs: Int(hungAfterMs)).isEmpty)
            try transactions.begin()
            try send(producer, "out", ["row"])
            let token = CommittedOffset(offset: 7, metadata: "v1 a.1 a.1")
            try transactions.sendOffsets([ids[0]: token], of: member, timeoutMs: Int(hungAfterMs))
            guard case .committed = transactions.commit(timeoutMs: Int(hungAfterMs)) else {
                Issue.record("not committed")
                return
            }
            #expect(try consumer.committed(ids, timeoutMs: Int(hungAfterMs)) == [ids[0]: token])
            let read = try Driver.readAll(connection, ["out"])
            #expect(read.values[partition("out", 0)] == ["row"])
            // A second producer with the id takes over; the first is told.
            try transactions.begin()
            try send(producer, "out", ["zombie"])
            try producer.flush(timeoutMs: Int(hungAfterMs))
            let second = try KafkaProducer(connection, transactionalID: "g/c/0") { _ in }
            _ = try KafkaTransactions(second, timeoutMs: Int(hungAfterMs))
            guard case .fenced = transactions.commit(timeoutMs: Int(hungAfterMs)) else {
                Issue.record("not fenced")
                return
            }
            #expect(try Driver.readAll(connection, ["out"]).values[partition("out", 0)] == ["row"])
            consumer.close()
            producer.close()
            second.close()
        }
    }

    @Test func cooperativeMembersHandOverWithoutStoppingTheRest() async throws {
        try await withBroker(["t"]) { connection in
            var connection = connection
            connection.options = [.init("partition.assignment.strategy", "cooperative-sticky")]
            func member() throws -> Driver {
                Driver(
                    try KafkaConsumer(
                        connection, group: KafkaGroup(id: "g"),
                        subscriptions: [KafkaSubscription(source: "s", topics: .topics(["t"]))], log: { _ in }))
            }
            let first = try member()
            try first.run { $0.readers.count == 2 }
            let second = try member()
            try run([first, second]) { first.readers.count == 1 && second.readers.count == 1 }
            #expect(first.events.allSatisfy { if case .revoked(let ids) = $0 { ids.count == 1 } else { true } })
            second.source.close()
            try first.run { $0.readers.count == 2 }
            first.source.close()
        }
    }
}
