/// DescribeTransactions (key 65): where transactional ids stand.
struct DescribeTransactionsRequest: BrokerRequest {
    static let api = Api(65, "DescribeTransactions", 0...0, flexibleSince: 0)

    struct Topic: WireStruct {
        var name = ""
        var partitions: [Int32] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&partitions)
        }
    }

    struct Described: WireStruct {
        var error = ErrorCode.none
        var transactionalId = ""
        var state = ""
        var timeoutMs: Int32 = 0
        var startMs: Int64 = -1
        var producerId: Int64 = -1
        var epoch: Int16 = -1
        var topics: [Topic] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&error)
            try c.field(&transactionalId)
            try c.field(&state)
            try c.field(&timeoutMs)
            try c.field(&startMs)
            try c.field(&producerId)
            try c.field(&epoch)
            try c.field(&topics)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var states: [Described] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs)
            try c.field(&states)
        }
    }

    var transactionalIds: [String] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) { try c.field(&transactionalIds) }

    func failed(_ error: ErrorCode) -> Response {
        Response(states: transactionalIds.map { Described(error: error, transactionalId: $0) })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        reply(
            Response(
                states: transactionalIds.map { id in
                    guard let state = cluster.transactions.state(id) else {
                        return Described(error: .transactionalIdNotFound, transactionalId: id)
                    }
                    let byTopic = Dictionary(grouping: state.partitions, by: \.topic).sorted { $0.key < $1.key }
                    return Described(
                        transactionalId: id, state: state.phase.name, timeoutMs: state.timeoutMs,
                        startMs: state.startMs, producerId: state.producerId, epoch: state.epoch,
                        topics: byTopic.map { Topic(name: $0.key, partitions: $0.value.map(\.partition).sorted()) })
                }))
    }
}
