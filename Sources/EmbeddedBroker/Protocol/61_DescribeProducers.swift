/// DescribeProducers (key 61): the producers a partition remembers, with their open transactions.
struct DescribeProducersRequest: BrokerRequest {
    static let api = Api(61, "DescribeProducers", 0...0, flexibleSince: 0)

    struct Topic: WireStruct {
        var name = ""
        var partitions: [Int32] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&partitions)
        }
    }

    struct Producer: WireStruct {
        var producerId: Int64 = 0
        var epoch: Int32 = 0
        var lastSequence: Int32 = -1
        var lastTimestampMs: Int64 = -1
        var coordinatorEpoch: Int32 = 0
        var transactionStartOffset: Int64 = -1
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&producerId)
            try c.field(&epoch)
            try c.field(&lastSequence)
            try c.field(&lastTimestampMs)
            try c.field(&coordinatorEpoch)
            try c.field(&transactionStartOffset)
        }
    }

    struct PartitionResponse: WireStruct {
        var index: Int32 = 0
        var error = ErrorCode.none
        var errorMessage: String?
        var producers: [Producer] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&error)
            try c.field(&errorMessage)
            try c.field(&producers)
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

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var topics: [TopicResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs)
            try c.field(&topics)
        }
    }

    var topics: [Topic] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) { try c.field(&topics) }

    private func response(_ describe: (String, Int32) -> PartitionResponse) -> Response {
        Response(
            topics: topics.map { topic in
                TopicResponse(name: topic.name, partitions: topic.partitions.map { describe(topic.name, $0) })
            })
    }

    func failed(_ error: ErrorCode) -> Response {
        response { PartitionResponse(index: $1, error: error) }
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        reply(
            response { topic, index in
                guard let partition = cluster.partition(topic, index) else {
                    return PartitionResponse(index: index, error: .unknownTopicOrPartition)
                }
                return PartitionResponse(
                    index: index,
                    producers: partition.log.producers.snapshot.map {
                        Producer(
                            producerId: $0.producerId, epoch: Int32($0.epoch),
                            lastSequence: $0.batches.last?.lastSequence ?? -1,
                            lastTimestampMs: $0.lastTimestampMs, transactionStartOffset: $0.transactionFirstOffset)
                    })
            })
    }
}
