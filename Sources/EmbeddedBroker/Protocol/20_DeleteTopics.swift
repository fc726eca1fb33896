/// DeleteTopics (key 20). v4 flexible; v5 messages; v6 by id.
struct DeleteTopicsRequest: BrokerRequest {
    static let api = Api(20, "DeleteTopics", 0...6, flexibleSince: 4)

    struct Topic: WireStruct {
        var name: String?
        var id = Uuid.zero
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&id)
        }
    }

    struct Result: WireStruct {
        var name: String?
        var id = Uuid.zero
        var error = ErrorCode.none
        var errorMessage: String?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name, nullable: 6)
            try c.field(&id, since: 6)
            try c.field(&error)
            try c.field(&errorMessage, since: 5)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var results: [Result] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 1)
            try c.field(&results)
        }
    }

    var topics: [Topic] = []
    var names: [String] = []
    var timeoutMs: Int32 = 0

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&topics, since: 6)
        try c.field(&names, until: 5)
        try c.field(&timeoutMs)
    }

    private var all: [Topic] { topics + names.map { Topic(name: $0) } }

    func failed(_ error: ErrorCode) -> Response {
        Response(results: all.map { Result(name: $0.name, id: $0.id, error: error) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        reply(
            Response(
                results: all.map { asked in
                    guard let name = asked.name ?? cluster.topicNames[asked.id], let topic = cluster.topics[name]
                    else {
                        let error = asked.name == nil ? ErrorCode.unknownTopicId : .unknownTopicOrPartition
                        return Result(name: asked.name, id: asked.id, error: error)
                    }
                    return Result(name: name, id: topic.id, error: cluster.delete(topic))
                }))
    }
}
