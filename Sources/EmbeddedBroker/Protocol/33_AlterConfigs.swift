/// AlterConfigs (key 33): replaces topics' configuration as a whole. v2 flexible.
struct AlterConfigsRequest: BrokerRequest {
    static let api = Api(33, "AlterConfigs", 0...2, flexibleSince: 2)

    struct Resource: WireStruct {
        var type: Int8 = 0
        var name = ""
        var configs: [ConfigValue] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&type)
            try c.field(&name)
            try c.field(&configs)
        }
    }

    struct Result: WireStruct {
        var error = ErrorCode.none
        var errorMessage: String?
        var type: Int8 = 0
        var name = ""
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&error)
            try c.field(&errorMessage)
            try c.field(&type)
            try c.field(&name)
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

    var resources: [Resource] = []
    var validatesOnly = false

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&resources)
        try c.field(&validatesOnly)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(results: resources.map { Result(error: error, type: $0.type, name: $0.name) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        reply(
            Response(
                results: resources.map { resource in
                    cluster.alter(resource.type, resource.name, validatesOnly: validatesOnly) { overrides in
                        overrides = [:]
                        for item in resource.configs { overrides[item.name] = item.value }
                    }
                }))
    }
}

extension Cluster {
    /// Changes a topic's own configuration values; those of the broker are fixed.
    func alter(
        _ type: Int8, _ name: String, validatesOnly: Bool,
        _ change: (inout [String: String]) throws(BatchRefusal) -> Void
    ) -> AlterConfigsRequest.Result {
        var result = AlterConfigsRequest.Result(type: type, name: name)
        do throws(BatchRefusal) {
            guard type == DescribeConfigsRequest.ResourceType.topic else {
                throw BatchRefusal(code: .invalidRequest, message: "only topics' configuration can be changed")
            }
            guard let topic = topics[name] else {
                throw BatchRefusal(code: .unknownTopicOrPartition, message: "no topic \(name)")
            }
            var overrides = topic.config.overrides
            try change(&overrides)
            let config = try TopicConfig(overrides)
            if !validatesOnly { try configure(topic, config) }
        } catch {
            result.error = error.code
            result.errorMessage = error.message
        }
        return result
    }
}
