/// EndTxn (key 26): commits or aborts. Answered when the decision is durable. v2 PRODUCER_FENCED; v3 flexible.
struct EndTxnRequest: BrokerRequest {
    static let api = Api(26, "EndTxn", 0...4, flexibleSince: 3)

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var error = ErrorCode.none
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs)
            try c.field(&error)
        }
    }

    var transactionalId = ""
    var producerId: Int64 = 0
    var epoch: Int16 = 0
    var commits = false

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&transactionalId)
        try c.field(&producerId)
        try c.field(&epoch)
        try c.field(&commits)
    }

    func failed(_ error: ErrorCode) -> Response { Response(error: error) }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        do {
            try cluster.transactions.end(transactionalId, producerId: producerId, epoch: epoch, commits: commits)
            reply(Response())
        } catch {
            reply(failed(error.code.asKnown(by: reply.version, fencedSince: 2)))
        }
    }
}
