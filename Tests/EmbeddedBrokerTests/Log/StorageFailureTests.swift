import Glibc
import Testing

@testable import EmbeddedBroker

/// A disk that is full or broken: what is asked is refused in Kafka's words, nothing is acknowledged and lost, and the
/// broker goes on when there is room again.
@Suite struct StorageFailureTests {
    private func message(_ kit: TestCluster, _ batch: TestBatch) -> (error: ErrorCode, text: String?) {
        let bytes = batch.bytes
        let data = ProduceRequest.PartitionData(
            records: Records(slice: FrameSlice(frame: FrameBuffer(bytes), range: 0..<bytes.count)))
        let found = kit.ask(ProduceRequest(topics: [.init(name: "t", partitions: [data])]))?.topics.first?.partitions
            .first
        return (found?.error ?? .unknownServerError, found?.errorMessage)
    }

    /// However much of a refused batch has reached the file, it is not there, and the next one takes its place.
    @Test(arguments: [0, 300, 999, 1000], [true, false])
    func aRefusedRecordIsNotThere(_ tornPermille: Int, _ isOnDisk: Bool) throws {
        let folder = isOnDisk ? TemporaryFolder() : nil
        let kit = try TestCluster(folder)
        kit.create("t")
        #expect(kit.produce(.of(["a"], producer: (5, 0), sequence: 0)).offset == 0)
        kit.cluster.gate.refuse(tornPermille: tornPermille)
        for _ in 0..<3 {
            let refused = message(kit, .of(["b"], producer: (5, 0), sequence: 1))
            #expect(refused.error == .kafkaStorageError)
            #expect(refused.text?.contains("No space left on device; the disk is full") ?? false, "\(refused)")
        }
        #expect(kit.read() == ["a"])
        #expect(kit.complaints.count == 1 && kit.complaints[0].contains(".log: No space left on device"))
        kit.cluster.gate.admit()
        kit.advance(ms: 2000)
        // The producer's sequence has not moved either: what it repeats is taken.
        #expect(kit.produce(.of(["b"], producer: (5, 0), sequence: 1)).offset == 1)
        #expect(kit.complaints.last == "the disk takes writes again")
        if isOnDisk { try kit.reopen() }
        if isOnDisk { #expect(kit.read() == ["a", "b"]) }
    }

    /// Whatever cannot be made durable has not happened, is answered so that clients try again, and can be done later.
    @Test func everythingDurableIsRefusedAndRepeatable() throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t")
        let producer = TestProducer(kit)
        #expect(producer.initialize() == .none && producer.send("a") == .none && producer.addOffsets() == .none)
        let member = try #require(kit.join())

        func config() -> String? {
            kit.cluster.topics["t"]?.config.overrides["retention.ms"]
        }
        let steps: [(name: String, refused: ErrorCode, step: () -> ErrorCode)] = [
            ("CreateTopics", .kafkaStorageError, { kit.create("u", partitions: 2) }),
            (
                "CreatePartitions", .kafkaStorageError,
                {
                    kit.ask(CreatePartitionsRequest(topics: [.init(name: "t", count: 3)]))?.results.first?.error
                        ?? .networkException
                }
            ),
            (
                "AlterConfigs", .kafkaStorageError,
                {
                    let value = ConfigValue(name: "retention.ms", value: "5000")
                    let request = AlterConfigsRequest(resources: [.init(type: 2, name: "t", configs: [value])])
                    return kit.ask(request)?.results.first?.error ?? .networkException
                }
            ),
            (
                "OffsetCommit", .notCoordinator,
                {
                    let request = OffsetCommitRequest(
                        groupId: "g", generation: member.generation, memberId: member.member,
                        topics: [.init(name: "t", partitions: [.init(index: 0, offset: 7)])])
                    return kit.ask(request)?.topics.first?.partitions.first?.error ?? .networkException
                }
            ),
            ("TxnOffsetCommit", .notCoordinator, { producer.commitOffset(9) }),
            ("AddPartitionsToTxn", .notCoordinator, { producer.add("t", 1) }),
            ("EndTxn", .notCoordinator, { producer.end(commit: true) }),
            (
                "InitProducerId", .coordinatorLoadInProgress,
                { kit.ask(InitProducerIdRequest())?.error ?? .networkException }
            ),
            ("InitProducerId of a transactional id", .notCoordinator, { TestProducer(kit, "new").initialize() }),
            (
                "DeleteRecords", .kafkaStorageError,
                {
                    let request = DeleteRecordsRequest(
                        topics: [.init(name: "t", partitions: [.init(index: 0, offset: 1)])])
                    return kit.ask(request)?.topics.first?.partitions.first?.error ?? .networkException
                }
            ),
            (
                "DeleteTopics", .kafkaStorageError,
                {
                    kit.ask(DeleteTopicsRequest(topics: [.init(name: "u")]))?.results.first?.error
                        ?? .networkException
                }
            ),
        ]
        for (name, refused, step) in steps {
            kit.cluster.gate.refuse()
            let answer = step()
            #expect(answer == refused, "\(name)")
            // What the client is told has not happened is not in force before it is told that it has.
            switch name {
            case "CreateTopics": #expect(kit.cluster.topics["u"] == nil)
            case "CreatePartitions": #expect(kit.cluster.topics["t"]?.partitions.count == 1)
            case "AlterConfigs": #expect(config() == nil)
            case "OffsetCommit": #expect(kit.committed().offset == -1)
            case "DeleteRecords": #expect(kit.cluster.partition("t", 0)?.log.startOffset == 0)
            case "DeleteTopics": #expect(kit.cluster.topics["u"] != nil)
            default: break
            }
            kit.cluster.gate.admit()
            let again = step()
            #expect(again == .none, "\(name) again")
        }
        try kit.reopen()
        kit.advance(ms: 10)
        #expect(kit.cluster.topics["u"] == nil && kit.cluster.topics["t"]?.partitions.count == 3)
        #expect(config() == "5000")
        #expect(kit.committed().offset == 9)
        #expect(kit.cluster.partition("t", 0)?.log.startOffset == 1)
    }

    /// The decision stands; its markers wait for room, and the broker does not spin meanwhile.
    @Test func markersWaitForRoom() throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder) { $0.transactionMarkerDelayMs = 0 }
        kit.create("t")
        let producer = TestProducer(kit)
        producer.initialize()
        producer.send("a")
        #expect(producer.end(commit: true, settle: false) == .none)
        kit.cluster.gate.refuse()
        let before = kit.cluster.gate.writes
        for _ in 0..<200 { kit.advance(ms: 5) }
        #expect((1...12).contains(kit.cluster.gate.writes - before))
        #expect(kit.complaints.count == 1)
        #expect(kit.read(committed: true).isEmpty && producer.add() == .concurrentTransactions)
        kit.cluster.gate.admit()
        kit.advance(ms: 100)
        #expect(kit.read(committed: true) == ["a"])
        #expect(producer.send("b") == .none)
    }

    @Test func aTimeoutWaitsForRoomToo() throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t")
        let producer = TestProducer(kit)
        producer.initialize(timeoutMs: 1000)
        producer.send("a")
        kit.produce(TestBatch("b"))
        kit.cluster.gate.refuse()
        for _ in 0..<40 { kit.advance(ms: 50) }
        #expect(kit.read(committed: true).isEmpty)
        kit.cluster.gate.admit()
        for _ in 0..<10 { kit.advance(ms: 50) }
        #expect(kit.read(committed: true) == ["b"])
    }

    /// A history whose every durable write is refused once, clients that try again, and a restart at the end: it is as if
    /// the disk had never been full.
    @Test(arguments: [0, 500, 1000])
    func refusedAtEveryWrite(_ tornPermille: Int) throws {
        var refused = 0
        while try history(refusing: refused, tornPermille) { refused += 1 }
        #expect(refused > 40, "the history has more durable steps than that")
    }

    /// Whether the write to be refused was met.
    private func history(refusing index: Int, _ tornPermille: Int) throws -> Bool {
        let place = "write \(index) refused after \(tornPermille)/1000"
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        func insist(_ step: () -> ErrorCode) {
            var last = ErrorCode.none
            for _ in 0..<5 {
                last = step()
                if last == .none { return }
                let isTold = [.kafkaStorageError, .notCoordinator, .concurrentTransactions].contains(last)
                #expect(isTold, "\(place): \(last)")
                kit.advance(ms: 200)
            }
            Issue.record("\(place): still \(last)")
        }
        kit.cluster.gate.refuse(after: index, count: 1, tornPermille: tornPermille)
        insist { kit.create("t", partitions: 2, config: ["segment.bytes": "300"]) }
        let producer = TestProducer(kit)
        insist { producer.initialize() }
        var expected: [String] = []
        for round in 0..<5 {
            insist { producer.add() }
            insist { producer.write("\(round)a") }
            insist { producer.add("t", 1) }
            insist { producer.write("\(round)b", partition: 1) }
            insist { producer.addOffsets() }
            insist { producer.commitOffset(Int64(round)) }
            let commits = round != 2
            insist { producer.end(commit: commits) }
            kit.advance(ms: 200)
            insist { kit.produce(TestBatch("plain\(round)")).error }
            expected += commits ? ["\(round)a", "plain\(round)"] : ["plain\(round)"]
        }
        let wasMet = !kit.complaints.isEmpty
        kit.cluster.gate.admit()
        #expect(kit.read(committed: true) == expected, "\(place)")
        try kit.reopen()
        kit.advance(ms: 10)
        #expect(kit.read(committed: true) == expected, "\(place), after a restart")
        #expect(kit.read(partition: 1, committed: true) == ["0b", "1b", "3b", "4b"], "\(place), after a restart")
        #expect(kit.committed(stable: true).offset == 4, "\(place)")
        return wasMet
    }

    /// A folder that cannot be listed is not an empty log: the broker does not start, and says why.
    @Test func whatCannotBeReadIsNotTakenForEmpty() throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t")
        kit.produce(TestBatch("a"))
        let path = folder.path + "/topics/t-0"
        #expect(rename(path, folder.path + "/away") == 0)
        close(open(path, O_CREAT | O_WRONLY, 0o644))
        #expect {
            try kit.reopen()
        } throws: {
            "\($0)".hasPrefix("cannot list \(path): Not a directory")
        }
        #expect(unlink(path) == 0 && rename(folder.path + "/away", path) == 0)
        try kit.reopen()
        #expect(kit.read() == ["a"])
    }

    /// What is left of a topic whose folder could not be removed is not the next topic's of its name.
    @Test func leftoversAreNoRecords() throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("old")
        kit.produce(TestBatch("a"), to: "old")
        #expect(rename(folder.path + "/topics/old-0", folder.path + "/topics/t-0") == 0)
        kit.create("t")
        #expect(kit.read().isEmpty && kit.produce(TestBatch("b")).offset == 0)
    }
}
