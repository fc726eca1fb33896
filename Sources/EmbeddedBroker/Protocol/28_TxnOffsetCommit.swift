/// TxnOffsetCommit (key 28): offsets that come into force with the transaction. v2 leader epochs; v3 flexible, with the
/// group's generation and member (KIP-447). Generation -1 without a member is not fenced, as in Kafka.
struct TxnOffsetCommitRequest: BrokerRequest {
    static let api = Api(28, "TxnOffsetCommit", 0...4, flexibleSince: 3)

    struct Topic: WireStruct {
        var name = ""
        var partitions: [PartitionRequest] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&partitions)
        }
    }

    struct PartitionRequest: WireStruct {
        var index: Int32 = 0
        var offset: Int64 = 0
        var leaderEpoch: Int32 = -1
        var metadata: String?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&offset)
            try c.field(&leaderEpoch, since: 2)
            try c.field(&metadata)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var topics: [TopicResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs)
            try c.field(&topics)
        }
    }

    struct TopicResponse: WireStruct {
        var name = ""
        var partitions: [PartitionResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&partitions)
        }
    }

    struct PartitionResponse: WireStruct {
        var index: Int32 = 0
        var error = ErrorCode.none
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&error)
        }
    }

    var transactionalId = ""
    var groupId = ""
    var producerId: Int64 = 0
    var epoch: Int16 = 0
    var generation: Int32 = -1
    var memberId = ""
    var instanceId: String?
    var topics: [Topic] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&transactionalId)
        try c.field(&groupId)
        try c.field(&producerId)
        try c.field(&epoch)
        try c.field(&generation, since: 3)
        try c.field(&memberId, since: 3)
        try c.field(&instanceId, since: 3)
        try c.field(&topics)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(
            topics: topics.map { topic in
                TopicResponse(
                    name: topic.name,
                    partitions: topic.partitions.map { PartitionResponse(index: $0.index, error: error) })
            })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        guard !groupId.isEmpty else { return reply(failed(.invalidGroupId)) }
        do {
            try cluster.transactions.checkOffsets(
                transactionalId, producerId: producerId, epoch: epoch, group: groupId)
            try cluster.groups.checkCommit(
                groupId, generation: generation, memberId: memberId, instance: instanceId, isTransactional: true)
        } catch {
            return reply(failed(error.code))
        }
        var accepted: [OffsetItem] = []
        var response = Response()
        for topic in topics {
            var answered = TopicResponse(name: topic.name)
            for partition in topic.partitions {
                let item = OffsetItem(
                    partition: TopicPartition(topic.name, partition.index),
                    offset: CommittedOffset(
                        offset: partition.offset, leaderEpoch: partition.leaderEpoch,
                        metadata: partition.metadata ?? "", commitMs: cluster.wallMs))
                let error = cluster.offsetError(item)
                if error == .none { accepted.append(item) }
                answered.partitions.append(PartitionResponse(index: partition.index, error: error))
            }
            response.topics.append(answered)
        }
        guard cluster.groups.commitPending(groupId, producerId: producerId, accepted) else {
            return reply(failed(.notCoordinator))
        }
        reply(response)
    }
}
