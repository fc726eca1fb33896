/// A partition of a source, as summaries and messages name it.
public struct PartitionID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The source's name in the job.
    public let source: String
    /// The Kafka topic; for files, the source's name.
    public let topic: String
    public let partition: Int32

    /// A partition of a topic read by a source.
    public init(source: String, topic: String, partition: Int32) {
        self.source = source
        self.topic = topic
        self.partition = partition
    }

    /// Order of SEMANTICS §4: topic bytes, then partition number.
    public static func < (a: PartitionID, b: PartitionID) -> Bool {
        let x = ByteString(a.topic)
        let y = ByteString(b.topic)
        return x != y ? x < y : a.partition < b.partition
    }

    /// `topic/partition`.
    public var description: String { "\(topic)/\(partition)" }
}

/// What a read came back with.
public enum ReadOutcome: Sendable {
    /// Records were handed over and there may be more.
    case more
    /// Nothing more to read for now; a Kafka partition at its end, as the fetcher reported it.
    case caughtUp
    /// Nothing buffered, but the end has not been seen.
    case nothingYet
    /// The input is over (replay): no record will ever follow.
    case endOfInput

    /// Whether there may be more to read at once.
    var isMore: Bool {
        if case .more = self { return true }
        return false
    }
}

/// Reads one partition. Used by one thread at a time.
public protocol PartitionReader: AnyObject {
    var id: PartitionID { get }
    /// What its records are in, where that is not the source's format (result files of ours); nil: the source's.
    var recordFormat: (any Format)? { get }
    /// Hands over whole records, in order, until about `maxBytes` bytes or nothing more is at hand. Does not block.
    func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome
    /// The same, for one who wants to look again at the last record that `body` took: `last` is given it before its bytes
    /// go, at least once, also where reading fails at a later one; maybe earlier ones as well, in order.
    func read(
        maxBytes: Int, _ body: (RawRecord) throws -> Void, last: (RawRecord) -> Void
    ) throws -> ReadOutcome
    /// Total and consumed input bytes where known, for progress bars.
    var progress: (consumed: Int64, total: Int64)? { get }
    /// Gives back memory while the partition is paused for long (ahead of the others); the next read goes on where it
    /// stopped.
    func hibernate()
    /// The offset before which reading ends; nil where it does not, or where offsets are lines of a file.
    var endOffset: Int64? { get }
    /// The offset at which reading began; nil where offsets are lines of a file.
    var firstOffset: Int64? { get }
    func close()
}

extension PartitionReader {
    public func read(
        maxBytes: Int, _ body: (RawRecord) throws -> Void, last: (RawRecord) -> Void
    ) throws -> ReadOutcome {
        try read(maxBytes: maxBytes) {
            try body($0)
            last($0)
        }
    }

    public var endOffset: Int64? { nil }
    public var firstOffset: Int64? { nil }
}

extension PartitionReader {
    public var recordFormat: (any Format)? { nil }
}
