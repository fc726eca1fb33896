/// IncrementalAlterConfigs (key 44): sets, deletes, appends to and subtracts from topics' values. v1 flexible.
struct IncrementalAlterConfigsRequest: BrokerRequest {
    static let api = Api(44, "IncrementalAlterConfigs", 0...1, flexibleSince: 1)

    struct Change: WireStruct {
        var name = ""
        /// 0 set, 1 delete, 2 append, 3 subtract.
        var operation: Int8 = 0
        var value: String?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&operation)
            try c.field(&value)
        }
    }

    struct Resource: WireStruct {
        var type: Int8 = 0
        var name = ""
        var changes: [Change] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&type)
            try c.field(&name)
            try c.field(&changes)
        }
    }

    typealias Response = AlterConfigsRequest.Response

    var resources: [Resource] = []
    var validatesOnly = false

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&resources)
        try c.field(&validatesOnly)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(
            results: resources.map { AlterConfigsRequest.Result(error: error, type: $0.type, name: $0.name) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        reply(
            Response(
                results: resources.map { resource in
                    cluster.alter(resource.type, resource.name, validatesOnly: validatesOnly) {
                        (overrides) throws(BatchRefusal) in
                        for change in resource.changes { try apply(change, to: &overrides) }
                    }
                }))
    }

    private func apply(_ change: Change, to overrides: inout [String: String]) throws(BatchRefusal) {
        guard let key = TopicConfig.keys.first(where: { $0.name == change.name }) else {
            throw BatchRefusal(code: .invalidConfig, message: "Unknown topic config name: \(change.name)")
        }
        let present = (overrides[key.name] ?? key.defaultValue).split(separator: ",").map(String.init)
        let named = (change.value ?? "").split(separator: ",").map(String.init)
        switch change.operation {
        case 0: overrides[key.name] = change.value ?? ""
        case 1: overrides[key.name] = nil
        case 2 where key.kind == .list:
            overrides[key.name] = (present + named.filter { !present.contains($0) }).joined(separator: ",")
        case 3 where key.kind == .list:
            overrides[key.name] = present.filter { !named.contains($0) }.joined(separator: ",")
        default:
            throw BatchRefusal(
                code: .invalidRequest, message: "operation \(change.operation) does not fit \(key.name)")
        }
    }
}
