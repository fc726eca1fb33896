/// CreateTopics (key 19), with Kafka's checks. v1 validate only; v4 default partitions (-1); v5 flexible, with the
/// configuration; v7 topic ids.
struct CreateTopicsRequest: BrokerRequest {
    static let api = Api(19, "CreateTopics", 0...7, flexibleSince: 5)

    struct Assignment: WireStruct {
        var partition: Int32 = 0
        var brokers: [Int32] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&partition)
            try c.field(&brokers)
        }
    }

    struct NewTopic: WireStruct {
        var name = ""
        var partitions: Int32 = -1
        var replicationFactor: Int16 = -1
        var assignments: [Assignment] = []
        var config: [ConfigValue] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&partitions)
            try c.field(&replicationFactor)
            try c.field(&assignments)
            try c.field(&config)
        }
    }

    struct Config: WireStruct {
        var name = ""
        var value: String?
        var isReadOnly = false
        var source: Int8 = -1
        var isSensitive = false
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&value)
            try c.field(&isReadOnly)
            try c.field(&source)
            try c.field(&isSensitive)
        }
    }

    struct Result: WireStruct {
        var name = ""
        var id = Uuid.zero
        var error = ErrorCode.none
        var errorMessage: String?
        var partitions: Int32 = -1
        var replicationFactor: Int16 = -1
        var config: [Config]? = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&id, since: 7)
            try c.field(&error)
            try c.field(&errorMessage, since: 1)
            try c.field(&partitions, since: 5)
            try c.field(&replicationFactor, since: 5)
            try c.field(&config, since: 5)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var topics: [Result] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 2)
            try c.field(&topics)
        }
    }

    var topics: [NewTopic] = []
    var timeoutMs: Int32 = 60_000
    var validatesOnly = false

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&topics)
        try c.field(&timeoutMs)
        try c.field(&validatesOnly, since: 1)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(topics: topics.map { Result(name: $0.name, error: error) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        var seen: [String: Int] = [:]
        for topic in topics { seen[topic.name, default: 0] += 1 }
        reply(
            Response(
                topics: topics.map { topic in
                    guard seen[topic.name] == 1 else {
                        return Result(
                            name: topic.name, error: .invalidRequest, errorMessage: "Duplicate topic name.")
                    }
                    return create(topic, cluster)
                }))
    }

    private func create(_ asked: NewTopic, _ cluster: Cluster) -> Result {
        var result = Result(name: asked.name)
        do throws(BatchRefusal) {
            let count = try partitionCount(asked, cluster)
            var overrides: [String: String] = [:]
            for item in asked.config {
                guard let value = item.value else {
                    throw BatchRefusal(code: .invalidConfig, message: "Null value not supported for \(item.name)")
                }
                overrides[item.name] = value
            }
            let config: TopicConfig
            if validatesOnly {
                config = try cluster.checkNewTopic(asked.name, partitions: count, config: overrides)
            } else {
                let topic = try cluster.createTopic(asked.name, partitions: count, config: overrides)
                config = topic.config
                result.id = topic.id
            }
            result.partitions = count
            result.replicationFactor = 1
            result.config = TopicConfig.keys.map { key in
                Config(
                    name: key.name, value: config.value(of: key), source: config.overrides[key.name] == nil ? 5 : 1)
            }
        } catch {
            result.error = error.code
            result.errorMessage = error.message
        }
        return result
    }

    private func partitionCount(_ asked: NewTopic, _ cluster: Cluster) throws(BatchRefusal) -> Int32 {
        if !asked.assignments.isEmpty {
            guard asked.partitions == -1, asked.replicationFactor == -1 else {
                throw BatchRefusal(
                    code: .invalidRequest,
                    message: "Both numPartitions or replicationFactor and replicasAssignments were set.")
            }
            let numbers = asked.assignments.map(\.partition).sorted()
            guard numbers == Array(0..<Int32(numbers.count)),
                asked.assignments.allSatisfy({ $0.brokers == [Cluster.nodeId] })
            else {
                throw BatchRefusal(
                    code: .invalidReplicaAssignment, message: "partitions must follow on from 0, each on broker 1")
            }
            return Int32(numbers.count)
        }
        guard asked.replicationFactor == -1 || asked.replicationFactor == 1 else {
            throw BatchRefusal(
                code: .invalidReplicationFactor,
                message: "replication factor \(asked.replicationFactor); there is one broker")
        }
        return asked.partitions == -1 ? Int32(clamping: cluster.configuration.defaultPartitions) : asked.partitions
    }
}
