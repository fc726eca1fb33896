import Platform
import StreamEngine

/// State of `min`: the smallest value. 8 bytes.
///
/// NaN is passed over unless there is nothing else. `best` is the empty mark (a NaN of its own bits), an ordinary NaN
/// after nothing but NaN, or a number.
public struct Smallest: AggregateState {
    private var best = ExtremeMark.empty

    public init() {}

    /// The minimum, or nil without a row.
    @inline(__always)
    public var value: Double? { ExtremeMark.isEmpty(best) ? nil : best }

    @inline(__always)
    public mutating func update(_ value: Double, at timestampMs: Int64) {
        if best.isNaN {
            best = value.isNaN ? .nan : value
        } else if value < best {
            best = value
        }
    }

    @inline(__always)
    public mutating func merge(_ later: Self) {
        guard let value = later.value else { return }
        update(value, at: 0)
    }

    // Where neither is NaN, nor empty, which is a NaN, the better is taken without a branch.
    public static func combine(
        _ earlier: UnsafePointer<Self>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        for index in 0..<count {
            let mine = earlier[index]
            let theirs = later[index].best
            if mine.best.isNaN || theirs.isNaN {
                var state = mine
                state.merge(later[index])
                target[index] = state
            } else {
                target[index].best = theirs < mine.best ? theirs : mine.best
            }
        }
    }

    public func encode(to writer: inout ByteWriter) { writer.write(best) }

    public init(from reader: inout ByteReader) throws(DecodingFailure) { best = try reader.readDouble() }
}

/// State of `max`: the largest value. 8 bytes. NaN as in `Smallest`.
public struct Largest: AggregateState {
    private var best = ExtremeMark.empty

    public init() {}

    /// The maximum, or nil without a row.
    @inline(__always)
    public var value: Double? { ExtremeMark.isEmpty(best) ? nil : best }

    @inline(__always)
    public mutating func update(_ value: Double, at timestampMs: Int64) {
        if best.isNaN {
            best = value.isNaN ? .nan : value
        } else if value > best {
            best = value
        }
    }

    @inline(__always)
    public mutating func merge(_ later: Self) {
        guard let value = later.value else { return }
        update(value, at: 0)
    }

    // Where neither is NaN, nor empty, which is a NaN, the better is taken without a branch.
    public static func combine(
        _ earlier: UnsafePointer<Self>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        for index in 0..<count {
            let mine = earlier[index]
            let theirs = later[index].best
            if mine.best.isNaN || theirs.isNaN {
                var state = mine
                state.merge(later[index])
                target[index] = state
            } else {
                target[index].best = theirs > mine.best ? theirs : mine.best
            }
        }
    }

    public func encode(to writer: inout ByteWriter) { writer.write(best) }

    public init(from reader: inout ByteReader) throws(DecodingFailure) { best = try reader.readDouble() }
}

/// The NaN that stands for "no row yet" in `Smallest` and `Largest`. No value takes its bits: NaN values are stored as
/// the ordinary NaN.
enum ExtremeMark {
    static let bits: UInt64 = 0x7ff8_0000_656d_7074
    static var empty: Double { Double(bitPattern: bits) }

    @inline(__always)
    static func isEmpty(_ value: Double) -> Bool { value.bitPattern == bits }
}
