import Testing

@testable import EmbeddedBroker

@Suite struct FaultTests {
    private func answersError<R: BrokerRequest>(_ type: R.Type, _ kit: TestCluster) -> Bool {
        R.api.versions.allSatisfy { version in
            kit.cluster.faults.add(.init(key: R.api.key, action: .error(.requestTimedOut), left: 1))
            return kit.send(R(), version: version).response != nil
        }
    }

    @Test func everyApiCanAnswerAnError() throws {
        let kit = try TestCluster()
        for type in ApiRegistry.all {
            let isAnswered = answersError(type, kit)
            #expect(isAnswered, "\(type.api.name)")
        }
        #expect(kit.cluster.faults.hits == ApiRegistry.all.reduce(0) { $0 + $1.api.versions.count })
    }

    @Test func errorsStrikeSoOftenAndNothingIsApplied() throws {
        let kit = try TestCluster()
        kit.create("t")
        kit.cluster.faults.add(.init(key: 0, action: .error(.notLeaderOrFollower), left: 2, skip: 1))
        #expect(kit.produce(TestBatch("a")).error == .none)
        #expect(kit.produce(TestBatch("b")).error == .notLeaderOrFollower)
        #expect(kit.produce(TestBatch("c")).error == .notLeaderOrFollower)
        #expect(kit.produce(TestBatch("d")).error == .none)
        #expect(kit.read() == ["a", "d"])
    }

    @Test func aLostResponseIsApplied() throws {
        let kit = try TestCluster()
        kit.cluster.faults.add(.init(key: 19, action: .loseResponse, left: 1))
        let request = CreateTopicsRequest(topics: [.init(name: "t", partitions: 1)])
        #expect(kit.send(request).isDisconnected)
        #expect(kit.cluster.topics["t"] != nil)
    }

    @Test func aDelayedRequestIsAppliedLater() throws {
        let kit = try TestCluster()
        kit.cluster.faults.add(.init(key: 19, action: .delay(500), left: 1))
        let pending = kit.send(CreateTopicsRequest(topics: [.init(name: "t", partitions: 1)]))
        kit.advance(ms: 499)
        #expect(!pending.isEnded && kit.cluster.topics["t"] == nil)
        kit.advance(ms: 1)
        #expect(pending.response != nil && kit.cluster.topics["t"] != nil)
    }

    @Test func aFrozenPartitionWaits() throws {
        let kit = try TestCluster()
        kit.create("t")
        kit.produce(TestBatch("a"))
        let partition = try #require(kit.cluster.partition("t", 0))
        partition.isFrozen = true
        #expect(kit.read().isEmpty)
        let bytes = TestBatch("b").bytes
        let data = ProduceRequest.PartitionData(
            records: Records(slice: FrameSlice(frame: FrameBuffer(bytes), range: 0..<bytes.count)))
        let pending = kit.send(ProduceRequest(topics: [.init(name: "t", partitions: [data])]))
        let asked = FetchRequest.PartitionRequest(fetchOffset: 0, maxBytes: 1000)
        let fetch = kit.send(
            FetchRequest(maxWaitMs: 10_000, minBytes: 1, topics: [.init(name: "t", partitions: [asked])]), version: 12)
        #expect(!pending.isEnded && !fetch.isEnded)
        kit.cluster.thaw(partition)
        #expect(pending.response != nil && fetch.response != nil)
        #expect(kit.read() == ["a", "b"])
    }

    @Test func aLongPollWaitsForBytesOrItsDeadline() throws {
        let kit = try TestCluster()
        kit.create("t")
        func fetch(minBytes: Int32) -> TestCluster.Pending<FetchRequest> {
            let asked = FetchRequest.PartitionRequest(fetchOffset: 0, maxBytes: 1000)
            return kit.send(
                FetchRequest(maxWaitMs: 1000, minBytes: minBytes, topics: [.init(name: "t", partitions: [asked])]),
                version: 12)
        }
        let patient = fetch(minBytes: 100_000)
        let eager = fetch(minBytes: 1)
        #expect(!patient.isEnded && !eager.isEnded)
        kit.produce(TestBatch("a"))
        #expect(eager.response?.topics.first?.partitions.first?.records.slice?.range.isEmpty == false)
        #expect(!patient.isEnded)
        kit.advance(ms: 1000)
        #expect(patient.response?.topics.first?.partitions.first?.highWatermark == 1)
    }

    @Test func theSeedDecides() {
        func hits(_ seed: UInt64) -> [Bool] {
            var plan = FaultPlan(seed: seed)
            plan.add(.init(key: nil, action: .drop, left: 1000, probability: 0.3))
            return (0..<200).map { _ in plan.next(for: 0) != nil }
        }
        #expect(hits(1) == hits(1) && hits(1) != hits(2))
        #expect((20...100).contains(hits(1).filter { $0 }.count))
    }

    @Test func aCrashAnswersNobody() throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t")
        kit.cluster.faults.add(.init(key: 0, action: .crash, left: 1))
        #expect(kit.produce(TestBatch("a")).error == .unknownServerError && kit.cluster.isCrashed)
        try kit.reopen()
        #expect(kit.read().isEmpty && kit.produce(TestBatch("b")).offset == 0)
    }
}
