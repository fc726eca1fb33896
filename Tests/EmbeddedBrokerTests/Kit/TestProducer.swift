@testable import EmbeddedBroker

/// A transactional producer as clients are, its requests one by one.
final class TestProducer {
    let kit: TestCluster
    let id: String
    private(set) var producerId: Int64 = -1
    private(set) var epoch: Int16 = -1
    private var sequences: [TopicPartition: Int32] = [:]

    init(_ kit: TestCluster, _ id: String = "tx") {
        self.kit = kit
        self.id = id
    }

    /// InitProducerId, repeated while the last transaction is being ended.
    @discardableResult
    func initialize(naming: Bool = false, timeoutMs: Int32 = 60_000) -> ErrorCode {
        for _ in 0..<10 {
            let request = InitProducerIdRequest(
                transactionalId: id, timeoutMs: timeoutMs, producerId: naming ? producerId : -1,
                epoch: naming ? epoch : -1)
            guard let answer = kit.ask(request) else { return .networkException }
            if answer.error == .concurrentTransactions {
                kit.advance(ms: 10)
                continue
            }
            if answer.error == .none {
                (producerId, epoch) = (answer.producerId, answer.epoch)
                sequences = [:]
            }
            return answer.error
        }
        return .concurrentTransactions
    }

    /// AddPartitionsToTxn.
    @discardableResult
    func add(_ topic: String = "t", _ partition: Int32 = 0) -> ErrorCode {
        let request = AddPartitionsToTxnRequest(
            transactionalId: id, producerId: producerId, epoch: epoch,
            topics: [.init(name: topic, partitions: [partition])])
        return kit.ask(request)?.topics.first?.partitions.first?.error ?? .networkException
    }

    /// Produce; the next sequence is used when it was stored.
    @discardableResult
    func write(_ values: String..., topic: String = "t", partition: Int32 = 0) -> ErrorCode {
        let place = TopicPartition(topic, partition)
        let sequence = sequences[place] ?? 0
        let batch = TestBatch.of(values, producer: (producerId, epoch), sequence: sequence, transactional: true)
        let error = kit.produce(batch, to: topic, partition: partition, transactionalId: id).error
        if error == .none { sequences[place] = sequence + Int32(values.count) }
        return error
    }

    /// AddPartitionsToTxn and Produce.
    @discardableResult
    func send(_ values: String..., partition: Int32 = 0) -> ErrorCode {
        let error = add("t", partition)
        guard error == .none else { return error }
        for value in values {
            let error = write(value, partition: partition)
            guard error == .none else { return error }
        }
        return .none
    }

    /// EndTxn; `settle` lets the markers be written.
    @discardableResult
    func end(commit: Bool, settle: Bool = true) -> ErrorCode {
        let request = EndTxnRequest(transactionalId: id, producerId: producerId, epoch: epoch, commits: commit)
        let error = kit.ask(request)?.error ?? .networkException
        if settle { kit.advance(ms: 10) }
        return error
    }

    /// AddOffsetsToTxn.
    @discardableResult
    func addOffsets(_ group: String = "g") -> ErrorCode {
        kit.ask(AddOffsetsToTxnRequest(transactionalId: id, producerId: producerId, epoch: epoch, groupId: group))?
            .error ?? .networkException
    }

    /// TxnOffsetCommit.
    @discardableResult
    func commitOffset(
        _ offset: Int64, group: String = "g", generation: Int32 = -1, member: String = "", metadata: String? = nil
    ) -> ErrorCode {
        let partition = TxnOffsetCommitRequest.PartitionRequest(index: 0, offset: offset, metadata: metadata)
        let request = TxnOffsetCommitRequest(
            transactionalId: id, groupId: group, producerId: producerId, epoch: epoch, generation: generation,
            memberId: member, topics: [.init(name: "t", partitions: [partition])])
        return kit.ask(request)?.topics.first?.partitions.first?.error ?? .networkException
    }
}

extension TestCluster {
    /// A group's committed offset for partition 0 of `t`, with what OffsetFetch says of it.
    func committed(_ group: String = "g", stable: Bool = false) -> (offset: Int64, error: ErrorCode, metadata: String?)
    {
        let request = OffsetFetchRequest(
            groups: [.init(groupId: group, topics: [.init(name: "t", partitions: [0])])], requiresStable: stable)
        let found = ask(request)?.groups.first?.topics.first?.partitions.first
        return (found?.offset ?? -2, found?.error ?? .networkException, found?.metadata)
    }

    /// Ends an exchange of a new group member: joins, syncs, and returns its id and generation.
    func join(_ group: String = "g", instance: String? = nil) -> (member: String, generation: Int32)? {
        var request = JoinGroupRequest(
            groupId: group, sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 20_000, instanceId: instance,
            protocolType: "consumer", protocols: [GroupProtocol(name: "range", metadata: [1])])
        if instance == nil {
            guard let first = ask(request), first.error == .memberIdRequired else { return nil }
            request.memberId = first.memberId
        }
        guard let joined = ask(request), joined.error == .none else { return nil }
        let sync = SyncGroupRequest(
            groupId: group, generation: joined.generation, memberId: joined.memberId, instanceId: instance,
            assignments: [.init(memberId: joined.memberId, assignment: [7])])
        guard ask(sync)?.error == ErrorCode.none else { return nil }
        return (joined.memberId, joined.generation)
    }
}
