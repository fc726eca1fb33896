/// Every API the broker speaks, in one list. ApiVersions, dispatch, the documentation's table and the tests walk it.
enum ApiRegistry {
    /// All requests, by key.
    static let all: [any BrokerRequest.Type] = [
        ProduceRequest.self, FetchRequest.self, ListOffsetsRequest.self, MetadataRequest.self,
        OffsetCommitRequest.self, OffsetFetchRequest.self, FindCoordinatorRequest.self, JoinGroupRequest.self,
        HeartbeatRequest.self, LeaveGroupRequest.self, SyncGroupRequest.self, DescribeGroupsRequest.self,
        ListGroupsRequest.self, ApiVersionsRequest.self, CreateTopicsRequest.self, DeleteTopicsRequest.self,
        DeleteRecordsRequest.self, InitProducerIdRequest.self, OffsetForLeaderEpochRequest.self,
        AddPartitionsToTxnRequest.self, AddOffsetsToTxnRequest.self, EndTxnRequest.self,
        TxnOffsetCommitRequest.self, DescribeConfigsRequest.self, AlterConfigsRequest.self,
        CreatePartitionsRequest.self, DeleteGroupsRequest.self, IncrementalAlterConfigsRequest.self,
        OffsetDeleteRequest.self, DescribeClusterRequest.self, DescribeProducersRequest.self,
        DescribeTransactionsRequest.self, ListTransactionsRequest.self,
    ]

    private static let byKey: [Int16: any BrokerRequest.Type] = Dictionary(
        all.map { ($0.api.key, $0) }, uniquingKeysWith: { first, _ in first })

    /// The request type of a key.
    static func request(_ key: Int16) -> (any BrokerRequest.Type)? { byKey[key] }

    /// The request type with this name in the protocol guide, in any case.
    static func request(named name: String) -> (any BrokerRequest.Type)? {
        all.first { $0.api.name.lowercased() == name.lowercased() }
    }
}

/// The header before every request (Kafka protocol guide, "Request Header").
struct RequestHeader {
    let key: Int16
    let version: Int16
    let correlationId: Int32

    /// The first eight bytes, the same in all header versions; nil: too short.
    init?(_ frame: FrameBuffer) {
        guard frame.count >= 8 else { return nil }
        key = Int16(bigEndian: frame.bytes.loadUnaligned(as: Int16.self))
        version = Int16(bigEndian: frame.bytes.loadUnaligned(fromByteOffset: 2, as: Int16.self))
        correlationId = Int32(bigEndian: frame.bytes.loadUnaligned(fromByteOffset: 4, as: Int32.self))
    }

    /// Reads the client's name and, for flexible versions, the header's tagged fields; returns where the body starts.
    static func readRest(_ frame: FrameBuffer, flexible: Bool) throws(WireError) -> (clientId: String, bodyAt: Int) {
        // The name keeps its 16-bit length in the flexible header too, so that any broker can read it.
        var c = WireCodec(reading: frame, at: 8, version: 0, flexible: false)
        var clientId: String?
        try c.field(&clientId)
        guard flexible else { return (clientId ?? "", c.position) }
        var tagged = WireCodec(reading: frame, at: c.position, version: 0, flexible: true)
        try tagged.tags()
        return (clientId ?? "", tagged.position)
    }
}

extension BrokerRequest {
    /// Reads the request's body.
    static func decoded(_ frame: FrameBuffer, at bodyAt: Int, version: Int16) throws(WireError) -> Self {
        var c = WireCodec(
            reading: frame, at: bodyAt, version: version, flexible: version >= api.flexibleSince)
        var request = Self()
        try request.code(&c)
        try c.tags()
        return request
    }

    /// Reads and answers a request, as the faults in force have it.
    static func serve(
        _ frame: FrameBuffer, at bodyAt: Int, _ exchange: Exchange, _ cluster: Cluster
    ) throws(WireError) {
        let request = try decoded(frame, at: bodyAt, version: exchange.version)
        let reply = Reply<Self>(exchange: exchange)
        switch cluster.faults.next(for: api.key) {
        case nil: request.answer(reply, cluster)
        case .error(let code): reply(request.failed(code))
        case .drop: exchange.end(.disconnect)
        case .delay(let milliseconds):
            cluster.timers.schedule(atMs: cluster.monotonicMs + milliseconds) { request.answer(reply, cluster) }
        case .loseResponse:
            exchange.losesResponse = true
            request.answer(reply, cluster)
        case .crash: cluster.gate.shut()
        }
    }
}
