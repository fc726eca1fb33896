/// DescribeCluster (key 60): the one broker. v1 endpoint type.
struct DescribeClusterRequest: BrokerRequest {
    static let api = Api(60, "DescribeCluster", 0...1, flexibleSince: 0)

    struct Response: WireStruct {
        var throttleTimeMs: Int32 = 0
        var error = ErrorCode.none
        var errorMessage: String?
        var endpointType: Int8 = 1
        var clusterId = ""
        var controllerId: Int32 = -1
        var brokers: [MetadataRequest.Broker] = []
        var authorizedOperations = Int32.min
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&throttleTimeMs)
            try c.field(&error)
            try c.field(&errorMessage)
            try c.field(&endpointType, since: 1)
            try c.field(&clusterId)
            try c.field(&controllerId)
            // A broker's fields are those of Metadata from its version 1 on; here they exist in every version.
            try codeBrokers(&c)
            try c.field(&authorizedOperations)
        }

        private mutating func codeBrokers(_ c: inout WireCodec) throws(WireError) {
            var described = brokers.map(Broker.init)
            try c.field(&described)
            if c.isReading { brokers = described.map(\.broker) }
        }
    }

    private struct Broker: WireStruct {
        var broker = MetadataRequest.Broker()
        init() {}
        init(_ broker: MetadataRequest.Broker) { self.broker = broker }
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&broker.nodeId)
            try c.field(&broker.host)
            try c.field(&broker.port)
            try c.field(&broker.rack)
        }
    }

    var includesOperations = false
    var endpointType: Int8 = 1

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&includesOperations)
        try c.field(&endpointType, since: 1)
    }

    func failed(_ error: ErrorCode) -> Response { Response(error: error) }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        guard endpointType == 1 else { return reply(failed(.unsupportedEndpointType)) }
        let broker = MetadataRequest.Broker(
            nodeId: Cluster.nodeId, host: cluster.advertised.host, port: cluster.advertised.port)
        reply(
            Response(
                clusterId: cluster.clusterIdText, controllerId: Cluster.nodeId, brokers: [broker]))
    }
}
