import CRdkafka
import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

@Suite struct KafkaTopicReaderTests {
    private func reader(
        _ cluster: MockCluster, _ topics: TopicSelection = .topics(["t"]), start: StartingOffsets = .earliest,
        end: KafkaReadingEnd, options: [KafkaConnection.Setting] = []
    ) throws -> KafkaTopicReader {
        try KafkaTopicReader(
            cluster.connection(options: options),
            subscriptions: [KafkaSubscription(source: "s", topics: topics, startingOffsets: start)], end: end,
            log: { _ in })
    }

    private func isOver(_ driver: Driver, _ topic: String, _ numbers: Range<Int32>) -> Bool {
        numbers.allSatisfy { if case .endOfInput? = driver.outcome(topic, $0) { true } else { false } }
    }

    @Test func readsWhatIsThereAndEnds() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 3)
            try cluster.produce("t", 0, (0..<100).map { "a\($0)" })
            try cluster.produce("t", 2, (0..<7).map { "c\($0)" })
            let driver = Driver(try reader(cluster, end: .present))
            try driver.run { !$0.readers.isEmpty }
            // Written after the end was fixed: not part of it.
            try cluster.produce("t", 0, ["later"])
            try driver.run { isOver($0, "t", 0..<3) }
            #expect(driver.values[partition("t", 0)] == (0..<100).map { "a\($0)" })
            #expect(driver.values[partition("t", 1)] == nil)
            #expect(driver.values[partition("t", 2)] == (0..<7).map { "c\($0)" })
            #expect(driver.failures.isEmpty)
            driver.source.close()
        }
    }

    @Test func fromAnOffsetToTheEnd() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            try cluster.produce("t", 0, (0..<10).map { "\($0)" })
            let driver = Driver(
                try reader(
                    cluster, start: .offsets([StartingOffset(topic: "t", partition: 0, offset: 6)]), end: .present))
            try driver.run { isOver($0, "t", 0..<1) }
            #expect(driver.offsets[partition("t", 0)] == [6, 7, 8, 9])
            driver.source.close()
        }
    }

    @Test func liveItGoesOnAndFindsNewTopicsWithoutAGroup() async throws {
        try await onOwnThread {
            let cluster = try MockCluster(brokers: 3)
            cluster.create("m-1", partitions: 2)
            let driver = Driver(try reader(cluster, .pattern("^m-.*"), end: .never))
            try driver.run { $0.readers.count == 2 }
            try cluster.produce("m-1", 1, ["a"])
            try driver.run { $0.total == 1 }
            #expect(driver.values[partition("m-1", 1)] == ["a"])
            #expect(try driver.source.committed([partition("m-1", 1)], timeoutMs: 100).isEmpty)
            driver.source.close()
        }
    }

    @Test func aMissingTopicIsAFailureWithItsName() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            let driver = Driver(try reader(cluster, .topics(["t", "nope"]), end: .present))
            try driver.run { !$0.failures.isEmpty }
            let error = try #require(driver.failures.first)
            #expect(error.kind == .unknownTopic)
            #expect(error.description.contains("topic nope does not exist"))
            driver.source.close()
        }
    }

    @Test func seekReadsAgainFromThere() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            try cluster.produce("t", 0, (0..<500).map { "\($0)" })
            let driver = Driver(try reader(cluster, end: .present))
            driver.maxBytes = 100
            try driver.run { $0.total >= 50 }
            let read = driver.total
            try driver.source.seek(partition("t", 0), to: 10)
            try driver.run { isOver($0, "t", 0..<1) }
            #expect(driver.offsets[partition("t", 0)] == Array(0..<Int64(read)) + Array(10..<500))
            driver.source.close()
        }
    }

    @Test func unreadablePartsOfTheLogAreDataLoss() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            try cluster.produce("t", 0, ["a"])
            let driver = Driver(try reader(cluster, end: .never))
            driver.startAt = { _ in 77 }
            try driver.run { !$0.failures.isEmpty }
            #expect(driver.failures.first?.kind == .dataLoss(wanted: 77, low: 0, high: 1))
            try driver.source.seek(partition("t", 0), to: 0)
            try driver.run { $0.total == 1 }
            driver.source.close()
        }
    }
}
