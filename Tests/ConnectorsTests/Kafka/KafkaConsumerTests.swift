import CRdkafka
import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

@Suite struct KafkaConsumerTests {
    private func consumer(
        _ cluster: MockCluster, group: String = "g", _ topics: TopicSelection = .topics(["t"]),
        start: StartingOffsets = .earliest, options: [KafkaConnection.Setting] = []
    ) throws -> KafkaConsumer {
        try KafkaConsumer(
            cluster.connection(options: options), group: KafkaGroup(id: group),
            subscriptions: [KafkaSubscription(source: "s", topics: topics, startingOffsets: start)],
            log: { _ in })
    }

    @Test func groupOfOneReadsEverythingInOrderAndIsCaughtUp() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 3)
            let expected = (0..<3).map { p in (0..<100).map { "\(p)-\($0)" } }
            for p in 0..<3 { try cluster.produce("t", Int32(p), expected[p]) }
            let source = try consumer(cluster)
            let driver = Driver(source)
            try driver.run { driver in (0..<3).allSatisfy { isCaughtUp(driver.outcome("t", $0)) } && driver.total == 300
            }
            for p in 0..<3 {
                #expect(driver.values[partition("t", Int32(p))] == expected[p])
                #expect(driver.offsets[partition("t", Int32(p))] == (0..<100).map { Int64($0) })
            }
            #expect(driver.timestamps.values.joined().allSatisfy { ($0 ?? 0) > 1_600_000_000_000 })
            #expect(try #require(source.bounds(of: partition("t", 1))) == (0, 100))
            // More arrives: no longer at the end, then again.
            try cluster.produce("t", 1, ["later"])
            try driver.run { $0.total == 301 && isCaughtUp($0.outcome("t", 1)) }
            source.close()
        }
    }

    private func isCaughtUp(_ outcome: ReadOutcome?) -> Bool {
        if case .caughtUp? = outcome { true } else { false }
    }

    @Test func anEmptyPartitionIsCaughtUp() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            let driver = Driver(try consumer(cluster))
            try driver.run { isCaughtUp($0.outcome("t", 0)) }
            driver.source.close()
        }
    }

    @Test func committedOffsetsCarryMetadataAndNoneIsNotAnError() async throws {
        try await withCommitBroker(partitions: 2) { _, connection in
            try connection.produce("t", 0, (0..<10).map { "\($0)" })
            let token = "v1 0123456789abcdef.7 0123456789abcdef.6"
            do {
                let driver = Driver(try CommitPointBench.consumer(connection))
                try driver.run { $0.total == 10 }
                #expect(
                    try driver.source.committed([partition("t", 0), partition("t", 1)], timeoutMs: Int(hungAfterMs))
                        .isEmpty)
                try driver.source.commit([partition("t", 0): CommittedOffset(offset: 7, metadata: token)], wait: true)
                driver.source.close()
            }
            let driver = Driver(try CommitPointBench.consumer(connection))
            try driver.run { $0.total == 3 }
            #expect(driver.values[partition("t", 0)] == ["7", "8", "9"])
            let committed = try driver.source.committed(
                [partition("t", 0), partition("t", 1)], timeoutMs: Int(hungAfterMs))
            #expect(committed == [partition("t", 0): CommittedOffset(offset: 7, metadata: token)])
            // Asynchronously, too.
            try driver.source.commit([partition("t", 0): CommittedOffset(offset: 9)], wait: false)
            try driver.run {
                try $0.source.committed([partition("t", 0)], timeoutMs: Int(hungAfterMs))[partition("t", 0)]?.offset
                    == 9
            }
            #expect(driver.failures.isEmpty)
            driver.source.close()
        }
    }

    @Test func anErrorWhileAskingForCommittedOffsetsIsNeverNone() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            let driver = Driver(try consumer(cluster))
            try driver.run { !$0.readers.isEmpty }
            // OffsetFetch is API key 9.
            cluster.failNext(9, [RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED])
            let error = #expect(throws: SourceError.self) {
                try driver.source.committed([partition("t", 0)], timeoutMs: Int(hungAfterMs))
            }
            #expect(error?.kind == .notAuthorised)
            cluster.stop()
            let second = #expect(throws: SourceError.self) {
                try driver.source.committed([partition("t", 0)], timeoutMs: 500)
            }
            #expect(second?.isRetriable == true)
            driver.source.close()
        }
    }

    @Test func twoMembersShareAndHandOver() async throws {
        try await withCommitBroker(partitions: 4) { _, connection in
            let first = Driver(try CommitPointBench.consumer(connection))
            try first.run { $0.readers.count == 4 }
            let second = Driver(try CommitPointBench.consumer(connection))
            try run([first, second]) { first.readers.count == 2 && second.readers.count == 2 }
            #expect(Set(first.readers.keys).isDisjoint(with: second.readers.keys))
            #expect(first.events.contains { if case .revoked(let ids) = $0 { ids.count == 4 } else { false } })
            for p in 0..<4 { try connection.produce("t", Int32(p), (0..<20).map { "\(p)-\($0)" }) }
            try run([first, second]) { first.total + second.total == 80 }
            // Commit what each has read, then the first leaves: the second gets all and reads nothing twice.
            for driver in [first, second] {
                try driver.source.commit(
                    Dictionary(uniqueKeysWithValues: driver.readers.keys.map { ($0, CommittedOffset(offset: 20)) }),
                    wait: true)
            }
            first.source.close()
            try second.run { $0.readers.count == 4 }
            for p in 0..<4 { try connection.produce("t", Int32(p), ["last"]) }
            try second.run { $0.values.values.joined().filter { $0 == "last" }.count == 4 }
            #expect(first.total + second.total == 84)
            second.source.close()
        }
    }

    @Test func aMemberBesideAFullHouseGetsNothingAndDoesNotBlockTheGroup() async throws {
        try await withCommitBroker { _, connection in
            let first = Driver(try CommitPointBench.consumer(connection))
            try first.run { $0.readers.count == 1 }
            let second = Driver(try CommitPointBench.consumer(connection))
            func isEmptyHanded(_ driver: Driver) -> Bool {
                driver.events.contains { if case .assigned(let ids) = $0 { ids.isEmpty } else { false } }
            }
            try run([first, second]) { isEmptyHanded(first) != isEmptyHanded(second) }
            try connection.produce("t", 0, ["a"])
            try run([first, second]) { first.total + second.total == 1 }
            first.source.close()
            second.source.close()
        }
    }

    @Test(arguments: [0, 3, 10])
    func startingOffsetsLatestTimeAndMap(_ rule: Int) async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 2)
            for p in 0..<2 { try cluster.produce("t", Int32(p), (0..<5).map { "\($0)" }) }
            let start: StartingOffsets =
                switch rule {
                case 0: .latest
                case 3: .offsets([StartingOffset(topic: "t", partition: 1, offset: 3)])
                default: .earliest
                }
            let driver = Driver(try consumer(cluster, start: start))
            let expected = rule == 0 ? 0 : rule == 3 ? 7 : 10
            try driver.run { d in d.total >= expected && (0..<2).allSatisfy { isCaughtUp(d.outcome("t", $0)) } }
            #expect(driver.total == expected)
            if rule == 0 {
                try cluster.produce("t", 0, ["new"])
                try driver.run { $0.total == 1 }
                #expect(driver.offsets[partition("t", 0)] == [5])
            }
            driver.source.close()
        }
    }

    @Test func aStartingOffsetOutsideTheLogIsRefusedWithTheRange() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            try cluster.produce("t", 0, ["a"])
            let source = try consumer(
                cluster, start: .offsets([StartingOffset(topic: "t", partition: 0, offset: 9)]))
            let error = #expect(throws: SourceError.self) {
                try source.startingOffsets([partition("t", 0)], timeoutMs: Int(hungAfterMs))
            }
            #expect(error?.kind == .configuration)
            #expect(error?.description.contains("t/0@9, but the partition holds 0 to 1") == true)
            source.close()
        }
    }

    @Test func dataLossIsTypedAndSeekGoesOn() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            try cluster.produce("t", 0, ["a", "b"])
            let driver = Driver(try consumer(cluster))
            driver.startAt = { _ in 40 }
            // Before anything is read of it …
            let refusal = #expect(throws: SourceError.self) { try driver.run { !$0.readers.isEmpty } }
            #expect(refusal?.kind == .dataLoss(wanted: 40, low: 0, high: 2))
            // … and while it is read.
            for reader in try driver.source.start([partition("t", 0): 2]) { driver.add(reader) }
            try driver.source.seek(partition("t", 0), to: 40)
            try driver.run { !$0.failures.isEmpty }
            let error = try #require(driver.failures.first)
            #expect(error.kind == .dataLoss(wanted: 40, low: 0, high: 2))
            #expect(
                error.description
                    == "t/0@40 is not in the log, which holds 0 to 2: the log ends at 2: the topic was made anew or truncated"
            )
            try driver.source.seek(partition("t", 0), to: 1)
            try driver.run { $0.total == 1 }
            #expect(driver.values[partition("t", 0)] == ["b"])
            driver.source.close()
        }
    }

    @Test func seekBackReadsAgainAndNothingBesides() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            try cluster.produce("t", 0, (0..<1000).map { "\($0)" })
            let driver = Driver(try consumer(cluster))
            driver.maxBytes = 200
            try driver.run { $0.total >= 100 }
            let read = driver.total
            driver.isReading = false
            try driver.source.seek(partition("t", 0), to: 50)
            driver.isReading = true
            try driver.run { isCaughtUp($0.outcome("t", 0)) }
            let offsets = try #require(driver.offsets[partition("t", 0)])
            #expect(offsets == Array(0..<Int64(read)) + Array(50..<1000))
            driver.source.close()
        }
    }

    @Test func whatIsNotReadWaitsAndNothingIsLostOrDoubled() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 2)
            let value = String(repeating: "x", count: 1000)
            // Twenty times what the client may prefetch of a partition.
            for p in 0..<2 { try cluster.produce("t", Int32(p), [String](repeating: value, count: 4000)) }
            let driver = Driver(
                try consumer(
                    cluster,
                    options: [
                        .init("queued.max.messages.kbytes", "200"), .init("fetch.message.max.bytes", "50000"),
                    ]))
            driver.isReading = false
            try driver.run { $0.readers.count == 2 }
            // Read the two in turns of very different size, as when one is held back.
            var turn = 0
            try driver.run { driver in
                turn += 1
                driver.maxBytes = turn % 7 == 0 ? 1_000_000 : 3000
                driver.read()
                return driver.total >= 8000
            }
            for p in 0..<2 { #expect(driver.offsets[partition("t", Int32(p))] == (0..<4000).map { Int64($0) }) }
            for case let reader as KafkaPartitionReader in driver.readers.values {
                #expect(reader.repeatedRecords == 0)
            }
            driver.source.close()
        }
    }

    @Test func aTombstoneIsAnEmptyRecordAndKeysAreIgnored() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            try cluster.produce("t", 0, ["a", nil, "", "b"], key: "k")
            let driver = Driver(try consumer(cluster))
            try driver.run { $0.total == 4 }
            #expect(driver.values[partition("t", 0)] == ["a", "", "", "b"])
            let reader = try #require(driver.readers[partition("t", 0)] as? KafkaPartitionReader)
            #expect(reader.tombstones == 1)
            #expect(reader.nextOffset == 4)
            driver.source.close()
        }
    }

    @Test func aRecordTheEngineThrewAtIsHandedOverAgain() async throws {
        try await onOwnThread {
            struct Stop: Error {}
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            try cluster.produce("t", 0, ["a", "b"])
            let driver = Driver(try consumer(cluster))
            driver.isReading = false
            try driver.run { !$0.readers.isEmpty }
            let reader = try #require(driver.readers[partition("t", 0)])
            var seen: [Int64] = []
            var last: [[UInt8]] = []
            try driver.run { _ in
                do {
                    _ = try reader.read(maxBytes: 1000) { record in
                        seen.append(record.offset)
                        if record.offset == 1, seen.filter({ $0 == 1 }).count < 3 { throw Stop() }
                    } last: {
                        last.append(Array($0.bytes))
                    }
                } catch is Stop {}
                return seen.count >= 4
            }
            #expect(seen == [0, 1, 1, 1])
            // The newest of those that were taken, whole, at the end of each read that took any.
            #expect(last == [Array("a".utf8), Array("b".utf8)])
            driver.source.close()
        }
    }

    @Test func aLargeMessageComesWhole() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            cluster.create("t", partitions: 1)
            let large = String(repeating: "0123456789", count: 90_000)
            try cluster.produce("t", 0, [large, "after"])
            let driver = Driver(try consumer(cluster, options: [.init("fetch.message.max.bytes", "1000")]))
            driver.maxBytes = 10
            try driver.run { $0.total == 2 }
            #expect(driver.values[partition("t", 0)] == [large, "after"])
            driver.source.close()
        }
    }

    /// A member that soon finds topics that are new.
    private func finder(
        _ connection: KafkaConnection, _ topics: TopicSelection, excluded: [String] = []
    ) throws -> KafkaConsumer {
        var connection = connection
        connection.options.append(.init("topic.metadata.refresh.interval.ms", "200"))
        return try KafkaConsumer(
            connection, group: KafkaGroup(id: "g"), subscriptions: [KafkaSubscription(source: "s", topics: topics)],
            excludedTopics: excluded, log: { _ in })
    }

    @Test func aTopicThatIsNotThereIsSaidOnceAndJoinsWhenItComes() async throws {
        try await withCommitBroker { _, connection in
            let driver = Driver(try finder(connection, .topics(["nope"])))
            func warnings() -> [String] {
                driver.events.compactMap { if case .warning(let text) = $0 { text } else { nil } }
            }
            try driver.run { _ in !warnings().isEmpty }
            #expect(warnings().count == 1)
            #expect(warnings().first?.contains("nope") == true)
            try connection.create("nope")
            try connection.produce("nope", 0, ["a"])
            try driver.run { $0.total == 1 }
            driver.source.close()
        }
    }

    @Test func aPatternTakesNewTopicsAndNeverTheJobsOwnOutputs() async throws {
        try await withCommitBroker { _, connection in
            for (topic, value) in [("m-1", "a"), ("m-out.x", "never")] {
                try connection.create(topic)
                try connection.produce(topic, 0, [value])
            }
            let driver = Driver(try finder(connection, .pattern("^m-.*"), excluded: ["m-out.x"]))
            try driver.run { $0.total == 1 }
            try driver.source.commit([partition("m-1", 0): CommittedOffset(offset: 1)], wait: true)
            try connection.create("m-2")
            try connection.produce("m-2", 0, ["b"])
            try driver.run { $0.values[partition("m-2", 0)] == ["b"] }
            #expect(driver.total == 2)
            driver.source.close()
        }
    }

    @Test func aTopicOfTwoSourcesIsRefused() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            let error = #expect(throws: SourceError.self) {
                _ = try KafkaConsumer(
                    cluster.connection(), group: KafkaGroup(id: "g"),
                    subscriptions: [
                        KafkaSubscription(source: "a", topics: .topics(["t"])),
                        KafkaSubscription(source: "b", topics: .pattern("^t.*")),
                    ], log: { _ in })
            }
            #expect(error?.description.contains("topic t belongs to the sources a and b") == true)
        }
    }

    @Test func brokerDownIsSaidOnceAndUpAgainToo() async throws {
        try await withCommitBroker { broker, connection in
            try connection.produce("t", 0, ["a"])
            let driver = Driver(try CommitPointBench.consumer(connection))
            try driver.run { $0.total == 1 && isCaughtUp($0.outcome("t", 0)) }
            try driver.source.commit([partition("t", 0): CommittedOffset(offset: 1)], wait: true)
            func count(_ up: Bool) -> Int {
                driver.events.filter {
                    switch $0 {
                    case .brokerUp: up
                    case .brokerDown: !up
                    default: false
                    }
                }.count
            }
            broker.stop()
            try driver.run { _ in count(false) > 0 }
            // A partition nobody can ask about is not at its end.
            try driver.run { !isCaughtUp($0.outcome("t", 0)) }
            try broker.start()
            try driver.run { _ in count(true) > 0 }
            try connection.produce("t", 0, ["b"])
            try driver.run { $0.total == 2 }
            #expect(count(false) == 1)
            #expect(count(true) == 1)
            for case .brokerDown(let text) in driver.events { #expect(text.contains("127.0.0.1:\(broker.port)")) }
            #expect(driver.failures.isEmpty)
            driver.source.close()
        }
    }

    @Test func noBrokerAtAllIsSaidOnce() async throws {
        try await onOwnThread {
            let source = try KafkaConsumer(
                KafkaConnection(
                    brokers: "127.0.0.1:1",
                    options: [.init("reconnect.backoff.max.ms", "100"), .init("socket.timeout.ms", "2000")]),
                group: KafkaGroup(id: "g"),
                subscriptions: [KafkaSubscription(source: "s", topics: .topics(["t"]))], log: { _ in })
            let driver = Driver(source)
            try driver.run { !$0.events.isEmpty }
            for _ in 0..<20 { try driver.turn() }
            #expect(driver.events.count == 1)
            guard case .brokerDown(let text)? = driver.events.first else {
                Issue.record("not brokerDown: \(driver.events)")
                return
            }
            #expect(text.contains("127.0.0.1:1 cannot be reached"))
            source.close()
        }
    }

    @Test(arguments: [1, 4])
    func transientFetchErrorsLoseNothing(_ brokers: Int) async throws {
        try await onOwnThread {
            let cluster = try MockCluster(brokers: Int32(brokers))
            cluster.create("t", partitions: 4)
            // Fetch is API key 1.
            cluster.failNext(
                1,
                [
                    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR__TRANSPORT,
                    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR__TRANSPORT,
                ])
            for p in 0..<4 { try cluster.produce("t", Int32(p), (0..<50).map { "\($0)" }) }
            let driver = Driver(try consumer(cluster, options: [.init("fetch.error.backoff.ms", "50")]))
            try driver.run { $0.total >= 200 }
            for p in 0..<4 { #expect(driver.offsets[partition("t", Int32(p))] == (0..<50).map { Int64($0) }) }
            #expect(driver.failures.isEmpty)
            driver.source.close()
        }
    }
}
