/// FindCoordinator (key 10): this broker, for every group and transactional id. v3 flexible; v4 several keys.
struct FindCoordinatorRequest: BrokerRequest {
    static let api = Api(10, "FindCoordinator", 0...5, flexibleSince: 3)

    struct Coordinator: WireStruct {
        var key = ""
        var nodeId: Int32 = -1
        var host = ""
        var port: Int32 = -1
        var error = ErrorCode.none
        var errorMessage: String?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&key)
            try c.field(&nodeId)
            try c.field(&host)
            try c.field(&port)
            try c.field(&error)
            try c.field(&errorMessage)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var single = Coordinator()
        var coordinators: [Coordinator] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 1)
            try c.field(&single.error, until: 3)
            try c.field(&single.errorMessage, since: 1, until: 3)
            try c.field(&single.nodeId, until: 3)
            try c.field(&single.host, until: 3)
            try c.field(&single.port, until: 3)
            try c.field(&coordinators, since: 4)
        }
    }

    var key = ""
    /// 0: group, 1: transactional id.
    var keyType: Int8 = 0
    var keys: [String] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&key, until: 3)
        try c.field(&keyType, since: 1)
        try c.field(&keys, since: 4)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(single: Coordinator(error: error), coordinators: keys.map { Coordinator(key: $0, error: error) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        guard (0...1).contains(keyType) else { return reply(failed(.invalidRequest)) }
        func found(_ key: String) -> Coordinator {
            if keyType == 0 && key.isEmpty { return Coordinator(key: key, error: .invalidGroupId) }
            return Coordinator(
                key: key, nodeId: Cluster.nodeId, host: cluster.advertised.host, port: cluster.advertised.port)
        }
        reply(Response(single: found(key), coordinators: keys.map(found)))
    }
}
