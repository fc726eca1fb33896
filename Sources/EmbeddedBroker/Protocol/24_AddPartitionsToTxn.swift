/// AddPartitionsToTxn (key 24), in the versions of clients; v4 and later are between brokers. v3 flexible.
struct AddPartitionsToTxnRequest: BrokerRequest {
    static let api = Api(24, "AddPartitionsToTxn", 0...3, flexibleSince: 3)

    struct Topic: WireStruct {
        var name = ""
        var partitions: [Int32] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&partitions)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var topics: [TopicResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs)
            try c.field(&topics)
        }
    }

    struct TopicResponse: WireStruct {
        var name = ""
        var partitions: [PartitionResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&partitions)
        }
    }

    struct PartitionResponse: WireStruct {
        var index: Int32 = 0
        var error = ErrorCode.none
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&error)
        }
    }

    var transactionalId = ""
    var producerId: Int64 = 0
    var epoch: Int16 = 0
    var topics: [Topic] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&transactionalId)
        try c.field(&producerId)
        try c.field(&epoch)
        try c.field(&topics)
    }

    private func response(_ error: (TopicPartition) -> ErrorCode) -> Response {
        Response(
            topics: topics.map { topic in
                TopicResponse(
                    name: topic.name,
                    partitions: topic.partitions.map {
                        PartitionResponse(index: $0, error: error(TopicPartition(topic.name, $0)))
                    })
            })
    }

    func failed(_ error: ErrorCode) -> Response { response { _ in error } }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        let partitions = topics.flatMap { topic in topic.partitions.map { TopicPartition(topic.name, $0) } }
        let unknown = Set(partitions.filter { cluster.partition($0.topic, $0.partition) == nil })
        guard unknown.isEmpty else {
            // All or none, as Kafka does.
            return reply(response { unknown.contains($0) ? .unknownTopicOrPartition : .operationNotAttempted })
        }
        do {
            try cluster.transactions.add(
                transactionalId, producerId: producerId, epoch: epoch, partitions: partitions)
            reply(failed(.none))
        } catch {
            reply(failed(error.code.asKnown(by: reply.version, fencedSince: 2)))
        }
    }
}
