import CRdkafka
import EmbeddedBroker
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// Each outcome is checked by what a reader of committed transactions sees, and by the committed offsets with metadata.
@Suite struct KafkaCommitPointTests {
    @Test func decidesOutputAndOffsetsTogether() async throws {
        try await withCommitBroker { _, connection in
            let bench = try CommitPointBench(connection)
            #expect(bench.sink.isTransactional)
            #expect(try bench.epoch(1, ["a", "b"]).name == "committed")
            #expect(try bench.committed() == CommitPointBench.offset(1))
            #expect(try bench.visible() == ["a", "b"])
            // No output at all.
            #expect(try bench.epoch(2, []).name == "committed")
            #expect(try bench.committed() == CommitPointBench.offset(2))
            // Given up: neither.
            try bench.point.begin()
            try bench.send(["never"])
            bench.point.abort()
            bench.point.abort()
            #expect(try bench.epoch(3, ["c"]).name == "committed")
            #expect(try bench.visible() == ["a", "b", "c"])
            #expect(try bench.committed() == CommitPointBench.offset(3))
            #expect(bench.lines.withLock { $0 }.isEmpty)
            bench.close()
        }
    }

    @Test func aLostAnswerToTheDecisionIsAskedForAgain() async throws {
        try await withCommitBroker { broker, connection in
            let bench = try CommitPointBench(connection)
            for number in 1...3 {
                try broker.faults.add(.loseResponse, api: "EndTxn", times: number)
                #expect(try bench.settle(number, ["\(number)"]).last == "committed")
                #expect(broker.faults.hits > 0)
                #expect(try bench.committed() == CommitPointBench.offset(number))
            }
            #expect(try bench.visible() == ["1", "2", "3"])
            bench.close()
        }
    }

    // Applied and never answered, or never applied: the client cannot tell, the new producer finds out.
    @Test(arguments: [FaultAction.loseResponse, .drop])
    func anUnansweredDecisionIsUnknownUntilANewProducerLooks(_ fault: FaultAction) async throws {
        try await withCommitBroker { broker, connection in
            // So long is waited for the decision, and for each step before it, which must come through.
            let bench = try CommitPointBench(connection, timeoutMs: 4000)
            try bench.settle(1, ["1"])
            try broker.faults.add(fault, api: "EndTxn", times: 1_000_000)
            let outcome = try bench.epoch(2, ["2"])
            #expect(outcome.name == "unknown")
            #expect(outcome.reason?.isRetriable == true)
            // Only then may decisions get through: the client goes on asking until its producer is gone.
            let found = try bench.lookUp()
            broker.faults.clear()
            let isApplied = fault == .loseResponse
            #expect(found == CommitPointBench.offset(isApplied ? 2 : 1))
            #expect(try bench.visible() == (isApplied ? ["1", "2"] : ["1"]))
            try bench.settle(3, ["3"])
            #expect(try bench.visible() == (isApplied ? ["1", "2", "3"] : ["1", "3"]))
            bench.close()
        }
    }

    @Test func markersThatComeLateHoldUpTheNextEpochAndNothingElse() async throws {
        try await withCommitBroker(markerDelayMs: 2000) { _, connection in
            let bench = try CommitPointBench(connection)
            var number = 0
            // Where this thread stands still until the markers are there, the next epoch shows it.
            try waitUntil("a question that comes before the markers", pauseMs: 0) { () throws -> Bool in
                number += 1
                #expect(try bench.epoch(number, ["\(number)"]).name == "committed")
                do throws(SourceError) {
                    let found = try bench.consumer.committed([partition("t", 0)], timeoutMs: 300)
                    #expect(found == [partition("t", 0): CommitPointBench.offset(number)])
                    return false
                } catch {
                    // Decided, but not to be read yet: that is no answer, and not "no offset".
                    #expect(error.isRetriable)
                    return true
                }
            }
            #expect(try bench.epoch(number + 1, ["\(number + 1)"]).name == "committed")
            #expect(try bench.committed() == CommitPointBench.offset(number + 1))
            #expect(try bench.visible() == (1...number + 1).map { "\($0)" })
            bench.close()
        }
    }

    // 14: coordinator loads, 15: not available, 16: not coordinator, 51: concurrent transactions.
    @Test(arguments: ["InitProducerId", "AddPartitionsToTxn", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn"])
    func passingTroublesOfCoordinatorsAreRiddenOut(_ api: String) async throws {
        try await withCommitBroker { broker, connection in
            let codes: [Int16] =
                ["InitProducerId", "AddPartitionsToTxn"].contains(api) ? [14, 15, 16, 51] : [14, 15, 16]
            for code in codes { try broker.faults.add(.error(code), api: api, times: 1) }
            let bench = try CommitPointBench(connection)
            #expect(try bench.epoch(1, ["1"]).name == "committed")
            #expect(broker.faults.hits == codes.count)
            #expect(try bench.committed() == CommitPointBench.offset(1))
            #expect(try bench.visible() == ["1"])
            bench.close()
        }
    }

    @Test func aMemberWhoseIdAnotherTookIsFencedAndCanTakeItBack() async throws {
        try await withCommitBroker { _, connection in
            let bench = try CommitPointBench(connection)
            #expect(try bench.epoch(1, ["1"]).name == "committed")
            try bench.point.begin()
            try bench.send(["zombie"])
            let second = try KafkaProducer(connection, transactionalID: "g/c/0") { _ in }
            _ = try KafkaTransactions(second, timeoutMs: Int(hungAfterMs))
            let outcome = bench.commit(2)
            #expect(outcome.name == "fenced")
            #expect(outcome.reason?.kind == .fenced)
            try bench.point.renew()
            #expect(try bench.committed() == CommitPointBench.offset(1))
            #expect(try bench.epoch(3, ["3"]).name == "committed")
            #expect(try bench.visible() == ["1", "3"])
            bench.close()
            second.close()
        }
    }

    @Test func aTransactionThatTookTooLongIsOverAndTheNextIsNot() async throws {
        try await withCommitBroker { broker, connection in
            let bench = try CommitPointBench(connection, transactionTimeoutMs: 1000)
            try bench.settle(1, ["1"])
            try bench.point.begin()
            // Where the sending takes that long already, it is refused.
            do throws(SinkError) { try bench.send(["slow"]) } catch { bench.sink.discard(CommitPointBench.info.epoch) }
            // The broker gives it up: then its offset can be read again.
            #expect(try bench.visible() == ["1"])
            #expect(bench.commit(2).name != "committed")
            try bench.settle(2, ["2"])
            #expect(try bench.committed() == CommitPointBench.offset(2))
            #expect(try bench.visible() == ["1", "2"])
            bench.close()
        }
    }

    @Test(arguments: ["AddPartitionsToTxn", "Produce", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn"])
    func aBrokerThatDiesAtAnyStepLosesAndDoublesNothing(_ api: String) async throws {
        try await withCommitBroker { broker, connection in
            let bench = try CommitPointBench(connection, transactionTimeoutMs: 10_000, timeoutMs: 1000)
            try bench.settle(1, ["1"])
            try broker.faults.add(.crash, api: api)
            let restarter = try Thread(name: "restart") {
                _ = broker.waitUntilEnded()
                // Down for longer than one question may take (`timeoutMs`), so that questions end without an answer too.
                SystemClock().sleep(ms: 1500)
                do { try broker.start() } catch { Issue.record("\(error)") }
            }
            try bench.settle(2, ["2"])
            restarter.join()
            try bench.settle(3, ["3"])
            #expect(try bench.visible() == ["1", "2", "3"])
            #expect(try bench.committed() == CommitPointBench.offset(3))
            bench.close()
        }
    }

    @Test func randomFaultsLoseAndDoubleNothing() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        try await withCommitBroker { broker, connection in
            var random = SeededRandom(seed: seed)
            let bench = try CommitPointBench(connection, transactionTimeoutMs: 4000, timeoutMs: 700)
            let apis = [
                "AddPartitionsToTxn", "Produce", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn", "InitProducerId",
                "FindCoordinator", "OffsetFetch",
            ]
            for number in 1...15 {
                for _ in 0..<2 {
                    let api = apis[Int(random.next() % UInt64(apis.count))]
                    let fault: FaultAction =
                        [.loseResponse, .drop, .delay(milliseconds: 900), .error(16)][Int(random.next() % 4)]
                    // NOT_COORDINATOR is no answer to Produce or FindCoordinator.
                    if fault == .error(16), ["Produce", "FindCoordinator"].contains(api) { continue }
                    try broker.faults.add(fault, api: api, times: Int(random.next() % 3) + 1)
                }
                try bench.settle(number, ["\(number)"])
                broker.faults.clear()
                #expect(try bench.committed() == CommitPointBench.offset(number), "seed \(seed)")
            }
            #expect(try bench.visible() == (1...15).map { "\($0)" }, "seed \(seed)")
            #expect(broker.faults.hits > 0)
            bench.close()
        }
    }

    // MARK: The group's fence

    @Test func withoutItsAssignmentAMemberDecidesNothing() async throws {
        try await withCommitBroker { _, connection in
            let bench = try CommitPointBench(connection)
            try bench.point.begin()
            try bench.send(["never"])
            bench.point.assignmentEnded()
            let outcome = bench.commit(1)
            #expect(outcome.name == "aborted")
            #expect(outcome.reason?.kind == .fenced)
            try bench.point.assignmentAccepted()
            #expect(try bench.committed() == nil)
            #expect(try bench.epoch(2, ["2"]).name == "committed")
            #expect(try bench.visible() == ["2"])
            bench.close()
        }
    }

    // 22: illegal generation, 25: unknown member, 82: fenced instance.
    @Test(arguments: [Int16(22), 25, 82])
    func whomTheGroupHasLeftBehindDecidesNothing(_ code: Int16) async throws {
        try await withCommitBroker { broker, connection in
            let bench = try CommitPointBench(connection)
            try broker.faults.add(.error(code), api: "TxnOffsetCommit")
            let outcome = try bench.epoch(1, ["never"])
            #expect(outcome.name == "aborted")
            #expect(outcome.reason?.kind == .fenced)
            #expect(outcome.reason?.description.contains("the group went on without this member") == true)
            #expect(try bench.committed() == nil)
            #expect(try bench.epoch(2, ["2"]).name == "committed")
            #expect(try bench.visible() == ["2"])
            bench.close()
        }
    }

    @Test func aMemberThatLeftIsRefusedBeforeTheBrokerIsAsked() async throws {
        try await withCommitBroker { _, connection in
            let bench = try CommitPointBench(connection)
            try bench.point.begin()
            try bench.send(["never"])
            bench.consumer.close()
            let outcome = bench.commit(1)
            #expect(outcome.name == "aborted")
            #expect(outcome.reason?.kind == .fenced)
            #expect(try bench.visible() == [])
            bench.point.close()
        }
    }

    // The generation moves on while this member sleeps: two members, then a third takes its place in the assignment.
    @Test func aMemberThatSleptThroughARebalanceDecidesNothing() async throws {
        try await withCommitBroker { _, connection in
            let asleep = try CommitPointBench(connection)
            try asleep.point.begin()
            try asleep.send(["zombie"])
            let other = try CommitPointBench(connection, slot: "1", joins: false)
            // The broker waits for the sleeper's answer to the rebalance no longer than its session.
            let outcome = asleep.commit(1)
            #expect(["committed", "aborted"].contains(outcome.name))
            asleep.point.abort()
            asleep.consumer.close()
            try other.run { other.isAssigned }
            let before = try other.committed()
            #expect((before != nil) == (outcome.name == "committed"))
            #expect(try other.visible() == (before == nil ? [] : ["zombie"]))
            #expect(try other.epoch(2, ["2"]).name == "committed")
            other.close()
            asleep.point.close()
        }
    }

    // MARK: Members that are gone

    @Test func whatAMemberThatIsGoneLeftOpenIsEnded() async throws {
        try await withCommitBroker { _, connection in
            let directory = try TemporaryDirectory()
            func locks() throws -> MembershipLocks {
                try #require(
                    try MembershipLocks.take(
                        .init(checkpoint: directory.path, staticID: nil, aloneBecause: nil, standby: false),
                        clock: SystemClock(), stop: StopRequest(), log: { _ in }))
            }
            let gone = try locks()
            let alive = try locks()
            let mine = try locks()
            #expect([gone.slot, alive.slot, mine.slot] == ["0", "1", "2"])
            let old = try CommitPointBench(connection, slot: gone.slot, locks: gone)
            try old.point.begin()
            try old.send(["zombie"])
            try old.output.transactions?.sendOffsets(
                [partition("t", 0): CommitPointBench.offset(1)], of: KafkaTransactions.member(of: old.consumer),
                timeoutMs: Int(hungAfterMs))
            // Its consumer leaves, its transaction stays open: as when it is killed at this step.
            old.consumer.close()
            gone.release()
            let new = try CommitPointBench(connection, slot: mine.slot, locks: mine, joins: false)
            let error = #expect(throws: SourceError.self) {
                try new.consumer.committed([partition("t", 0)], timeoutMs: 500)
            }
            #expect(error?.isRetriable == true)
            new.point.endAbandoned()
            #expect(try new.committed() == nil)
            #expect(new.lines.withLock { $0 } == ["ended what a member that is gone left open (slot 0)"])
            try new.run { new.isAssigned }
            #expect(try new.epoch(2, ["2"]).name == "committed")
            #expect(try new.visible() == ["2"])
            new.close()
            old.point.close()
            alive.release()
            mine.release()
        }
    }

    // MARK: Reasons that last

    @Test func aRecordOverTheTopicsLimitIsALastingReason() async throws {
        try await withCommitBroker(config: ["max.message.bytes": "2000"]) { _, connection in
            var connection = connection
            connection.producerOptions.append(.init("compression.type", "none"))
            let bench = try CommitPointBench(connection)
            for (bytes, words) in [
                (5000, "a record of 5000 bytes is too large for the topic; raise its `max.message.bytes` (it is 2000)"),
                (2_000_000, "a record of 2000000 bytes is too large for the producer; raise `message.max.bytes`"),
            ] {
                try bench.point.begin()
                let error = #expect(throws: SinkError.self) { try bench.send([String(repeating: "x", count: bytes)]) }
                #expect(error?.isRetriable == false)
                #expect(error?.description.contains("topic out: \(words)") == true, "\(String(describing: error))")
                bench.point.abort()
                bench.sink.discard(CommitPointBench.info.epoch)
            }
            #expect(try bench.epoch(1, ["small"]).name == "committed")
            #expect(try bench.visible() == ["small"])
            bench.close()
        }
    }

    @Test(arguments: ["AddPartitionsToTxn", "Produce"])
    func aPermissionThatIsGoneIsALastingReason(_ api: String) async throws {
        try await withCommitBroker { broker, connection in
            let bench = try CommitPointBench(connection)
            try broker.faults.add(.error(29), api: api)
            try bench.point.begin()
            let error = #expect(throws: SinkError.self) { try bench.send(["never"]) }
            #expect(error?.isRetriable == false, "\(String(describing: error))")
            #expect(error?.description.contains("ACLs") == true, "\(String(describing: error))")
            bench.point.abort()
            bench.sink.discard(CommitPointBench.info.epoch)
            #expect(try bench.epoch(1, ["1"]).name == "committed")
            #expect(try bench.visible() == ["1"])
            bench.close()
        }
    }

    // 30: group, 53: transactional id.
    @Test(arguments: [("AddOffsetsToTxn", Int16(30)), ("TxnOffsetCommit", 30), ("EndTxn", 53), ("AddOffsetsToTxn", 53)])
    func aRefusedDecisionIsALastingReason(_ api: String, _ code: Int16) async throws {
        try await withCommitBroker { broker, connection in
            let bench = try CommitPointBench(connection)
            try broker.faults.add(.error(code), api: api)
            let outcome = try bench.epoch(1, ["never"])
            #expect(outcome.name == "aborted")
            #expect(outcome.reason?.kind == .notAuthorised, "\(String(describing: outcome.reason))")
            #expect(outcome.reason?.isRetriable == false)
            #expect(outcome.reason?.description.contains("ACLs") == true)
            #expect(try bench.epoch(2, ["2"]).name == "committed")
            #expect(try bench.committed() == CommitPointBench.offset(2))
            #expect(try bench.visible() == ["2"])
            bench.close()
        }
    }

    @Test func aTopicThatIsGoneIsALastingReason() async throws {
        try await withCommitBroker { broker, connection in
            let bench = try CommitPointBench(connection, transactionTimeoutMs: 1500)
            try bench.settle(1, ["1"])
            try KafkaTopics(handle: bench.output.producer.client.handle).delete("out")
            try bench.point.begin()
            let error = #expect(throws: SinkError.self) { try bench.send(["never"]) }
            #expect(error?.isRetriable == false)
            #expect(error?.description.contains("topic out does not exist (any more)") == true)
            bench.point.abort()
            bench.close()
        }
    }

    @Test func brokersThatDoNotFenceOffsetsAreRefused() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            cluster.create("out", partitions: 1)
            // TxnOffsetCommit of Kafka 2.4.
            rd_kafka_mock_set_apiversion(cluster.pointer, 28, 0, 2)
            let consumer = try CommitPointBench.consumer(cluster.connection())
            let output = try KafkaEpochProducer(cluster.connection(), transactionalID: "g/c/0") { _ in }
            let error = #expect(throws: SourceError.self) {
                _ = try KafkaCommitPoint(output, consumer: consumer, locks: nil, slot: "0") { _ in }
            }
            #expect(error?.kind == .configuration)
            #expect(error?.description.contains("older than Kafka 2.5") == true)
            consumer.close()
            output.close()
        }
    }

    @Test func brokersOutOfReachAreTriedAgainAndNothingTakesForEver() async throws {
        try await withCommitBroker { broker, connection in
            let bench = try CommitPointBench(connection, transactionTimeoutMs: 1500, timeoutMs: 500)
            try bench.settle(1, ["1"])
            broker.stop()
            try bench.point.begin()
            let error = #expect(throws: SinkError.self) { try bench.send(["2"]) }
            #expect(error?.isRetriable == true)
            bench.point.abort()
            bench.sink.discard(CommitPointBench.info.epoch)
            let refusal = #expect(throws: SourceError.self) { try bench.point.begin() }
            #expect(refusal?.isRetriable == true)
            try broker.start()
            try bench.settle(2, ["2"])
            #expect(try bench.visible() == ["1", "2"])
            bench.close()
        }
    }

    // MARK: At least once

    @Test func atLeastOnceCommitsOffsetsWithMetadata() async throws {
        try await withCommitBroker { broker, connection in
            let consumer = try CommitPointBench.consumer(connection)
            let driver = Driver(consumer)
            try driver.run { !$0.readers.isEmpty }
            let point = KafkaOffsetCommitPoint(consumer: consumer, slot: "0")
            #expect(point.commit([partition("t", 0): CommitPointBench.offset(1)]).name == "aborted")
            try point.assignmentAccepted()
            #expect(point.commit([partition("t", 0): CommitPointBench.offset(1)]).name == "committed")
            let ids = [partition("t", 0)]
            #expect(try consumer.committed(ids, timeoutMs: Int(hungAfterMs))[ids[0]] == CommitPointBench.offset(1))
            try broker.faults.add(.error(22), api: "OffsetCommit")
            let refused = point.commit([partition("t", 0): CommitPointBench.offset(2)])
            #expect(refused.name == "aborted")
            #expect(try consumer.committed(ids, timeoutMs: Int(hungAfterMs))[ids[0]] == CommitPointBench.offset(1))
            consumer.close()
            #expect(point.commit([partition("t", 0): CommitPointBench.offset(3)]).name == "aborted")
        }
    }
}

extension KafkaTopics {
    /// Deletes a topic.
    func delete(_ name: String) throws {
        let topic = rd_kafka_DeleteTopic_new(name)
        let queue = try #require(rd_kafka_queue_new(handle))
        defer {
            rd_kafka_DeleteTopic_destroy(topic)
            rd_kafka_queue_destroy(queue)
        }
        var list: [OpaquePointer?] = [topic]
        rd_kafka_DeleteTopics(handle, &list, 1, nil, queue)
        let event = try #require(rd_kafka_queue_poll(queue, Int32(hungAfterMs)))
        #expect(rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_event_destroy(event)
    }
}
