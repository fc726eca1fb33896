/// Metadata (key 3): brokers, topics, partitions; makes topics on the way if allowed. v4 auto-creation flag; v7 leader
/// epochs; v8 authorised operations (never known here); v9 flexible; v10 topic ids; v12 look-up by id.
struct MetadataRequest: BrokerRequest {
    static let api = Api(3, "Metadata", 0...12, flexibleSince: 9)

    struct Topic: WireStruct {
        var id = Uuid.zero
        var name: String? = ""
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&id, since: 10)
            try c.field(&name, nullable: 10)
        }
    }

    struct Broker: WireStruct {
        var nodeId: Int32 = 0
        var host = ""
        var port: Int32 = 0
        var rack: String?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&nodeId)
            try c.field(&host)
            try c.field(&port)
            try c.field(&rack, since: 1)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var brokers: [Broker] = []
        var clusterId: String?
        var controllerId: Int32 = -1
        var topics: [TopicResponse] = []
        var clusterAuthorizedOperations = Int32.min
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 3)
            try c.field(&brokers)
            try c.field(&clusterId, since: 2)
            try c.field(&controllerId, since: 1)
            try c.field(&topics)
            try c.field(&clusterAuthorizedOperations, since: 8, until: 10)
        }
    }

    struct TopicResponse: WireStruct {
        var error = ErrorCode.none
        var name: String? = ""
        var id = Uuid.zero
        var isInternal = false
        var partitions: [PartitionResponse] = []
        var authorizedOperations = Int32.min
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&error)
            try c.field(&name, nullable: 12)
            try c.field(&id, since: 10)
            try c.field(&isInternal, since: 1)
            try c.field(&partitions)
            try c.field(&authorizedOperations, since: 8)
        }
    }

    struct PartitionResponse: WireStruct {
        var error = ErrorCode.none
        var index: Int32 = 0
        var leaderId: Int32 = 0
        var leaderEpoch: Int32 = -1
        var replicas: [Int32] = []
        var inSync: [Int32] = []
        var offline: [Int32] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&error)
            try c.field(&index)
            try c.field(&leaderId)
            try c.field(&leaderEpoch, since: 7)
            try c.field(&replicas)
            try c.field(&inSync)
            try c.field(&offline, since: 5)
        }
    }

    /// nil: all topics. In v0 an empty list means all too.
    var topics: [Topic]?
    var allowsCreation = true
    var includesClusterOperations = false
    var includesTopicOperations = false

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&topics)
        if c.isReading, c.version == 0, topics?.isEmpty ?? false { topics = nil }
        try c.field(&allowsCreation, since: 4)
        try c.field(&includesClusterOperations, since: 8, until: 10)
        try c.field(&includesTopicOperations, since: 8)
    }

    private func response(_ cluster: Cluster?) -> Response {
        var response = Response(clusterId: cluster?.clusterIdText, controllerId: Cluster.nodeId)
        if let cluster {
            response.brokers = [
                Broker(nodeId: Cluster.nodeId, host: cluster.advertised.host, port: cluster.advertised.port)
            ]
        }
        return response
    }

    func failed(_ error: ErrorCode) -> Response {
        var response = response(nil)
        response.topics = (topics ?? []).map { TopicResponse(error: error, name: $0.name ?? "", id: $0.id) }
        return response
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        var response = response(cluster)
        if let topics {
            response.topics = topics.map { describe($0, cluster) }
        } else {
            response.topics = cluster.topics.values.sorted { $0.name < $1.name }.map(describe)
        }
        reply(response)
    }

    private func describe(_ asked: Topic, _ cluster: Cluster) -> TopicResponse {
        if asked.id != .zero {
            guard let name = cluster.topicNames[asked.id], let topic = cluster.topics[name] else {
                return TopicResponse(error: .unknownTopicId, name: nil, id: asked.id)
            }
            return describe(topic)
        }
        let (topic, error) = cluster.topic(asked.name ?? "", creating: allowsCreation)
        return topic.map(describe) ?? TopicResponse(error: error, name: asked.name ?? "")
    }

    private func describe(_ topic: ClusterTopic) -> TopicResponse {
        TopicResponse(
            name: topic.name, id: topic.id, isInternal: topic.isInternal,
            partitions: topic.partitions.map {
                PartitionResponse(
                    index: $0.index, leaderId: Cluster.nodeId, leaderEpoch: Cluster.leaderEpoch,
                    replicas: [Cluster.nodeId], inSync: [Cluster.nodeId])
            })
    }
}
