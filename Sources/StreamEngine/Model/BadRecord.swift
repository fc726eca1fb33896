/// Why a record, line or element could not be used. A closed list: dead letters carry these names (JOBS.md).
public enum BadRecordReason: String, Sendable, CaseIterable {
    /// The line or element does not follow the format's grammar.
    case malformed
    /// The value is not a number.
    case badValue
    /// The timestamp cannot be read.
    case badTimestamp
    /// Neither the sample nor its record has a timestamp.
    case missingTimestamp
    /// The windows of this timestamp would leave Int64 milliseconds.
    case timestampOutOfRange
    /// The metric has no name, or one that is not allowed.
    case badName
    /// A label's name is not allowed, or its value cannot be read.
    case badLabel
    /// The same label stands twice.
    case duplicateLabel
    /// More labels than `limits.maxLabelsPerSeries`.
    case tooManyLabels
    /// Longer than `limits.maxLineBytes`.
    case lineTooLong
    /// Longer than `limits.maxMessageBytes`.
    case messageTooLarge
    /// Not UTF-8.
    case invalidUTF8
    /// Compressed bytes that do not decompress (remote-write).
    case badCompression
    /// Further ahead of the clock than `maxFutureSkew`.
    case futureTimestamp
    /// The same Kubernetes event object (uid, count, time) again.
    case duplicateEvent
}

/// A record, line or element that could not be used.
public struct BadRecord: Sendable {
    /// The record's Kafka offset; in a file, the number of the line counted from 0.
    public var offset: Int64
    /// 1-based place: line or element in a message; in a file, the number of the line.
    public var line: Int
    public var reason: BadRecordReason
    /// What was found, in words.
    public var detail: String
    /// The raw bytes of the line or element (of the whole message where it cannot be cut finer).
    public var raw: [UInt8]
    /// The Kafka record's own timestamp in ms; nil for files.
    public var recordTimestampMs: Int64?

    /// A bad record at its place.
    public init(
        offset: Int64, line: Int, reason: BadRecordReason, detail: String, raw: [UInt8], recordTimestampMs: Int64?
    ) {
        self.offset = offset
        self.line = line
        self.reason = reason
        self.detail = detail
        self.raw = raw
        self.recordTimestampMs = recordTimestampMs
    }
}
