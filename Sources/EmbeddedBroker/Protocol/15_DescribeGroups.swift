/// DescribeGroups (key 15). v3 authorised operations (never known here); v4 static members; v5 flexible.
struct DescribeGroupsRequest: BrokerRequest {
    static let api = Api(15, "DescribeGroups", 0...5, flexibleSince: 5)

    struct Member: WireStruct {
        var memberId = ""
        var instanceId: String?
        var clientId = ""
        var clientHost = ""
        var metadata: [UInt8] = []
        var assignment: [UInt8] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&memberId)
            try c.field(&instanceId, since: 4)
            try c.field(&clientId)
            try c.field(&clientHost)
            try c.bytes(&metadata)
            try c.bytes(&assignment)
        }
    }

    struct GroupResponse: WireStruct {
        var error = ErrorCode.none
        var groupId = ""
        var state = ""
        var protocolType = ""
        var protocolName = ""
        var members: [Member] = []
        var authorizedOperations = Int32.min
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&error)
            try c.field(&groupId)
            try c.field(&state)
            try c.field(&protocolType)
            try c.field(&protocolName)
            try c.field(&members)
            try c.field(&authorizedOperations, since: 3)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var groups: [GroupResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 1)
            try c.field(&groups)
        }
    }

    var groups: [String] = []
    var includesOperations = false

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&groups)
        try c.field(&includesOperations, since: 3)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(groups: groups.map { GroupResponse(error: error, groupId: $0) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        reply(Response(groups: groups.map { describe($0, cluster.groups.group($0)) }))
    }

    private func describe(_ id: String, _ group: Group?) -> GroupResponse {
        guard let group else { return GroupResponse(groupId: id, state: "Dead") }
        // Members' metadata and assignments are those of the settled generation only, as in Kafka.
        let isSettled = group.state == .stable
        return GroupResponse(
            groupId: id, state: group.state.rawValue, protocolType: group.protocolType ?? "",
            protocolName: isSettled ? group.protocolName ?? "" : "",
            members: group.members.map { member in
                let metadata = member.entry.protocols.first { $0.name == group.protocolName }?.metadata
                return Member(
                    memberId: member.entry.memberId, instanceId: member.entry.instanceId,
                    clientId: member.entry.clientId, clientHost: "/" + member.entry.clientHost,
                    metadata: isSettled ? metadata ?? [] : [], assignment: isSettled ? member.entry.assignment : [])
            })
    }
}
