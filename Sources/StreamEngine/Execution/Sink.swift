/// What names an epoch: `<incarnation>.<n>` (SEMANTICS §5).
public struct EpochToken: Sendable, Hashable, CustomStringConvertible {
    /// 128 random bits of this process as 32 hexadecimal digits.
    public let incarnation: String
    public let number: Int

    /// The token of an incarnation's n-th epoch.
    public init(incarnation: String, number: Int) {
        self.incarnation = incarnation
        self.number = number
    }

    public var description: String { "\(incarnation).\(number)" }

    /// A new incarnation: 128 random bits.
    public static func randomIncarnation() -> String {
        (0..<2).map { _ in
            let digits = String(UInt64.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

/// What a sink is told about the rows of one emission.
public struct EmissionInfo: Sendable {
    public let job: String
    public let query: String
    public let epoch: EpochToken
    /// The query's watermark, ms; nil before there is one.
    public let watermarkMs: Int64?

    /// Facts about one emission.
    public init(job: String, query: String, epoch: EpochToken, watermarkMs: Int64?) {
        self.job = job
        self.query = query
        self.epoch = epoch
        self.watermarkMs = watermarkMs
    }
}

/// JSON documents (late rows, dead letters, anomalies, impacts): one a line in files, one a message in Kafka.
public struct DocumentBatch: Sendable {
    /// Each document's JSON bytes, without line end.
    public var documents: [[UInt8]]
    /// Kafka keys; empty, or as many as documents.
    public var keys: [[UInt8]]

    /// Documents with or without keys.
    public init(documents: [[UInt8]], keys: [[UInt8]] = []) {
        self.documents = documents
        self.keys = keys
    }
}

/// A failure of a sink: what happened, where, and what to do.
public struct SinkError: Error, CustomStringConvertible {
    public let description: String
    /// Whether trying again may help (a broker out of reach) or not (a topic that does not exist).
    public let isRetriable: Bool
    /// Whether the reader of our output has gone (`| head`): nothing is wrong, and nobody wants the rest.
    public let isBrokenPipe: Bool

    /// An error in words.
    public init(_ description: String, isRetriable: Bool = false, isBrokenPipe: Bool = false) {
        self.description = description
        self.isRetriable = isRetriable
        self.isBrokenPipe = isBrokenPipe
    }
}

/// Where rows go. Everything written between two `publish` calls belongs to one epoch; nothing is visible to readers
/// before `publish` (console: shown at `publish`). Used by the coordinating thread only.
public protocol Sink: AnyObject {
    /// For the summary, such as `jsonl out/cpu`.
    var description: String { get }
    /// Takes rows in emission order.
    func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError)
    /// Takes documents in order.
    func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError)
    /// Makes what was written since the last epoch durable but not visible.
    func prepare(_ epoch: EpochToken) throws(SinkError)
    /// Makes a prepared epoch visible. Idempotent.
    func publish(_ epoch: EpochToken) throws(SinkError)
    /// Makes visible what another process prepared for an epoch that is known to be decided. Idempotent; does nothing
    /// where there is nothing (any more).
    func publishForeign(_ epoch: EpochToken) throws(SinkError)
    /// The form in which it takes anomalies and impacts.
    var findingForm: FindingForm { get }
    /// Whether `prepare` sends into the open transaction of the commit point, so that its decision publishes.
    var isTransactional: Bool { get }
    /// Throws away what was written or prepared and not published.
    func discard(_ epoch: EpochToken)
    /// Lets go of what was written or prepared and not published, and touches none of it: whether the epoch was decided is
    /// not known, and another process may publish it. Later output goes to new files; `publishForeign` of this epoch
    /// publishes what was prepared.
    func abandon(_ epoch: EpochToken)
    /// What a person should know that stops nothing, since the last call. Also asked after `close`.
    func takeNotices() -> [String]
    /// Flushes and closes; called once, after the last publish.
    func close() throws(SinkError)
    /// Files written so far and their bytes, for the summary; nil where it has no meaning.
    var written: (files: Int, bytes: Int64)? { get }
}

extension Sink {
    /// Most sinks keep nothing that another process could publish.
    public func publishForeign(_ epoch: EpochToken) throws(SinkError) {}
    public func takeNotices() -> [String] { [] }
    public var isTransactional: Bool { false }
    public var findingForm: FindingForm { .document }
}
