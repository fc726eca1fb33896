/// OffsetCommit (key 8): stores a group's offsets. v1 generation and member; v6 leader epochs; v7 static members;
/// v8 flexible; v9 for the newer group protocol, the same bytes.
struct OffsetCommitRequest: BrokerRequest {
    static let api = Api(8, "OffsetCommit", 0...9, flexibleSince: 8)

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
        var commitTimestampMs: Int64 = -1
        var metadata: String?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&offset)
            try c.field(&leaderEpoch, since: 6)
            try c.field(&commitTimestampMs, since: 1, until: 1)
            try c.field(&metadata)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var topics: [TopicResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 3)
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

    var groupId = ""
    var generation: Int32 = -1
    var memberId = ""
    var instanceId: String?
    var retentionMs: Int64 = -1
    var topics: [Topic] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&groupId)
        try c.field(&generation, since: 1)
        try c.field(&memberId, since: 1)
        try c.field(&instanceId, since: 7)
        try c.field(&retentionMs, since: 2, until: 4)
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
            try cluster.groups.checkCommit(
                groupId, generation: generation, memberId: memberId, instance: instanceId, isTransactional: false)
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
        guard cluster.groups.commit(groupId, accepted) else { return reply(failed(.notCoordinator)) }
        reply(response)
    }
}

extension Cluster {
    /// Why an offset cannot be committed for its partition.
    func offsetError(_ item: OffsetItem) -> ErrorCode {
        if partition(item.partition.topic, item.partition.partition) == nil { return .unknownTopicOrPartition }
        if item.offset.metadata.utf8.count > configuration.offsetMetadataMaxBytes { return .offsetMetadataTooLarge }
        return .none
    }
}
