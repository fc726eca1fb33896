/// OffsetForLeaderEpoch (key 23): where a leader epoch ended. There is one epoch, so it is the log's end. v4 flexible.
struct OffsetForLeaderEpochRequest: BrokerRequest {
    static let api = Api(23, "OffsetForLeaderEpoch", 0...4, flexibleSince: 4)

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
        var currentLeaderEpoch: Int32 = -1
        var leaderEpoch: Int32 = 0
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&currentLeaderEpoch, since: 2)
            try c.field(&leaderEpoch)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var topics: [TopicResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 2)
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
        var error = ErrorCode.none
        var index: Int32 = 0
        var leaderEpoch: Int32 = -1
        var endOffset: Int64 = -1
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&error)
            try c.field(&index)
            try c.field(&leaderEpoch, since: 1)
            try c.field(&endOffset)
        }
    }

    var replicaId: Int32 = -2
    var topics: [Topic] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&replicaId, since: 3)
        try c.field(&topics)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(
            topics: topics.map { topic in
                TopicResponse(
                    name: topic.name,
                    partitions: topic.partitions.map { PartitionResponse(error: error, index: $0.index) })
            })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        reply(
            Response(
                topics: topics.map { topic in
                    TopicResponse(
                        name: topic.name, partitions: topic.partitions.map { find($0, of: topic.name, cluster) })
                }))
    }

    private func find(_ asked: PartitionRequest, of topic: String, _ cluster: Cluster) -> PartitionResponse {
        var result = PartitionResponse(index: asked.index)
        guard let log = cluster.partition(topic, asked.index)?.log else {
            result.error = .unknownTopicOrPartition
            return result
        }
        result.error = cluster.leaderEpochError(asked.currentLeaderEpoch)
        if result.error == .none, asked.leaderEpoch == Cluster.leaderEpoch {
            result.leaderEpoch = Cluster.leaderEpoch
            result.endOffset = log.endOffset
        }
        return result
    }
}
