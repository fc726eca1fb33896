/// Produce (key 0): appends record batches.
///
/// Versions 0–2 carry message formats older than v2 and are answered with UNSUPPORTED_FOR_MESSAGE_FORMAT; they are listed
/// because librdkafka takes their absence for a broker that cannot compress. v3 transactional id; v5 log start offset;
/// v8 record errors; v9 flexible; v10 leader hints (none are sent).
struct ProduceRequest: BrokerRequest {
    static let api = Api(0, "Produce", 0...11, flexibleSince: 9)

    struct Topic: WireStruct {
        var name = ""
        var partitions: [PartitionData] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name)
            try c.field(&partitions)
        }
    }

    struct PartitionData: WireStruct {
        var index: Int32 = 0
        var records = Records()
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.records(&records)
        }
    }

    struct Response: WireStruct {
        var topics: [TopicResponse] = []
        var throttleTimeMs: Int32 = 0
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&topics)
            try c.field(&throttleTimeMs, since: 1)
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
        var baseOffset: Int64 = -1
        var logAppendTimeMs: Int64 = -1
        var logStartOffset: Int64 = -1
        var recordErrors: [RecordError] = []
        var errorMessage: String?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&error)
            try c.field(&baseOffset)
            try c.field(&logAppendTimeMs, since: 2)
            try c.field(&logStartOffset, since: 5)
            try c.field(&recordErrors, since: 8)
            try c.field(&errorMessage, since: 8)
        }
    }

    struct RecordError: WireStruct {
        var batchIndex: Int32 = 0
        var message: String?
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&batchIndex)
            try c.field(&message)
        }
    }

    var transactionalId: String?
    var acks: Int16 = -1
    var timeoutMs: Int32 = 0
    var topics: [Topic] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&transactionalId, since: 3)
        try c.field(&acks)
        try c.field(&timeoutMs)
        try c.field(&topics)
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
        let isFrozen = topics.contains { topic in
            topic.partitions.contains { cluster.partition(topic.name, $0.index)?.isFrozen ?? false }
        }
        if isFrozen { return cluster.heldBack.append { answer(reply, cluster) } }
        guard (-1...1).contains(acks) else { return reply(failed(.invalidRequiredAcks)) }
        let nowMs = cluster.wallMs
        var response = Response()
        var hasFailed = false
        for topic in topics {
            var answered = TopicResponse(name: topic.name)
            for data in topic.partitions {
                let result = append(data, of: topic.name, cluster, nowMs: nowMs)
                hasFailed = hasFailed || result.error != .none
                answered.partitions.append(result)
            }
            response.topics.append(answered)
        }
        if acks != 0 { return reply(response) }
        // With acks=0 nobody reads a response; Kafka closes the connection so that the client notices an error.
        reply.exchange.end(hasFailed ? .disconnect : .nothing)
    }

    private func append(
        _ data: PartitionData, of topic: String, _ cluster: Cluster, nowMs: Int64
    ) -> PartitionResponse {
        var result = PartitionResponse(index: data.index)
        guard let partition = cluster.partition(topic, data.index) else {
            result.error = .unknownTopicOrPartition
            return result
        }
        do throws(BatchRefusal) {
            guard let bytes = data.records.slice?.bytes else {
                throw BatchRefusal(code: .invalidRecord, message: "no records")
            }
            let batch = try RecordBatchHeader.validated(bytes, maxBytes: partition.log.config.maxMessageBytes)
            if batch.isTransactional {
                try cluster.transactions.checkWrite(
                    transactionalId, batch, TopicPartition(topic, data.index))
            }
            let end = partition.log.endOffset
            (result.baseOffset, result.logAppendTimeMs) = try partition.log.append(batch, bytes, nowMs: nowMs)
            result.logStartOffset = partition.log.startOffset
            if partition.log.endOffset > end { partition.changed(bytes: bytes.count) }
        } catch {
            result.error = error.code
            result.errorMessage = error.message
        }
        return result
    }
}
