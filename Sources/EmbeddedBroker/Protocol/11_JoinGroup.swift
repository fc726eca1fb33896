/// JoinGroup (key 11). v1 rebalance timeout; v4 MEMBER_ID_REQUIRED; v5 static members; v6 flexible; v7 protocol type;
/// v8 reason; v9 skip-assignment flag.
struct JoinGroupRequest: BrokerRequest {
    static let api = Api(11, "JoinGroup", 0...9, flexibleSince: 6)

    struct Member: WireStruct {
        var memberId = ""
        var instanceId: String?
        var metadata: [UInt8] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&memberId)
            try c.field(&instanceId, since: 5)
            try c.bytes(&metadata)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var error = ErrorCode.none
        var generation: Int32 = -1
        var protocolType: String?
        var protocolName: String? = ""
        var leader = ""
        var skipAssignment = false
        var memberId = ""
        var members: [Member] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 2)
            try c.field(&error)
            try c.field(&generation)
            try c.field(&protocolType, since: 7)
            try c.field(&protocolName, nullable: 7)
            try c.field(&leader)
            try c.field(&skipAssignment, since: 9)
            try c.field(&memberId)
            try c.field(&members)
        }
    }

    var groupId = ""
    var sessionTimeoutMs: Int32 = 0
    var rebalanceTimeoutMs: Int32 = -1
    var memberId = ""
    var instanceId: String?
    var protocolType = ""
    var protocols: [GroupProtocol] = []
    var reason: String?

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&groupId)
        try c.field(&sessionTimeoutMs)
        try c.field(&rebalanceTimeoutMs, since: 1)
        try c.field(&memberId)
        try c.field(&instanceId, since: 5)
        try c.field(&protocolType)
        try c.field(&protocols)
        try c.field(&reason, since: 8)
    }

    func failed(_ error: ErrorCode) -> Response { Response(error: error, memberId: memberId) }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        let configuration = cluster.configuration
        guard !groupId.isEmpty else { return reply(failed(.invalidGroupId)) }
        guard configuration.groupMinSessionTimeoutMs <= sessionTimeoutMs,
            sessionTimeoutMs <= configuration.groupMaxSessionTimeoutMs
        else { return reply(failed(.invalidSessionTimeout)) }
        if let group = cluster.groups.group(groupId) { return group.join(self, reply) }
        guard memberId.isEmpty else { return reply(failed(.unknownMemberId)) }
        cluster.groups.groupMade(groupId).join(self, reply)
    }
}
