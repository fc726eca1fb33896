import Platform
import StreamEngine

/// State of `min` and `max`: the best value so far. 8 bytes.
///
/// NaN is passed over unless there is nothing else. `best` is the empty mark (a NaN of its own bits), an ordinary NaN
/// after nothing but NaN, or a number.
///
/// A protocol and no generic type: its loops are compiled once for each state, with the comparison in them, where those of a
/// generic type would ask for it at every value.
protocol ExtremeState: AggregateState {
    var best: Double { get set }
    /// Whether a value takes another's place: never one that is equal, nor where one of the two is NaN.
    static func isBetter(_ value: Double, than other: Double) -> Bool
}

/// State of `min`: the smallest value.
struct Smallest: ExtremeState {
    var best = ExtremeMark.empty

    @inline(__always)
    static func isBetter(_ value: Double, than other: Double) -> Bool { value < other }
}

/// State of `max`: the largest value.
struct Largest: ExtremeState {
    var best = ExtremeMark.empty

    @inline(__always)
    static func isBetter(_ value: Double, than other: Double) -> Bool { value > other }
}

extension ExtremeState {
    static var ignoresTime: Bool { true }

    /// The best value, or nil without a row.
    @inline(__always)
    var value: Double? { ExtremeMark.isEmpty(best) ? nil : best }

    @inline(__always)
    mutating func update(_ value: Double, at timestampMs: Int64) {
        if best.isNaN {
            best = value.isNaN ? .nan : value
        } else if Self.isBetter(value, than: best) {
            best = value
        }
    }

    @inline(__always)
    mutating func merge(_ later: Self) {
        guard let value = later.value else { return }
        update(value, at: 0)
    }

    static func combine(
        _ earlier: UnsafePointer<Self>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        ColumnRuns.forEach(of: ExtremeMark.run, upTo: count) { range in
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
                for index in range { target[index].best = better(target[index].best, later[index].best) }
            } else {
                for index in range { target[index].best = better(earlier[index].best, later[index].best) }
            }
        }
    }

    /// The better one of two; the first where neither is, or where one of them is NaN.
    @inline(__always)
    private static func better(_ mine: Double, _ theirs: Double) -> Double {
        isBetter(theirs, than: mine) ? theirs : mine
    }

    // A lone value is finite, or NaN where there is none: what is compared with NaN is not better.

    static func fill(_ target: UnsafeMutablePointer<Self>, lone values: UnsafePointer<Double>, count: Int) {
        for index in 0..<count { target[index].best = values[index].isNaN ? ExtremeMark.empty : values[index] }
    }

    static func append(lone values: UnsafePointer<Double>, count: Int, to target: UnsafeMutablePointer<Self>) {
        for index in 0..<count {
            let (mine, theirs) = (target[index].best, values[index])
            let there = mine.isNaN ? theirs : better(mine, theirs)
            target[index].best = theirs.isNaN ? mine : there
        }
    }

    static func combine(
        lone values: UnsafePointer<Double>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        for index in 0..<count {
            let (mine, theirs) = (values[index], later[index].best)
            target[index].best = mine.isNaN ? theirs : better(mine, theirs)
        }
    }

    func encode(to writer: inout ByteWriter) { writer.write(best) }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init()
        best = try reader.readDouble()
    }
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
