/// AddOffsetsToTxn (key 25): makes a group's offsets part of the transaction. v2 PRODUCER_FENCED; v3 flexible.
struct AddOffsetsToTxnRequest: BrokerRequest {
    static let api = Api(25, "AddOffsetsToTxn", 0...4, flexibleSince: 3)

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
    var groupId = ""

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&transactionalId)
        try c.field(&producerId)
        try c.field(&epoch)
        try c.field(&groupId)
    }

    func failed(_ error: ErrorCode) -> Response { Response(error: error) }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        guard !groupId.isEmpty else { return reply(failed(.invalidGroupId)) }
        do {
            try cluster.transactions.add(transactionalId, producerId: producerId, epoch: epoch, group: groupId)
            reply(Response())
        } catch {
            reply(failed(error.code.asKnown(by: reply.version, fencedSince: 2)))
        }
    }
}
