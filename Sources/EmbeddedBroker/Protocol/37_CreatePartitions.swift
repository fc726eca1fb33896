/// CreatePartitions (key 37): topics only grow. v2 flexible.
struct CreatePartitionsRequest: BrokerRequest {
    static let api = Api(37, "CreatePartitions", 0...3, flexibleSince: 2)

    struct Assignment: WireStruct {
        var brokers: [Int32] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) { try c.field(&brokers) }
    }

    struct Topic: WireStruct {
        var name = ""
        var count: Int32 = 0
        var assignments: [Assignment]?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&count)
            try c.field(&assignments)
        }
    }

    struct Result: WireStruct {
        var name = ""
        var error = ErrorCode.none
        var errorMessage: String?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&error)
            try c.field(&errorMessage)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var results: [Result] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs)
            try c.field(&results)
        }
    }

    var topics: [Topic] = []
    var timeoutMs: Int32 = 0
    var validatesOnly = false

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&topics)
        try c.field(&timeoutMs)
        try c.field(&validatesOnly)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(results: topics.map { Result(name: $0.name, error: error) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        reply(
            Response(
                results: topics.map { asked in
                    var result = Result(name: asked.name)
                    do throws(BatchRefusal) {
                        try grow(asked, cluster)
                    } catch {
                        result.error = error.code
                        result.errorMessage = error.message
                    }
                    return result
                }))
    }

    private func grow(_ asked: Topic, _ cluster: Cluster) throws(BatchRefusal) {
        guard let topic = cluster.topics[asked.name] else {
            throw BatchRefusal(code: .unknownTopicOrPartition, message: "no topic \(asked.name)")
        }
        let present = Int32(topic.partitions.count)
        guard asked.count > present, asked.count <= Cluster.maxPartitions else {
            throw BatchRefusal(
                code: .invalidPartitions,
                message: "the topic has \(present) partitions; \(asked.count) is not an increase within bounds")
        }
        if let assignments = asked.assignments {
            guard assignments.count == Int(asked.count - present),
                assignments.allSatisfy({ $0.brokers == [Cluster.nodeId] })
            else { throw BatchRefusal(code: .invalidReplicaAssignment, message: "there is one broker, 1") }
        }
        if !validatesOnly { try cluster.grow(topic, to: asked.count) }
    }
}
