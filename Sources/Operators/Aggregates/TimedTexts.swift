import Platform
import StreamEngine

/// State of `first` over texts: see `EarliestValue`. 16 bytes and the text.
public struct EarliestText: TextAggregateState {
    private var timestampMs = Int64.max
    private var held = ByteString.empty

    public init() {}

    /// The text, or nil without a row.
    public var text: ByteString? { timestampMs == .max ? nil : held }

    public mutating func update(_ text: ByteString, at timestampMs: Int64) {
        guard timestampMs < self.timestampMs else { return }
        self.timestampMs = timestampMs
        held = text
    }

    public mutating func merge(_ later: Self) { update(later.held, at: later.timestampMs) }

    public func encode(to writer: inout ByteWriter) {
        writer.write(timestampMs)
        writer.write(lengthPrefixed: held.bytes)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        timestampMs = try reader.read()
        held = ByteString(bytes: try reader.readLengthPrefixed())
    }

    public var heapBytes: Int { held.count }
}

/// State of `last` over texts: see `LatestValue`. 16 bytes and the text.
public struct LatestText: TextAggregateState {
    private var timestampMs = Int64.min
    private var held = ByteString.empty

    public init() {}

    /// The text, or nil without a row.
    public var text: ByteString? { timestampMs == .min ? nil : held }

    public mutating func update(_ text: ByteString, at timestampMs: Int64) {
        guard timestampMs >= self.timestampMs else { return }
        self.timestampMs = timestampMs
        held = text
    }

    public mutating func merge(_ later: Self) {
        guard later.timestampMs != .min else { return }
        update(later.held, at: later.timestampMs)
    }

    public func encode(to writer: inout ByteWriter) {
        writer.write(timestampMs)
        writer.write(lengthPrefixed: held.bytes)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        timestampMs = try reader.read()
        held = ByteString(bytes: try reader.readLengthPrefixed())
    }

    public var heapBytes: Int { held.count }
}
