/// DeleteGroups (key 42): removes empty groups with their offsets. v2 flexible.
struct DeleteGroupsRequest: BrokerRequest {
    static let api = Api(42, "DeleteGroups", 0...2, flexibleSince: 2)

    struct Result: WireStruct {
        var groupId = ""
        var error = ErrorCode.none
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&groupId)
            try c.field(&error)
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

    var groups: [String] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) { try c.field(&groups) }

    func failed(_ error: ErrorCode) -> Response {
        Response(results: groups.map { Result(groupId: $0, error: error) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        reply(Response(results: groups.map { Result(groupId: $0, error: cluster.groups.delete($0)) }))
    }
}
