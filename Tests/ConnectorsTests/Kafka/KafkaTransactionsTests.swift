import CRdkafka
import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// The mock cluster takes part in the protocol of transactions but shows records at once: what is tested here is the
/// typing of outcomes. What readers see is tested against the embedded broker.
@Suite struct KafkaTransactionsTests {
    private func producer(_ cluster: MockCluster, _ id: String = "g/c/0") throws -> KafkaProducer {
        try KafkaProducer(
            cluster.connection(producerOptions: [.init("retry.backoff.ms", "20")]), transactionalID: id
        ) { _ in }
    }

    private func send(_ producer: KafkaProducer, _ text: String) throws {
        try Array(text.utf8).withUnsafeBytes { try producer.send(topic: "out", value: $0) }
    }

    private let reason = SourceError(.other, "asked for")

    @Test func commitsRecordsAndOffsetsOfAMember() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            cluster.create("out", partitions: 1)
            try cluster.produce("t", 0, (0..<5).map { "\($0)" })
            let consumer = try KafkaConsumer(
                cluster.connection(), group: KafkaGroup(id: "g"),
                subscriptions: [KafkaSubscription(source: "s", topics: .topics(["t"]))], log: { _ in })
            let driver = Driver(consumer)
            try driver.run { $0.total == 5 }
            let member = try KafkaTransactions.member(of: consumer)
            #expect(member.id != nil)
            let producer = try producer(cluster)
            let transactions = try KafkaTransactions(producer, timeoutMs: Int(hungAfterMs))
            for round in 1...3 {
                try transactions.begin()
                try send(producer, "row \(round)")
                try transactions.sendOffsets(
                    [partition("t", 0): CommittedOffset(offset: Int64(round), metadata: "v1 a.\(round) b")], of: member,
                    timeoutMs: Int(hungAfterMs))
                guard case .committed = transactions.commit(timeoutMs: Int(hungAfterMs)) else {
                    Issue.record("round \(round) is not committed")
                    return
                }
            }
            #expect(producer.delivered == 3)
            #expect(!transactions.isOpen)
            consumer.close()
            producer.close()
        }
    }

    @Test func abortsOnRequestAndGoesOn() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let producer = try producer(cluster)
            let transactions = try KafkaTransactions(producer, timeoutMs: Int(hungAfterMs))
            try transactions.begin()
            try send(producer, "never")
            guard case .aborted(let why) = transactions.abort(because: reason, timeoutMs: Int(hungAfterMs)) else {
                Issue.record("not aborted")
                return
            }
            #expect(why.description == "asked for")
            try transactions.begin()
            try send(producer, "row")
            guard case .committed = transactions.commit(timeoutMs: Int(hungAfterMs)) else {
                Issue.record("not committed")
                return
            }
            producer.close()
        }
    }

    @Test func aRefusedRecordAbortsWithTheReason() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let producer = try producer(cluster)
            let transactions = try KafkaTransactions(producer, timeoutMs: Int(hungAfterMs))
            try transactions.begin()
            cluster.failNext(0, [RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED])
            try send(producer, "row")
            guard case .aborted(let why) = transactions.commit(timeoutMs: Int(hungAfterMs)) else {
                Issue.record("not aborted")
                return
            }
            #expect(why.description.contains("topic out"))
            producer.close()
        }
    }

    // EndTxn is API key 26. The mock cluster lets two producers with one id live, so the refusal is injected.
    @Test func aFencedProducerIsToldApart() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let producer = try producer(cluster)
            let transactions = try KafkaTransactions(producer, timeoutMs: Int(hungAfterMs))
            try transactions.begin()
            try send(producer, "old")
            try producer.flush(timeoutMs: Int(hungAfterMs))
            cluster.failNext(26, [RD_KAFKA_RESP_ERR_PRODUCER_FENCED])
            guard case .fenced(let why) = transactions.commit(timeoutMs: Int(hungAfterMs)) else {
                Issue.record("not fenced")
                return
            }
            #expect(why.kind == .fenced)
            #expect(why.description.contains("g/c/0"))
            #expect(throws: SourceError.self) { try transactions.begin() }
            producer.close()
        }
    }

    @Test func anUnansweredCommitIsUnknown() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("out", partitions: 1)
            let producer = try producer(cluster)
            let transactions = try KafkaTransactions(producer, timeoutMs: Int(hungAfterMs))
            try transactions.begin()
            try send(producer, "row")
            try producer.flush(timeoutMs: Int(hungAfterMs))
            cluster.stop()
            guard case .unknown(let why) = transactions.commit(timeoutMs: 500) else {
                Issue.record("not unknown")
                return
            }
            #expect(why.isRetriable)
            producer.close()
        }
    }

    @Test func offsetsOfSomebodyWhoIsNoMemberAreRefused() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            let consumer = try KafkaConsumer(
                cluster.connection(), group: KafkaGroup(id: "g"),
                subscriptions: [KafkaSubscription(source: "s", topics: .topics(["t"]))], log: { _ in })
            let producer = try producer(cluster)
            let transactions = try KafkaTransactions(producer, timeoutMs: Int(hungAfterMs))
            try transactions.begin()
            let member = try KafkaTransactions.member(of: consumer)
            let error = #expect(throws: SourceError.self) {
                try transactions.sendOffsets(
                    [partition("t", 0): CommittedOffset(offset: 1)], of: member, timeoutMs: Int(hungAfterMs))
            }
            #expect(error?.kind == .fenced)
            _ = transactions.abort(because: reason, timeoutMs: Int(hungAfterMs))
            consumer.close()
            producer.close()
        }
    }
}
