import CRdkafka
import EmbeddedBroker
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// How members come and go, and offsets that the log does not hold (any more).
@Suite struct KafkaMembershipTests {
    private func member(_ connection: KafkaConnection, _ instanceID: String?) throws -> Driver {
        Driver(try CommitPointBench.consumer(connection, instanceID: instanceID))
    }

    @Test(arguments: ["node-1", nil])
    func aStaticMembersRestartGetsItsPartitionsAtOnceADynamicOneLeaves(_ instanceID: String?) async throws {
        try await withCommitBroker { _, connection in
            var connection = connection
            // Who had to wait for its end would never be done.
            connection.options.append(.init("session.timeout.ms", "\(hungAfterMs + 60_000)"))
            let first = try member(connection, instanceID)
            try first.run { !$0.readers.isEmpty }
            first.source.close()
            let client = try KafkaClient(try KafkaConfiguration(.consumer, connection)) { _ in }
            let count = try KafkaGroupMembers(handle: client.handle).count(of: "g", timeoutMs: Int(hungAfterMs))
            // librdkafka sends no LeaveGroup for a static member.
            #expect(count == (instanceID == nil ? 0 : 1))
            let second = try member(connection, instanceID)
            try second.run { !$0.readers.isEmpty }
            second.source.close()
        }
    }

    @Test func whoLosesItsStaticNameIsTold() async throws {
        try await withCommitBroker { _, connection in
            let first = try member(connection, "node-1")
            try first.run { !$0.readers.isEmpty }
            let second = try member(connection, "node-1")
            try run([first, second]) { !second.readers.isEmpty && !first.failures.isEmpty }
            #expect(first.failures.first?.kind == .fenced)
            #expect(first.failures.first?.description.contains("`group.instance.id`") == true)
            #expect(second.failures.isEmpty)
            first.source.close()
            second.source.close()
        }
    }

    @Test func theJobsStaticNameReachesTheGroup() {
        var connection = KafkaConnection(brokers: "b:1")
        #expect(connection.instanceID == nil)
        connection.options = [.init("group.instance.id", "a"), .init("group.instance.id", "b")]
        #expect(connection.instanceID == "b")
    }

    // Committed beyond the end (the topic was made anew), or below the first record (retention).
    @Test func offsetsOutsideTheLogAreDataLossWithTheRange() async throws {
        try await withCommitBroker { broker, connection in
            let producer = try KafkaProducer(connection) { _ in }
            for value in 0..<10 {
                try Array("\(value)".utf8).withUnsafeBytes { try producer.send(topic: "t", value: $0) }
            }
            try producer.flush(timeoutMs: Int(hungAfterMs))
            try KafkaTopics(handle: producer.client.handle).deleteRecords("t", 0, before: 4)
            let driver = try member(connection, nil)
            for (wanted, words) in [
                (2, "t/0@2 is not in the log, which holds 4 to 10: records 2 to 3 are gone"),
                (11, "t/0@11 is not in the log, which holds 4 to 10: the log ends at 10: the topic was made anew"),
            ] {
                driver.startAt = { _ in Int64(wanted) }
                if driver.events.isEmpty {
                    let error = #expect(throws: SourceError.self) { try driver.run { !$0.readers.isEmpty } }
                    check(error, wanted, words)
                } else {
                    let error = #expect(throws: SourceError.self) {
                        try driver.source.start([partition("t", 0): Int64(wanted)])
                    }
                    check(error, wanted, words)
                }
            }
            // At the very end there is nothing to complain of; one of an open transaction is in the log too.
            let other = try KafkaProducer(connection, transactionalID: "x") { _ in }
            let transactions = try KafkaTransactions(other, timeoutMs: Int(hungAfterMs))
            try transactions.begin()
            try Array("open".utf8).withUnsafeBytes { try other.send(topic: "t", value: $0) }
            try other.flush(timeoutMs: Int(hungAfterMs))
            for reader in try driver.source.start([partition("t", 0): 11]) { driver.add(reader) }
            // While it is read, the same is found by the fetching.
            try driver.source.seek(partition("t", 0), to: 1)
            try driver.run { !$0.failures.isEmpty }
            check(driver.failures.first, 1, "t/0@1 is not in the log, which holds 4 to")
            driver.source.close()
            other.close()
            producer.close()
        }
    }

    private func check(_ error: SourceError?, _ wanted: Int, _ words: String) {
        guard case .dataLoss(let offset, 4, 10)? = error?.kind else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(offset == Int64(wanted))
        #expect(error?.description.hasPrefix(words) == true, "\(String(describing: error))")
        #expect(error?.partition == partition("t", 0))
    }
}

extension KafkaTopics {
    /// Deletes a partition's records before an offset.
    func deleteRecords(_ topic: String, _ number: Int32, before offset: Int64) throws {
        let list = KafkaPartitionList(capacity: 1)
        list.add(topic, number, offset: offset)
        let request = try #require(list.lend { rd_kafka_DeleteRecords_new($0) })
        let queue = try #require(rd_kafka_queue_new(handle))
        defer {
            rd_kafka_DeleteRecords_destroy(request)
            rd_kafka_queue_destroy(queue)
        }
        var requests: [OpaquePointer?] = [request]
        rd_kafka_DeleteRecords(handle, &requests, 1, nil, queue)
        let event = try #require(rd_kafka_queue_poll(queue, Int32(hungAfterMs)))
        #expect(rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_event_destroy(event)
    }
}
