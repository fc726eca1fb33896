/// InitProducerId (key 22): a producer id, or the next epoch of a transactional id. v2 flexible; v3 the producer names
/// itself (KIP-360); v4 PRODUCER_FENCED.
struct InitProducerIdRequest: BrokerRequest {
    static let api = Api(22, "InitProducerId", 0...5, flexibleSince: 2)

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var error = ErrorCode.none
        var producerId: Int64 = -1
        var epoch: Int16 = -1
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs)
            try c.field(&error)
            try c.field(&producerId)
            try c.field(&epoch)
        }
    }

    var transactionalId: String?
    var timeoutMs: Int32 = 0
    var producerId: Int64 = -1
    var epoch: Int16 = -1

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&transactionalId)
        try c.field(&timeoutMs)
        try c.field(&producerId, since: 3)
        try c.field(&epoch, since: 3)
    }

    func failed(_ error: ErrorCode) -> Response { Response(error: error) }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        guard let transactionalId else {
            guard let id = cluster.transactions.newProducerId() else {
                return reply(failed(.coordinatorLoadInProgress))
            }
            return reply(Response(producerId: id, epoch: 0))
        }
        do {
            let given = try cluster.transactions.initialize(
                transactionalId, timeoutMs: timeoutMs, producerId: producerId, epoch: epoch)
            reply(Response(producerId: given.producerId, epoch: given.epoch))
        } catch {
            reply(failed(error.code.asKnown(by: reply.version, fencedSince: 4)))
        }
    }
}

extension ErrorCode {
    /// PRODUCER_FENCED came late to several APIs; older versions say INVALID_PRODUCER_EPOCH.
    func asKnown(by version: Int16, fencedSince: Int16) -> ErrorCode {
        self == .producerFenced && version < fencedSince ? .invalidProducerEpoch : self
    }
}
