/// LeaveGroup (key 13). v3 several members, also by instance id; v4 flexible; v5 reasons.
struct LeaveGroupRequest: BrokerRequest {
    static let api = Api(13, "LeaveGroup", 0...5, flexibleSince: 4)

    struct Member: WireStruct {
        var memberId = ""
        var instanceId: String?
        var reason: String?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&memberId)
            try c.field(&instanceId)
            try c.field(&reason, since: 5)
        }
    }

    struct MemberResponse: WireStruct {
        var memberId = ""
        var instanceId: String?
        var error = ErrorCode.none
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&memberId)
            try c.field(&instanceId)
            try c.field(&error)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var error = ErrorCode.none
        var members: [MemberResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 1)
            try c.field(&error)
            try c.field(&members, since: 3)
        }
    }

    var groupId = ""
    var memberId = ""
    var members: [Member] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&groupId)
        try c.field(&memberId, until: 2)
        try c.field(&members, since: 3)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(
            error: error,
            members: members.map { MemberResponse(memberId: $0.memberId, instanceId: $0.instanceId, error: error) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        guard !groupId.isEmpty else { return reply(failed(.invalidGroupId)) }
        let leaving = reply.version >= 3 ? members : [Member(memberId: memberId)]
        var response = Response()
        for member in leaving {
            var answered = MemberResponse(memberId: member.memberId, instanceId: member.instanceId)
            do throws(GroupRefusal) {
                guard let group = cluster.groups.group(groupId) else { throw GroupRefusal(.unknownMemberId) }
                try group.leave(member.memberId, instance: member.instanceId)
            } catch {
                answered.error = error.code
            }
            response.members.append(answered)
        }
        // Below v3 the one member's error is the answer's.
        if reply.version < 3 { response.error = response.members.first?.error ?? .none }
        reply(response)
    }
}
