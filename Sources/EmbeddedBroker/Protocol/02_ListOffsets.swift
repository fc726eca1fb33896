/// ListOffsets (key 2): first, last, or by time. v2 isolation level; v4 leader epochs; v6 flexible; v7 the largest
/// timestamp; v8 and v9 tiered storage, of which there is none: its earliest local offset is the first one.
struct ListOffsetsRequest: BrokerRequest {
    static let api = Api(2, "ListOffsets", 1...10, flexibleSince: 6)

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
        var timestampMs: Int64 = -1
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&currentLeaderEpoch, since: 4)
            try c.field(&timestampMs)
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
        var index: Int32 = 0
        var error = ErrorCode.none
        var timestampMs: Int64 = -1
        var offset: Int64 = -1
        var leaderEpoch: Int32 = -1
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&error)
            try c.field(&timestampMs)
            try c.field(&offset)
            try c.field(&leaderEpoch, since: 4)
        }
    }

    var replicaId: Int32 = -1
    var isolationLevel: Int8 = 0
    var topics: [Topic] = []
    var timeoutMs: Int32 = 0

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&replicaId)
        try c.field(&isolationLevel, since: 2)
        try c.field(&topics)
        try c.field(&timeoutMs, since: 10)
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
        guard result.error == .none else { return result }
        let limit = isolationLevel == 1 ? log.lastStableOffset : log.endOffset
        switch asked.timestampMs {
        case -1: result.offset = limit
        case -2, -4: result.offset = log.startOffset
        case -3:
            if let found = log.latestTimestamp() { (result.offset, result.timestampMs) = found }
        case 0...:
            if let found = log.find(atOrAfter: asked.timestampMs, below: limit) {
                (result.offset, result.timestampMs) = found
            }
        default: break
        }
        if result.offset >= 0 { result.leaderEpoch = Cluster.leaderEpoch }
        return result
    }
}

extension Cluster {
    /// What a client that believes in this leader epoch is told; -1: it does not care.
    func leaderEpochError(_ believed: Int32) -> ErrorCode {
        if believed < 0 || believed == Self.leaderEpoch { return .none }
        return believed < Self.leaderEpoch ? .fencedLeaderEpoch : .unknownLeaderEpoch
    }
}
