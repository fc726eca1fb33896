/// A key of Kafka's protocol and what of it the broker speaks.
struct Api: Sendable, Equatable {
    let key: Int16
    let name: String
    let versions: ClosedRange<Int16>
    /// From this version on lengths are compact and structures end in tagged fields; `Int16.max`: never.
    let flexibleSince: Int16

    init(_ key: Int16, _ name: String, _ versions: ClosedRange<Int16>, flexibleSince: Int16) {
        self.key = key
        self.name = name
        self.versions = versions
        self.flexibleSince = flexibleSince
    }

    /// ApiVersions answers keep the first response header, so that clients can read them before they know us (KIP-511).
    func responseHeaderIsFlexible(_ version: Int16) -> Bool { version >= flexibleSince && key != 18 }
}

/// A request the broker answers: its fields, its answer, and the answer that says an error.
protocol BrokerRequest: WireStruct, SendableMetatype {
    associatedtype Response: WireStruct
    static var api: Api { get }
    /// Answers now, or keeps `reply` for later.
    func answer(_ reply: Reply<Self>, _ cluster: Cluster)
    /// The answer that says `error` wherever Kafka would say it.
    func failed(_ error: ErrorCode) -> Response
}

/// A request being answered. Answered once; an answer to a client that is gone goes nowhere.
final class Exchange {
    /// How it ends.
    enum Outcome {
        case respond(WireOutput)
        /// No response is due (Produce with acks=0).
        case nothing
        case disconnect
    }

    let api: Api
    let version: Int16
    let correlationId: Int32
    let clientId: String
    let clientHost: String
    private var finish: ((Outcome) -> Void)?
    /// A fault: apply the request, then close the connection without the response.
    var losesResponse = false

    init(
        api: Api, version: Int16, correlationId: Int32, clientId: String, clientHost: String,
        finish: @escaping (Outcome) -> Void
    ) {
        self.api = api
        self.version = version
        self.correlationId = correlationId
        self.clientId = clientId
        self.clientHost = clientHost
        self.finish = finish
    }

    /// Ends the exchange; later calls do nothing.
    func end(_ outcome: Outcome) {
        let finish = self.finish
        self.finish = nil
        finish?(losesResponse ? .disconnect : outcome)
    }

    /// Sends a response of this version.
    func respond<T: WireStruct>(_ response: T) {
        guard finish != nil else { return }
        var output = WireOutput()
        // Room for the frame's length.
        output.append(bigEndian: Int32(0))
        output.append(bigEndian: correlationId)
        let flexible = version >= api.flexibleSince
        if api.responseHeaderIsFlexible(version) { output.append(UInt8(0)) }
        var c = WireCodec(writing: version, flexible: flexible, into: output)
        var response = response
        do {
            try response.code(&c)
            try c.tags()
        } catch {
            // `WireCodec` throws for bytes it reads only.
            preconditionFailure("writing a response cannot fail: \(error)")
        }
        end(.respond(c.output))
    }
}

/// The typed end of an exchange.
struct Reply<Request: BrokerRequest> {
    let exchange: Exchange

    /// The request's version.
    var version: Int16 { exchange.version }

    /// Answers.
    func callAsFunction(_ response: Request.Response) { exchange.respond(response) }
}
