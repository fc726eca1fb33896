/// OffsetFetch (key 9): a group's offsets. v2 all of them (null topics); v5 leader epochs; v6 flexible; v7 whether
/// offsets held by an undecided transaction may be passed over; v8 several groups; v9 the newer group protocol's member.
struct OffsetFetchRequest: BrokerRequest {
    static let api = Api(9, "OffsetFetch", 0...9, flexibleSince: 6)

    struct Topic: WireStruct {
        var name = ""
        var partitions: [Int32] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&partitions)
        }
    }

    struct GroupRequest: WireStruct {
        var groupId = ""
        var memberId: String?
        var memberEpoch: Int32 = -1
        var topics: [Topic]?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&groupId)
            try c.field(&memberId, since: 9)
            try c.field(&memberEpoch, since: 9)
            try c.field(&topics)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var topics: [TopicResponse] = []
        var error = ErrorCode.none
        var groups: [GroupResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 3)
            try c.field(&topics, until: 7)
            try c.field(&error, since: 2, until: 7)
            try c.field(&groups, since: 8)
        }
    }

    struct GroupResponse: WireStruct {
        var groupId = ""
        var topics: [TopicResponse] = []
        var error = ErrorCode.none
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&groupId)
            try c.field(&topics)
            try c.field(&error)
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
        var offset: Int64 = -1
        var leaderEpoch: Int32 = -1
        var metadata: String? = ""
        var error = ErrorCode.none
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&offset)
            try c.field(&leaderEpoch, since: 5)
            try c.field(&metadata)
            try c.field(&error)
        }
    }

    /// The one group of versions up to 7.
    var single = GroupRequest()
    var groups: [GroupRequest] = []
    var requiresStable = false

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&single.groupId, until: 7)
        try c.field(&single.topics, until: 7)
        try c.field(&groups, since: 8)
        try c.field(&requiresStable, since: 7)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(
            topics: (single.topics ?? []).map { topic in
                TopicResponse(
                    name: topic.name, partitions: topic.partitions.map { PartitionResponse(index: $0, error: error) })
            }, error: error, groups: groups.map { GroupResponse(groupId: $0.groupId, error: error) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        if reply.version >= 8 {
            reply(Response(groups: groups.map { fetch($0, cluster) }))
        } else {
            let answered = fetch(single, cluster)
            reply(Response(topics: answered.topics, error: answered.error))
        }
    }

    private func fetch(_ asked: GroupRequest, _ cluster: Cluster) -> GroupResponse {
        var response = GroupResponse(groupId: asked.groupId)
        let group = cluster.groups.group(asked.groupId)
        func item(_ partition: TopicPartition) -> PartitionResponse {
            var result = PartitionResponse(index: partition.partition)
            if requiresStable, let group, group.pendingOffsets.values.contains(where: { $0[partition] != nil }) {
                result.error = .unstableOffsetCommit
            } else if let known = group?.offsets[partition] {
                result.offset = known.offset
                result.leaderEpoch = known.leaderEpoch
                result.metadata = known.metadata
            }
            return result
        }
        if let topics = asked.topics {
            response.topics = topics.map { topic in
                TopicResponse(
                    name: topic.name, partitions: topic.partitions.map { item(TopicPartition(topic.name, $0)) })
            }
        } else if let group {
            var known = Set(group.offsets.keys)
            if requiresStable { for pending in group.pendingOffsets.values { known.formUnion(pending.keys) } }
            let byTopic = Dictionary(grouping: known, by: \.topic).sorted { $0.key < $1.key }
            response.topics = byTopic.map { topic, partitions in
                TopicResponse(
                    name: topic, partitions: partitions.sorted { $0.partition < $1.partition }.map(item))
            }
        }
        return response
    }
}
