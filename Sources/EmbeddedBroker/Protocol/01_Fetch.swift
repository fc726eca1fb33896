/// Fetch (key 1): hands out stored batches.
///
/// Sessions (v7) are declined: every answer has session 0, and clients go on with full requests. v4 isolation level;
/// v9 leader epochs; v12 flexible; v13 topic ids. Below v4 old message formats would be needed.
struct FetchRequest: BrokerRequest {
    static let api = Api(1, "Fetch", 4...16, flexibleSince: 12)

    struct Topic: WireStruct {
        var name = ""
        var id = Uuid.zero
        var partitions: [PartitionRequest] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name, until: 12)
            try c.field(&id, since: 13)
            try c.field(&partitions)
        }
    }

    struct PartitionRequest: WireStruct {
        var index: Int32 = 0
        var currentLeaderEpoch: Int32 = -1
        var fetchOffset: Int64 = 0
        var lastFetchedEpoch: Int32 = -1
        var logStartOffset: Int64 = -1
        var maxBytes: Int32 = 0
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&currentLeaderEpoch, since: 9)
            try c.field(&fetchOffset)
            try c.field(&lastFetchedEpoch, since: 12)
            try c.field(&logStartOffset, since: 5)
            try c.field(&maxBytes)
        }
    }

    struct ForgottenTopic: WireStruct {
        var name = ""
        var id = Uuid.zero
        var partitions: [Int32] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name, until: 12)
            try c.field(&id, since: 13)
            try c.field(&partitions)
        }
    }

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var error = ErrorCode.none
        var sessionId: Int32 = 0
        var topics: [TopicResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs)
            try c.field(&error, since: 7)
            try c.field(&sessionId, since: 7)
            try c.field(&topics)
        }
    }

    struct TopicResponse: WireStruct {
        var name = ""
        var id = Uuid.zero
        var partitions: [PartitionResponse] = []
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&name, until: 12)
            try c.field(&id, since: 13)
            try c.field(&partitions)
        }
    }

    struct Aborted: WireStruct {
        var producerId: Int64 = 0
        var firstOffset: Int64 = 0
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&producerId)
            try c.field(&firstOffset)
        }
    }

    struct PartitionResponse: WireStruct {
        var index: Int32 = 0
        var error = ErrorCode.none
        var highWatermark: Int64 = -1
        var lastStableOffset: Int64 = -1
        var logStartOffset: Int64 = -1
        var aborted: [Aborted]?
        var preferredReadReplica: Int32 = -1
        var records = Records()
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&index)
            try c.field(&error)
            try c.field(&highWatermark)
            try c.field(&lastStableOffset)
            try c.field(&logStartOffset, since: 5)
            try c.field(&aborted)
            try c.field(&preferredReadReplica, since: 11)
            try c.records(&records)
        }
    }

    var replicaId: Int32 = -1
    var maxWaitMs: Int32 = 0
    var minBytes: Int32 = 0
    var maxBytes: Int32 = .max
    var isolationLevel: Int8 = 0
    var sessionId: Int32 = 0
    var sessionEpoch: Int32 = -1
    var topics: [Topic] = []
    var forgotten: [ForgottenTopic] = []
    var rackId = ""

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&replicaId, until: 14)
        try c.field(&maxWaitMs)
        try c.field(&minBytes)
        try c.field(&maxBytes)
        try c.field(&isolationLevel)
        try c.field(&sessionId, since: 7)
        try c.field(&sessionEpoch, since: 7)
        try c.field(&topics)
        try c.field(&forgotten, since: 7)
        try c.field(&rackId, since: 11)
    }

    func failed(_ error: ErrorCode) -> Response {
        // Partition errors, not the whole answer's: that is where clients look below v7, and v7's codes are the session's.
        Response(
            topics: topics.map { topic in
                TopicResponse(
                    name: topic.name, id: topic.id,
                    partitions: topic.partitions.map { PartitionResponse(index: $0.index, error: error) })
            })
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        guard sessionId == 0 else { return reply(Response(error: .fetchSessionIdNotFound)) }
        let pending = PendingFetch(self, reply, cluster)
        if pending.tryAnswer(final: maxWaitMs <= 0) { return }
        pending.wait()
    }
}

/// A Fetch that waits for `minBytes` or its deadline. It is looked at when one of its partitions changes, never polled.
final class PendingFetch {
    /// Bytes given for one request at most, whatever it asks.
    static let maxBytes = 64 << 20

    private let request: FetchRequest
    private let reply: Reply<FetchRequest>
    private unowned let cluster: Cluster
    private var timer: Timers.Timer?
    /// Bytes that could be read when last looked, plus what was appended since.
    private var available = 0
    private(set) var isAnswered = false

    init(_ request: FetchRequest, _ reply: Reply<FetchRequest>, _ cluster: Cluster) {
        self.request = request
        self.reply = reply
        self.cluster = cluster
    }

    /// Registers with its partitions and the clock.
    func wait() {
        for topic in request.topics {
            guard let found = self.topic(topic) else { continue }
            for partition in topic.partitions { found.partition(partition.index)?.wait(self) }
        }
        timer = cluster.timers.schedule(atMs: cluster.monotonicMs + Int64(request.maxWaitMs)) { [weak self] in
            _ = self?.tryAnswer(final: true)
        }
    }

    /// `bytes` more are in one of the partitions, or something else about it has changed.
    func partitionChanged(bytes: Int) {
        guard !isAnswered else { return }
        available += bytes
        // Without new bytes a transaction was decided, a topic deleted, a partition thawed: look again.
        if bytes == 0 || available >= Int(request.minBytes) { _ = tryAnswer(final: false) }
    }

    private func topic(_ topic: FetchRequest.Topic) -> ClusterTopic? {
        let name = reply.version >= 13 ? cluster.topicNames[topic.id] : topic.name
        return name.flatMap { cluster.topics[$0] }
    }

    /// Answers if enough can be read, something is wrong with a partition, or this is the last moment.
    func tryAnswer(final: Bool) -> Bool {
        guard !isAnswered else { return true }
        var response = FetchRequest.Response()
        var left = min(Int(request.maxBytes), Self.maxBytes)
        var total = 0
        var hasError = false
        for topic in request.topics {
            let found = self.topic(topic)
            var answered = FetchRequest.TopicResponse(name: topic.name, id: topic.id)
            for partition in topic.partitions {
                let result = read(partition, of: found, left: left, isFirst: total == 0)
                let bytes = result.records.regions.reduce(0) { $0 + $1.length }
                total += bytes
                left -= bytes
                hasError = hasError || result.error != .none
                answered.partitions.append(result)
            }
            response.topics.append(answered)
        }
        available = total
        guard final || hasError || total >= Int(request.minBytes) || request.topics.isEmpty else { return false }
        isAnswered = true
        timer?.cancel()
        reply(response)
        return true
    }

    private func read(
        _ asked: FetchRequest.PartitionRequest, of topic: ClusterTopic?, left: Int, isFirst: Bool
    ) -> FetchRequest.PartitionResponse {
        var result = FetchRequest.PartitionResponse(index: asked.index)
        guard let topic else {
            result.error = reply.version >= 13 ? .unknownTopicId : .unknownTopicOrPartition
            return result
        }
        guard let partition = topic.partition(asked.index) else {
            result.error = .unknownTopicOrPartition
            return result
        }
        let log = partition.log
        result.error = cluster.leaderEpochError(asked.currentLeaderEpoch)
        guard result.error == .none else { return result }
        result.highWatermark = log.endOffset
        result.lastStableOffset = log.lastStableOffset
        result.logStartOffset = log.startOffset
        guard (log.startOffset...log.endOffset).contains(asked.fetchOffset) else {
            result.error = .offsetOutOfRange
            return result
        }
        let isCommittedOnly = request.isolationLevel == 1
        if isCommittedOnly { result.aborted = [] }
        guard !partition.isFrozen else { return result }
        let limit = isCommittedOnly ? result.lastStableOffset : result.highWatermark
        let bytes = min(Int(asked.maxBytes), left)
        if let found = log.read(from: asked.fetchOffset, below: limit, maxBytes: bytes, atLeastOneBatch: isFirst) {
            result.records.regions = [found.region]
            if isCommittedOnly {
                result.aborted = log.aborted(from: asked.fetchOffset, below: found.offsetBound)
                    .map { FetchRequest.Aborted(producerId: $0.producerId, firstOffset: $0.firstOffset) }
            }
        }
        return result
    }
}
