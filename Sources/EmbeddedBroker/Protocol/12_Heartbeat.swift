/// Heartbeat (key 12). v3 static members; v4 flexible.
struct HeartbeatRequest: BrokerRequest {
    static let api = Api(12, "Heartbeat", 0...4, flexibleSince: 4)

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var error = ErrorCode.none
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 1)
            try c.field(&error)
        }
    }

    var groupId = ""
    var generation: Int32 = 0
    var memberId = ""
    var instanceId: String?

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&groupId)
        try c.field(&generation)
        try c.field(&memberId)
        try c.field(&instanceId, since: 3)
    }

    func failed(_ error: ErrorCode) -> Response { Response(error: error) }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        guard !groupId.isEmpty else { return reply(failed(.invalidGroupId)) }
        guard let group = cluster.groups.group(groupId) else { return reply(failed(.unknownMemberId)) }
        do {
            try group.heartbeat(self)
            reply(Response())
        } catch {
            reply(failed(error.code))
        }
    }
}
