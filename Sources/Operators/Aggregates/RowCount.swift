import Platform
import StreamEngine

/// State of `count` and part of `avg`: the number of rows. 8 bytes.
public struct RowCount: AggregateState, TextAggregateState {
    static let identity = "count"

    /// Never negative.
    public private(set) var count: Int64 = 0

    public init() {}

    @inline(__always)
    public mutating func update(_ value: Double, at timestampMs: Int64) { count &+= 1 }

    public mutating func update(_ text: ByteString, at timestampMs: Int64) { count &+= 1 }

    @inline(__always)
    public mutating func merge(_ later: Self) { count &+= later.count }

    public func encode(to writer: inout ByteWriter) { writer.write(count) }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        count = try reader.read()
        guard count >= 0 else { throw DecodingFailure("a negative count of rows") }
    }

    public var heapBytes: Int { 0 }
}
