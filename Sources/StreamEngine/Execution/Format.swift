import Platform

/// Raw bytes of one Kafka message, or of a chunk of whole lines of a file. Valid only during the call it is handed to.
public struct RawRecord {
    public let bytes: UnsafeBufferPointer<UInt8>
    /// The Kafka offset; for lines of a file, the number of the first line counted from 0.
    public let offset: Int64
    /// The Kafka record's timestamp in ms, nil for files: what a sample without a timestamp of its own takes.
    public let timestampMs: Int64?
    /// Whether the broker set `timestampMs` when it appended the record (a topic with LogAppendTime): then
    /// `maxFutureSkew` counts from it rather than from the clock (SEMANTICS §3).
    public let timestampIsLogAppend: Bool
    /// True for a file: every line is a record of its own, and `bytes` ends at a line's end (or at the file's).
    public let linesAreRecords: Bool

    /// A message or a chunk of lines.
    public init(
        bytes: UnsafeBufferPointer<UInt8>, offset: Int64, timestampMs: Int64?, timestampIsLogAppend: Bool = false,
        linesAreRecords: Bool
    ) {
        self.bytes = bytes
        self.offset = offset
        self.timestampMs = timestampMs
        self.timestampIsLogAppend = timestampIsLogAppend
        self.linesAreRecords = linesAreRecords
    }
}

/// What a decoder checks each sample against.
public struct DecodeLimits: Sendable {
    /// Labels a series may have, the name not counted.
    public var maxLabelsPerSeries = 64
    /// Bytes a line (for JSON: an element) may have, without its line end.
    public var maxLineBytes = 64 * 1024
    /// Bytes a message may have.
    public var maxMessageBytes = 16 * 1024 * 1024
    /// Event times outside are bad (`timestampOutOfRange`); set so that no window leaves Int64 milliseconds.
    public var timestampRangeMs: ClosedRange<Int64> = Int64.min...Int64.max

    /// The defaults of JOBS.md.
    public init() {}
}

/// Turns raw records of one partition into columns. One instance a task: it may keep look-up tables, but what a record
/// decodes to never depends on earlier records (but for `# TYPE` hints and repeated events).
public protocol RecordDecoder: AnyObject {
    /// Decodes one record: calls `batch.beginRun` once, appends its samples in order, counts `batch.records`, and
    /// appends what is bad to `batch.bad`. Never fails and never reads outside `record.bytes`, whatever they hold.
    /// A sample later than `latestTimestampMs` is bad (`futureTimestamp`); `Int64.max` when nothing is too late.
    func decode(
        _ record: RawRecord, latestTimestampMs: Int64, series: SeriesDictionary, into batch: SampleBatch)
    /// Writes, for a checkpoint, what later records' meaning depends on. Look-up tables are not part of it.
    func encodeState(to writer: inout ByteWriter)
    /// Reads back what `encodeState` wrote.
    func decodeState(from reader: inout ByteReader) throws(DecodingFailure)
}

extension RecordDecoder {
    // Most formats remember nothing.
    public func encodeState(to writer: inout ByteWriter) {}
    public func decodeState(from reader: inout ByteReader) throws(DecodingFailure) {}
}

/// What a format's records are.
public enum RecordKind: Sendable {
    /// Columns name, value, timestamp, labels, topic, partition, offset.
    case samples
    /// Columns timestamp, type, reason, severity, object, message and labels.
    case events
}

/// An input format (JOBS.md "Formats"). Adding one is one file and one line in the registry.
public protocol Format: Sendable {
    /// The name in a job's `format:`.
    var name: String { get }
    /// One line for `--help` and the reference.
    var summary: String { get }
    var kind: RecordKind { get }
    /// Whether records are text in lines, so that files can hold them. Others come in messages only: `replay --input`
    /// refuses files of them.
    var isLineBased: Bool { get }
    /// A decoder for one partition.
    func makeDecoder(limits: DecodeLimits) -> any RecordDecoder
}

extension Format {
    public var isLineBased: Bool { true }
}
