import Testing

@testable import EmbeddedBroker

/// A transaction's story, and what the two kinds of readers see of partition 0 at its end.
struct TransactionCase: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let committed: [String]
    let uncommitted: [String]
    let story: @Sendable (TestCluster, TestProducer) throws -> Void

    init(
        _ name: String, committed: [String], uncommitted: [String],
        _ story: @escaping @Sendable (TestCluster, TestProducer) throws -> Void
    ) {
        testDescription = name
        self.committed = committed
        self.uncommitted = uncommitted
        self.story = story
    }

    static let all: [TransactionCase] = [
        TransactionCase("commit", committed: ["a", "b"], uncommitted: ["a", "b"]) { _, p in
            #expect(p.send("a", "b") == .none && p.end(commit: true) == .none)
        },
        TransactionCase("abort", committed: [], uncommitted: ["a"]) { _, p in
            #expect(p.send("a") == .none && p.end(commit: false) == .none)
        },
        TransactionCase("open", committed: [], uncommitted: ["a"]) { _, p in p.send("a") },
        TransactionCase("decided, markers not written yet", committed: [], uncommitted: ["a"]) { kit, p in
            p.send("a")
            #expect(p.end(commit: true, settle: false) == .none)
            // As unkind as Kafka: the next transaction must wait for the markers.
            #expect(p.add() == .concurrentTransactions)
            #expect(p.end(commit: true, settle: false) == .concurrentTransactions)
            #expect(p.end(commit: false, settle: false) == .invalidTxnState)
        },
        TransactionCase("commit, then abort", committed: ["a"], uncommitted: ["a", "b"]) { _, p in
            p.send("a")
            p.end(commit: true)
            p.send("b")
            p.end(commit: false)
        },
        TransactionCase("abort, then commit", committed: ["b"], uncommitted: ["a", "b"]) { _, p in
            p.send("a")
            p.end(commit: false)
            p.send("b")
            p.end(commit: true)
        },
        TransactionCase("commit told twice", committed: ["a"], uncommitted: ["a"]) { _, p in
            p.send("a")
            p.end(commit: true)
            #expect(p.end(commit: true) == .none && p.end(commit: false) == .invalidTxnState)
        },
        TransactionCase("abort told twice", committed: [], uncommitted: ["a"]) { _, p in
            p.send("a")
            p.end(commit: false)
            #expect(p.end(commit: false) == .none && p.end(commit: true) == .invalidTxnState)
        },
        TransactionCase("end without a begin", committed: [], uncommitted: []) { _, p in
            #expect(p.end(commit: true) == .invalidTxnState && p.end(commit: false) == .invalidTxnState)
        },
        TransactionCase("partition not added", committed: [], uncommitted: []) { _, p in
            #expect(p.write("a") == .invalidTxnState)
            #expect(p.add("t", 1) == .none && p.write("a") == .invalidTxnState)
        },
        TransactionCase("unknown partition added", committed: [], uncommitted: []) { _, p in
            #expect(p.add("t", 9) == .unknownTopicOrPartition && p.add("no", 0) == .unknownTopicOrPartition)
        },
        TransactionCase("partition added, nothing written", committed: ["b"], uncommitted: ["b"]) { kit, p in
            p.add()
            p.end(commit: true)
            kit.produce(TestBatch("b"))
        },
        TransactionCase("plain records between", committed: ["x", "a", "y"], uncommitted: ["x", "a", "y"]) { kit, p in
            kit.produce(TestBatch("x"))
            p.send("a")
            kit.produce(TestBatch("y"))
            p.end(commit: true)
        },
        TransactionCase("plain records wait behind an open one", committed: ["x"], uncommitted: ["x", "a", "y"]) {
            kit, p in
            kit.produce(TestBatch("x"))
            p.send("a")
            kit.produce(TestBatch("y"))
        },
        TransactionCase("plain records around an aborted one", committed: ["x", "y"], uncommitted: ["x", "a", "y"]) {
            kit, p in
            kit.produce(TestBatch("x"))
            p.send("a")
            kit.produce(TestBatch("y"))
            p.end(commit: false)
        },
        TransactionCase("two producers, both commit", committed: ["a", "b", "c"], uncommitted: ["a", "b", "c"]) {
            kit, p in
            let q = TestProducer(kit, "other")
            q.initialize()
            p.send("a")
            q.send("b")
            p.send("c")
            q.end(commit: true)
            p.end(commit: true)
        },
        TransactionCase("two producers, one aborts", committed: ["a", "c"], uncommitted: ["a", "b", "c"]) { kit, p in
            let q = TestProducer(kit, "other")
            q.initialize()
            p.send("a")
            q.send("b")
            q.end(commit: false)
            p.send("c")
            p.end(commit: true)
        },
        TransactionCase("two producers, the first stays open", committed: [], uncommitted: ["a", "b"]) { kit, p in
            let q = TestProducer(kit, "other")
            q.initialize()
            p.send("a")
            q.send("b")
            q.end(commit: true)
        },
        TransactionCase("zombie is fenced, its records aborted", committed: ["b"], uncommitted: ["a", "b"]) { kit, p in
            p.send("a")
            let q = TestProducer(kit)
            #expect(q.initialize() == .none && q.epoch > p.epoch)
            #expect(p.write("late") == .invalidProducerEpoch)
            #expect(p.add() == .producerFenced && p.end(commit: true) == .producerFenced)
            #expect(p.addOffsets() == .producerFenced)
            q.send("b")
            q.end(commit: true)
        },
        TransactionCase("zombie between transactions", committed: ["a"], uncommitted: ["a"]) { kit, p in
            p.send("a")
            p.end(commit: true)
            TestProducer(kit).initialize()
            #expect(p.add() == .producerFenced)
        },
        TransactionCase("fenced codes of old versions", committed: [], uncommitted: []) { kit, p in
            TestProducer(kit).initialize()
            let end = EndTxnRequest(transactionalId: "tx", producerId: p.producerId, epoch: p.epoch, commits: true)
            #expect(kit.ask(end, version: 1)?.error == .invalidProducerEpoch)
            #expect(kit.ask(end, version: 2)?.error == .producerFenced)
        },
        TransactionCase("wrong producer id", committed: [], uncommitted: []) { kit, p in
            let end = EndTxnRequest(transactionalId: "tx", producerId: 999, epoch: 0, commits: true)
            #expect(kit.ask(end)?.error == .invalidProducerIdMapping)
            let other = EndTxnRequest(transactionalId: "nobody", producerId: p.producerId, epoch: 0, commits: true)
            #expect(kit.ask(other)?.error == .invalidProducerIdMapping)
        },
        TransactionCase("a producer names itself and goes on", committed: ["b"], uncommitted: ["a", "b"]) { _, p in
            p.send("a")
            p.end(commit: false)
            let before = p.epoch
            #expect(p.initialize(naming: true) == .none && p.epoch == before + 1)
            p.send("b")
            p.end(commit: true)
        },
        TransactionCase("a lost InitProducerId is repeated", committed: [], uncommitted: []) { kit, p in
            func ask(_ epoch: Int16) -> InitProducerIdRequest.Response? {
                kit.ask(
                    InitProducerIdRequest(
                        transactionalId: "tx", timeoutMs: 1000, producerId: p.producerId, epoch: epoch))
            }
            let first = try #require(ask(p.epoch))
            let again = try #require(ask(p.epoch))
            #expect(first.epoch == again.epoch && again.error == .none)
            #expect(ask(p.epoch + 9)?.error == .producerFenced)
        },
        TransactionCase("timeout aborts and fences", committed: ["y"], uncommitted: ["a", "y"]) { kit, p in
            p.send("a")
            kit.produce(TestBatch("y"))
            kit.advance(ms: 59_000)
            #expect(kit.read(committed: true).isEmpty)
            kit.advance(ms: 1_001)
            kit.advance(ms: 10)
            #expect(p.end(commit: true) == .producerFenced)
        },
        TransactionCase("a decided transaction has no timeout", committed: ["a"], uncommitted: ["a"]) { kit, p in
            p.send("a")
            p.end(commit: true)
            kit.advance(ms: 100_000)
        },
        TransactionCase("repeated batch in a transaction", committed: ["a"], uncommitted: ["a"]) { kit, p in
            p.send("a")
            let batch = TestBatch.of(
                ["a"], producer: (p.producerId, p.epoch), sequence: 0, transactional: true)
            #expect(kit.produce(batch, transactionalId: "tx").offset == 0)
            p.end(commit: true)
        },
        TransactionCase("gap in a transaction", committed: ["a"], uncommitted: ["a"]) { kit, p in
            p.send("a")
            let batch = TestBatch.of(
                ["c"], producer: (p.producerId, p.epoch), sequence: 2, transactional: true)
            #expect(kit.produce(batch, transactionalId: "tx").error == .outOfOrderSequenceNumber)
            p.end(commit: true)
        },
        TransactionCase("offsets come into force with the commit", committed: [], uncommitted: []) { kit, p in
            #expect(p.commitOffset(5) == .invalidTxnState, "AddOffsetsToTxn must come first")
            #expect(p.addOffsets() == .none && p.commitOffset(5, metadata: "note") == .none)
            #expect(kit.committed().offset == -1)
            #expect(kit.committed(stable: true).error == .unstableOffsetCommit)
            p.end(commit: true)
            #expect(kit.committed(stable: true).offset == 5 && kit.committed().metadata == "note")
        },
        TransactionCase("offsets vanish with the abort", committed: [], uncommitted: []) { kit, p in
            p.addOffsets()
            p.commitOffset(5)
            p.end(commit: false)
            #expect(kit.committed(stable: true) == (-1, .none, ""))
        },
        TransactionCase("offsets unstable until the markers", committed: [], uncommitted: []) { kit, p in
            p.addOffsets()
            p.commitOffset(5)
            p.end(commit: true, settle: false)
            #expect(kit.committed(stable: true).error == .unstableOffsetCommit)
            kit.advance(ms: 10)
            #expect(kit.committed(stable: true).offset == 5)
        },
        TransactionCase("offsets of a stale generation", committed: [], uncommitted: []) { kit, p in
            let member = try #require(kit.join())
            p.addOffsets()
            let (id, generation) = member
            #expect(p.commitOffset(1, generation: generation - 1, member: id) == .illegalGeneration)
            #expect(p.commitOffset(1, generation: generation, member: "other") == .unknownMemberId)
            #expect(p.commitOffset(1, group: "none", generation: 3, member: "m") == .invalidTxnState)
            #expect(p.commitOffset(1, generation: generation, member: id) == .none)
            // Generation -1 without a member is not fenced.
            #expect(p.commitOffset(2) == .none)
            p.end(commit: true)
            #expect(kit.committed().offset == 2)
        },
        TransactionCase("offset metadata too large", committed: [], uncommitted: []) { kit, p in
            p.addOffsets()
            #expect(p.commitOffset(1, metadata: String(repeating: "x", count: 5000)) == .offsetMetadataTooLarge)
        },
        TransactionCase("bad timeouts and ids", committed: [], uncommitted: []) { kit, p in
            for (id, timeoutMs, error) in [
                ("x", 0, .invalidTransactionTimeout), ("x", 900_001, .invalidTransactionTimeout),
                ("", 1000, .invalidRequest),
            ] as [(String, Int32, ErrorCode)] {
                let request = InitProducerIdRequest(transactionalId: id, timeoutMs: timeoutMs)
                #expect(kit.ask(request)?.error == error)
            }
        },
        TransactionCase("the topic is deleted meanwhile", committed: ["new"], uncommitted: ["new"]) { kit, p in
            p.send("a")
            _ = kit.ask(DeleteTopicsRequest(topics: [.init(name: "t")]))
            kit.create("t", partitions: 2)
            #expect(p.end(commit: true) == .none)
            kit.produce(TestBatch("new"))
        },
    ]
}

@Suite struct TransactionTableTests {
    @Test(arguments: TransactionCase.all)
    func readersSee(_ item: TransactionCase) throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t", partitions: 2)
        let producer = TestProducer(kit)
        #expect(producer.initialize() == .none)
        try item.story(kit, producer)
        #expect(kit.read(committed: true) == item.committed)
        #expect(kit.read() == item.uncommitted)
        // The same after a restart: a stop in the middle changes nothing for readers.
        try kit.reopen()
        #expect(kit.read(committed: true) == item.committed)
        #expect(kit.read() == item.uncommitted)
    }

    @Test func theTableIsLongEnough() { #expect(TransactionCase.all.count >= 30) }

    @Test func epochsOfAProducerIdRunOut() throws {
        let kit = try TestCluster()
        let producer = TestProducer(kit)
        producer.initialize()
        let first = producer.producerId
        for _ in 0..<Int(Int16.max) { producer.initialize() }
        #expect(producer.producerId != first && producer.epoch >= 0)
    }
}
