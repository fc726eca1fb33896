/// OffsetDelete (key 47): removes committed offsets. Kafka refuses partitions the group's members subscribe to; this
/// broker does not read subscriptions and refuses groups that have members.
struct OffsetDeleteRequest: BrokerRequest {
    static let api = Api(47, "OffsetDelete", 0...0, flexibleSince: .max)

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
        mutating func code(_ c: inout WireCodec) throws(WireError) { try c.field(&index) }
    }

    struct Response: WireStruct {
        var error = ErrorCode.none
        var throttleTimeMs: Int32 = 0
        var topics: [TopicResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&error)
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

    var groupId = ""
    var topics: [Topic] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&groupId)
        try c.field(&topics)
    }

    func failed(_ error: ErrorCode) -> Response { Response(error: error) }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        guard let group = cluster.groups.group(groupId) else { return reply(failed(.groupIdNotFound)) }
        guard group.state == .empty else { return reply(failed(.nonEmptyGroup)) }
        let partitions = topics.flatMap { topic in topic.partitions.map { TopicPartition(topic.name, $0.index) } }
        guard cluster.groups.removeOffsets(group, partitions.filter { group.offsets[$0] != nil }) else {
            return reply(failed(.notCoordinator))
        }
        reply(
            Response(
                topics: topics.map { topic in
                    TopicResponse(
                        name: topic.name,
                        partitions: topic.partitions.map {
                            let isKnown = cluster.partition(topic.name, $0.index) != nil
                            return PartitionResponse(
                                index: $0.index, error: isKnown ? .none : .unknownTopicOrPartition)
                        })
                }))
    }
}
