/// ListTransactions (key 66): transactional ids by state, producer and age. v1 filter by duration.
struct ListTransactionsRequest: BrokerRequest {
    static let api = Api(66, "ListTransactions", 0...1, flexibleSince: 0)

    struct Listed: WireStruct {
        var transactionalId = ""
        var producerId: Int64 = -1
        var state = ""
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&transactionalId)
            try c.field(&producerId)
            try c.field(&state)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var error = ErrorCode.none
        var unknownStates: [String] = []
        var transactions: [Listed] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs)
            try c.field(&error)
            try c.field(&unknownStates)
            try c.field(&transactions)
        }
    }

    var states: [String] = []
    var producerIds: [Int64] = []
    var durationMs: Int64 = -1

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&states)
        try c.field(&producerIds)
        try c.field(&durationMs, since: 1)
    }

    func failed(_ error: ErrorCode) -> Response { Response(error: error) }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        let phases: [TransactionState.Phase] = [
            .empty, .ongoing, .prepareCommit, .prepareAbort, .completeCommit, .completeAbort,
        ]
        let unknown = states.filter { name in !phases.contains { $0.name == name } }
        let nowMs = cluster.wallMs
        let found = cluster.transactions.states.filter { state in
            (states.isEmpty || states.contains(state.phase.name))
                && (producerIds.isEmpty || producerIds.contains(state.producerId))
                && (durationMs < 0 || (state.startMs >= 0 && nowMs - state.startMs > durationMs))
        }
        reply(
            Response(
                unknownStates: unknown,
                transactions: found.map {
                    Listed(
                        transactionalId: $0.transactionalId, producerId: $0.producerId, state: $0.phase.name)
                }))
    }
}
