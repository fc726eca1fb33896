import Platform
import StreamEngine

/// State of `count` and part of `avg`: the number of rows. 8 bytes.
public struct RowCount: AggregateState, TextAggregateState {
    static let identity = "count"

    /// Never negative.
    public private(set) var count: Int64 = 0

    public init() {}

    public static var ignoresTime: Bool { true }

    @inline(__always)
    public mutating func update(_ value: Double, at timestampMs: Int64) { count &+= 1 }

    public mutating func update(_ text: ByteString, at timestampMs: Int64) { count &+= 1 }

    @inline(__always)
    public mutating func merge(_ later: Self) { count &+= later.count }

    // Without a branch, as a vector's comparisons do it.

    public static func fill(_ target: UnsafeMutablePointer<Self>, lone values: UnsafePointer<Double>, count: Int) {
        for index in 0..<count { target[index].count = values[index].isNaN ? 0 : 1 }
    }

    public static func append(lone values: UnsafePointer<Double>, count: Int, to target: UnsafeMutablePointer<Self>) {
        for index in 0..<count { target[index].count &+= values[index].isNaN ? 0 : 1 }
    }

    public static func combine(
        lone values: UnsafePointer<Double>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        for index in 0..<count { target[index].count = later[index].count &+ (values[index].isNaN ? 0 : 1) }
    }

    public func encode(to writer: inout ByteWriter) { writer.write(count) }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        count = try reader.read()
        guard count >= 0 else { throw DecodingFailure("a negative count of rows") }
    }

    public var heapBytes: Int { 0 }
}
