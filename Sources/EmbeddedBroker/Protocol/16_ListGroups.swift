/// ListGroups (key 16). v3 flexible; v4 filter by state; v5 by type (all are classic).
struct ListGroupsRequest: BrokerRequest {
    static let api = Api(16, "ListGroups", 0...5, flexibleSince: 3)

    struct Listed: WireStruct {
        var groupId = ""
        var protocolType = ""
        var state = ""
        var type = "classic"
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&groupId)
            try c.field(&protocolType)
            try c.field(&state, since: 4)
            try c.field(&type, since: 5)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var error = ErrorCode.none
        var groups: [Listed] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 1)
            try c.field(&error)
            try c.field(&groups)
        }
    }

    var states: [String] = []
    var types: [String] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&states, since: 4)
        try c.field(&types, since: 5)
    }

    func failed(_ error: ErrorCode) -> Response { Response(error: error) }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        let states = Set(self.states.map { $0.lowercased() })
        guard types.isEmpty || types.contains(where: { $0.lowercased() == "classic" }) else {
            return reply(Response())
        }
        reply(
            Response(
                groups: cluster.groups.groups.values
                    .filter { states.isEmpty || states.contains($0.state.rawValue.lowercased()) }
                    .sorted { $0.id < $1.id }
                    .map { Listed(groupId: $0.id, protocolType: $0.protocolType ?? "", state: $0.state.rawValue) }))
    }
}
