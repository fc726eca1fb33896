/// SyncGroup (key 14). v3 static members; v4 flexible; v5 protocol type and name.
struct SyncGroupRequest: BrokerRequest {
    static let api = Api(14, "SyncGroup", 0...5, flexibleSince: 4)

    struct Assignment: WireStruct {
        var memberId = ""
        var assignment: [UInt8] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&memberId)
            try c.bytes(&assignment)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var error = ErrorCode.none
        var protocolType: String?
        var protocolName: String?
        var assignment: [UInt8] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs, since: 1)
            try c.field(&error)
            try c.field(&protocolType, since: 5)
            try c.field(&protocolName, since: 5)
            try c.bytes(&assignment)
        }
    }

    var groupId = ""
    var generation: Int32 = 0
    var memberId = ""
    var instanceId: String?
    var protocolType: String?
    var protocolName: String?
    var assignments: [Assignment] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&groupId)
        try c.field(&generation)
        try c.field(&memberId)
        try c.field(&instanceId, since: 3)
        try c.field(&protocolType, since: 5)
        try c.field(&protocolName, since: 5)
        try c.field(&assignments)
    }

    func failed(_ error: ErrorCode) -> Response { Response(error: error) }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        guard !groupId.isEmpty else { return reply(failed(.invalidGroupId)) }
        guard let group = cluster.groups.group(groupId) else { return reply(failed(.unknownMemberId)) }
        do {
            try group.sync(self, reply)
        } catch {
            reply(failed(error.code))
        }
    }
}
