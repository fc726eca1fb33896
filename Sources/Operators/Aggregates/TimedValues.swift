import Platform
import StreamEngine

/// State of `first` over numbers: the value with the smallest event time, of equals the one that came earlier. 16
/// bytes.
///
/// `Int64.max`, which no sample has (SEMANTICS §8, `timestampOutOfRange`), marks the empty state.
public struct EarliestValue: AggregateState {
    private var timestampMs = Int64.max
    private var held = 0.0

    public init() {}

    /// The value, or nil without a row.
    public var value: Double? { timestampMs == .max ? nil : held }

    @inline(__always)
    public mutating func update(_ value: Double, at timestampMs: Int64) {
        let isEarlier = timestampMs < self.timestampMs
        held = isEarlier ? value : held
        self.timestampMs = isEarlier ? timestampMs : self.timestampMs
    }

    @inline(__always)
    public mutating func merge(_ later: Self) { update(later.held, at: later.timestampMs) }

    public func encode(to writer: inout ByteWriter) {
        writer.write(timestampMs)
        writer.write(held)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        timestampMs = try reader.read()
        held = try reader.readDouble()
    }
}

/// State of `last` over numbers: the value with the largest event time, of equals the one that came later. 16 bytes.
/// `Int64.min` marks the empty state.
public struct LatestValue: AggregateState {
    private var timestampMs = Int64.min
    private var held = 0.0

    public init() {}

    /// The value, or nil without a row.
    public var value: Double? { timestampMs == .min ? nil : held }

    @inline(__always)
    public mutating func update(_ value: Double, at timestampMs: Int64) {
        let isLater = timestampMs >= self.timestampMs
        held = isLater ? value : held
        self.timestampMs = isLater ? timestampMs : self.timestampMs
    }

    @inline(__always)
    public mutating func merge(_ later: Self) {
        guard later.timestampMs != .min else { return }
        update(later.held, at: later.timestampMs)
    }

    public func encode(to writer: inout ByteWriter) {
        writer.write(timestampMs)
        writer.write(held)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        timestampMs = try reader.read()
        held = try reader.readDouble()
    }
}
