import Platform
import StreamEngine

/// State of `min`: the smallest value. 8 bytes.
///
/// NaN is passed over unless there is nothing else. `best` is the empty mark (a NaN of its own bits), an ordinary NaN
/// after nothing but NaN, or a number.
public struct Smallest: AggregateState {
    private var best = ExtremeMark.empty

    public init() {}

    public static var ignoresTime: Bool { true }

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

    public static func combine(
        _ earlier: UnsafePointer<Self>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        var start = 0
        while start < count {
            let range = start..<min(start &+ ExtremeMark.run, count)
            var notFinite: UInt64 = 0
            for index in range {
                notFinite |= LoneRow.notFinite(earlier[index].best) | LoneRow.notFinite(later[index].best)
            }
            if notFinite & LoneRow.mark != 0 {
                for index in range {
                    var state = earlier[index]
                    state.merge(later[index])
                    target[index] = state
                }
            } else if UnsafePointer(target) == earlier {
                // Read and written through one pointer: of two, a vector's loop has to know that they do not overlap.
                for index in range {
                    let (mine, theirs) = (target[index].best, later[index].best)
                    target[index].best = theirs < mine ? theirs : mine
                }
            } else {
                for index in range {
                    let (mine, theirs) = (earlier[index].best, later[index].best)
                    target[index].best = theirs < mine ? theirs : mine
                }
            }
            start = range.upperBound
        }
    }

    // A lone value is finite, or NaN where there is none: what is compared with NaN is not better.

    public static func fill(_ target: UnsafeMutablePointer<Self>, lone values: UnsafePointer<Double>, count: Int) {
        for index in 0..<count { target[index].best = values[index].isNaN ? ExtremeMark.empty : values[index] }
    }

    public static func append(lone values: UnsafePointer<Double>, count: Int, to target: UnsafeMutablePointer<Self>) {
        for index in 0..<count {
            let (mine, theirs) = (target[index].best, values[index])
            let better = theirs < mine ? theirs : mine
            let there = mine.isNaN ? theirs : better
            target[index].best = theirs.isNaN ? mine : there
        }
    }

    public static func combine(
        lone values: UnsafePointer<Double>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        for index in 0..<count {
            let (mine, theirs) = (values[index], later[index].best)
            let better = theirs < mine ? theirs : mine
            target[index].best = mine.isNaN ? theirs : better
        }
    }

    public func encode(to writer: inout ByteWriter) { writer.write(best) }

    public init(from reader: inout ByteReader) throws(DecodingFailure) { best = try reader.readDouble() }
}

/// State of `max`: the largest value. 8 bytes. NaN as in `Smallest`.
public struct Largest: AggregateState {
    private var best = ExtremeMark.empty

    public init() {}

    public static var ignoresTime: Bool { true }

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

    public static func combine(
        _ earlier: UnsafePointer<Self>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        var start = 0
        while start < count {
            let range = start..<min(start &+ ExtremeMark.run, count)
            var notFinite: UInt64 = 0
            for index in range {
                notFinite |= LoneRow.notFinite(earlier[index].best) | LoneRow.notFinite(later[index].best)
            }
            if notFinite & LoneRow.mark != 0 {
                for index in range {
                    var state = earlier[index]
                    state.merge(later[index])
                    target[index] = state
                }
            } else if UnsafePointer(target) == earlier {
                // Read and written through one pointer: of two, a vector's loop has to know that they do not overlap.
                for index in range {
                    let (mine, theirs) = (target[index].best, later[index].best)
                    target[index].best = theirs > mine ? theirs : mine
                }
            } else {
                for index in range {
                    let (mine, theirs) = (earlier[index].best, later[index].best)
                    target[index].best = theirs > mine ? theirs : mine
                }
            }
            start = range.upperBound
        }
    }

    // A lone value is finite, or NaN where there is none: what is compared with NaN is not better.

    public static func fill(_ target: UnsafeMutablePointer<Self>, lone values: UnsafePointer<Double>, count: Int) {
        for index in 0..<count { target[index].best = values[index].isNaN ? ExtremeMark.empty : values[index] }
    }

    public static func append(lone values: UnsafePointer<Double>, count: Int, to target: UnsafeMutablePointer<Self>) {
        for index in 0..<count {
            let (mine, theirs) = (target[index].best, values[index])
            let better = theirs > mine ? theirs : mine
            let there = mine.isNaN ? theirs : better
            target[index].best = theirs.isNaN ? mine : there
        }
    }

    public static func combine(
        lone values: UnsafePointer<Double>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        for index in 0..<count {
            let (mine, theirs) = (values[index], later[index].best)
            let better = theirs > mine ? theirs : mine
            target[index].best = mine.isNaN ? theirs : better
        }
    }

    public func encode(to writer: inout ByteWriter) { writer.write(best) }

    public init(from reader: inout ByteReader) throws(DecodingFailure) { best = try reader.readDouble() }
}

/// The NaN that stands for "no row yet" in `Smallest` and `Largest`. No value takes its bits: NaN values are stored as
/// the ordinary NaN.
enum ExtremeMark {
    /// Groups that are looked at together when columns are merged: where all values are finite, no case is left to look at.
    static let run = 64

    static let bits: UInt64 = 0x7ff8_0000_656d_7074
    static var empty: Double { Double(bitPattern: bits) }

    @inline(__always)
    static func isEmpty(_ value: Double) -> Bool { value.bitPattern == bits }
}
