/// DescribeConfigs (key 32): topics' configuration, and a few lines about the broker. v1 synonyms; v3 types and
/// documentation; v4 flexible.
struct DescribeConfigsRequest: BrokerRequest {
    static let api = Api(32, "DescribeConfigs", 0...4, flexibleSince: 4)

    /// Kinds of resources, by their numbers.
    enum ResourceType {
        static let topic: Int8 = 2
        static let broker: Int8 = 4
    }

    struct Resource: WireStruct {
        var type: Int8 = 0
        var name = ""
        var keys: [String]?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&type)
            try c.field(&name)
            try c.field(&keys)
        }
    }

    struct Synonym: WireStruct {
        var name = ""
        var value: String?
        var source: Int8 = 0
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&value)
            try c.field(&source)
        }
    }

    struct Config: WireStruct {
        var name = ""
        var value: String?
        var isReadOnly = false
        /// 1: set for the topic; 5: default.
        var source: Int8 = -1
        var isSensitive = false
        var synonyms: [Synonym] = []
        var type: Int8 = 0
        var documentation: String?
        private var isDefault = false
        init() {}
        init(name: String, value: String, isReadOnly: Bool, source: Int8, type: Int8) {
            self.name = name
            self.value = value
            self.isReadOnly = isReadOnly
            self.source = source
            self.type = type
            isDefault = source == 5
        }
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&value)
            try c.field(&isReadOnly)
            try c.field(&isDefault, until: 0)
            try c.field(&source, since: 1)
            try c.field(&isSensitive)
            try c.field(&synonyms, since: 1)
            try c.field(&type, since: 3)
            try c.field(&documentation, since: 3)
        }
    }

    struct Result: WireStruct {
        var error = ErrorCode.none
        var errorMessage: String?
        var type: Int8 = 0
        var name = ""
        var configs: [Config] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&error)
            try c.field(&errorMessage)
            try c.field(&type)
            try c.field(&name)
            try c.field(&configs)
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
    var includesSynonyms = false
    var includesDocumentation = false

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&resources)
        try c.field(&includesSynonyms, since: 1)
        try c.field(&includesDocumentation, since: 3)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(results: resources.map { Result(error: error, type: $0.type, name: $0.name) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        reply(Response(results: resources.map { describe($0, cluster) }))
    }

    private func describe(_ asked: Resource, _ cluster: Cluster) -> Result {
        var result = Result(type: asked.type, name: asked.name)
        switch asked.type {
        case ResourceType.topic:
            guard let topic = cluster.topics[asked.name] else {
                result.error = TopicName.refusal(asked.name) == nil ? .unknownTopicOrPartition : .invalidTopicException
                return result
            }
            for key in TopicConfig.keys where asked.keys?.contains(key.name) ?? true {
                let value = topic.config.value(of: key)
                let source: Int8 = topic.config.overrides[key.name] == nil ? 5 : 1
                var config = Config(
                    name: key.name, value: value, isReadOnly: false, source: source, type: key.kind.rawValue)
                if includesSynonyms { config.synonyms = [Synonym(name: key.name, value: value, source: source)] }
                result.configs.append(config)
            }
        case ResourceType.broker:
            guard asked.name.isEmpty || asked.name == String(Cluster.nodeId) else {
                result.error = .invalidRequest
                result.errorMessage = "there is one broker, \(Cluster.nodeId)"
                return result
            }
            let configuration = cluster.configuration
            let values: [(String, String)] = [
                ("auto.create.topics.enable", String(configuration.createsTopics)),
                ("broker.id", String(Cluster.nodeId)),
                ("log.dirs", configuration.dataDirectory ?? ""),
                ("num.partitions", String(configuration.defaultPartitions)),
                ("transaction.max.timeout.ms", String(configuration.transactionMaxTimeoutMs)),
            ]
            for (name, value) in values where asked.keys?.contains(name) ?? true {
                result.configs.append(
                    Config(
                        name: name, value: value, isReadOnly: true, source: 4,
                        type: TopicConfig.Kind.string.rawValue))
            }
        default:
            result.error = .invalidRequest
            result.errorMessage = "resource type \(asked.type) has no configuration here"
        }
        return result
    }
}
