/// ApiVersions (key 18): what the broker speaks, from the registry. v3 flexible, with the client's name.
struct ApiVersionsRequest: BrokerRequest {
    static let api = Api(18, "ApiVersions", 0...4, flexibleSince: 3)

    struct Entry: WireStruct {
        var key: Int16 = 0
        var minVersion: Int16 = 0
        var maxVersion: Int16 = 0
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&key)
            try c.field(&minVersion)
            try c.field(&maxVersion)
        }
    }

    struct Response: WireStruct {
        var error = ErrorCode.none
        var keys: [Entry] = []
        var throttleTimeMs: Int32 = 0
        mutating func code(_ c: inout WireCodec) throws(WireError) {
            try c.field(&error)
            try c.field(&keys)
            try c.field(&throttleTimeMs, since: 1)
        }
    }

    var clientName = ""
    var clientVersion = ""

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&clientName, since: 3)
        try c.field(&clientVersion, since: 3)
    }

    func failed(_ error: ErrorCode) -> Response {
        let own = Self.api
        // For UNSUPPORTED_VERSION Kafka says which versions of this one API it knows.
        let entry = Entry(key: own.key, minVersion: own.versions.lowerBound, maxVersion: own.versions.upperBound)
        return Response(error: error, keys: error == .unsupportedVersion ? [entry] : [])
    }

    func answer(_ reply: Reply<Self>, _ cluster: Cluster) {
        let entries = ApiRegistry.all.map {
            Entry(
                key: $0.api.key, minVersion: $0.api.versions.lowerBound, maxVersion: $0.api.versions.upperBound)
        }
        reply(Response(keys: entries))
    }
}
