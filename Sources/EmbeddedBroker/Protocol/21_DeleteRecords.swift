/// DeleteRecords (key 21): makes a later offset the first one (-1: the end). v2 flexible.
struct DeleteRecordsRequest: BrokerRequest {
    static let api = Api(21, "DeleteRecords", 0...2, flexibleSince: 2)

    struct Topic: WireStruct {
        var name = ""
        var partitions: [PartitionRequest] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&partitions)
        }
    }

    struct PartitionRequest: WireStruct {
        var index: Int32 = 0
        var offset: Int64 = 0
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&offset)
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
        var lowWatermark: Int64 = -1
        var error = ErrorCode.none
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&lowWatermark)
            try c.field(&error)
        }
    }

    var topics: [Topic] = []
    var timeoutMs: Int32 = 0

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&topics)
        try c.field(&timeoutMs)
    }

    func failed(_ error: ErrorCode) -> Response {
        Response(
            topics: topics.map { topic in
                TopicResponse(
                    name: topic.name,
                    partitions: topic.partitions.map { PartitionResponse(index: $0.index, error: error) })
            })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        reply(
            Response(
                topics: topics.map { topic in
                    TopicResponse(
                        name: topic.name, partitions: topic.partitions.map { delete($0, of: topic.name, cluster) })
                }))
    }

    private func delete(_ asked: PartitionRequest, of topic: String, _ cluster: Cluster) -> PartitionResponse {
        guard let partition = cluster.partition(topic, asked.index) else {
            return PartitionResponse(index: asked.index, error: .unknownTopicOrPartition)
        }
        let log = partition.log
        let offset = asked.offset == -1 ? log.endOffset : asked.offset
        guard offset >= 0, offset <= log.endOffset else {
            return PartitionResponse(index: asked.index, error: .offsetOutOfRange)
        }
        guard log.config.deletes else {
            return PartitionResponse(index: asked.index, error: .policyViolation)
        }
        let start = max(offset, log.startOffset)
        let entry = LogStartEntry(partition: TopicPartition(topic, asked.index), offset: start)
        guard cluster.record(.logStart, { $0.logStart = entry }) else {
            return PartitionResponse(index: asked.index, error: .kafkaStorageError)
        }
        cluster.logStarts[entry.partition] = start
        log.advanceStart(to: start)
        partition.changed(bytes: 0)
        return PartitionResponse(index: asked.index, lowWatermark: start)
    }
}
