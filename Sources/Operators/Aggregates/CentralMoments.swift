import Platform
import StreamEngine

/// State of `stddev`, `variance` and their kin: count, mean and the sum of squared deviations, updated as by
/// B. P. Welford (1962) and merged as by Chan, Golub and LeVeque (1979). 24 bytes.
///
/// The mean is kept in two parts, to about 77 bits: deviations of 1e-3 around 1e9 keep all their figures, where one
/// double's mean would already be wrong in the fourth. The count and the mean's lower part share one word: 31 bits
/// and a Float, and beyond 2^31 rows, where one row moves the mean less, 39 bits and a Float's upper 24. Beyond 5e11
/// rows the count stands still.
///
/// A NaN or infinite value makes the sum of squares NaN, for good. A deviation beyond 1e154 overflows its square.
public struct CentralMoments: AggregateState {
    static let identity = "moments"

    private var mean = 0.0
    private var squares = 0.0
    /// Below 2^31 rows: the count above, a Float below. Else the highest bit, 39 bits of count, a Float's upper 24.
    private var packed: UInt64 = 0

    private static let largeMark: UInt64 = 1 << 63
    private static let countMax: UInt64 = (1 << 39) - 1

    public init() {}

    public static var ignoresTime: Bool { true }

    /// The number of rows.
    @inline(__always)
    public var count: UInt64 {
        packed < Self.largeMark ? packed >> 32 : (packed & ~Self.largeMark) >> 24
    }

    /// The variance over the count less `correction`: 1 for a sample's, 0 for a population's; nil when that is not
    /// above zero rows.
    @inline(__always)
    public func variance(correction: UInt64) -> Double? {
        guard count > correction else { return nil }
        return squares / Double(count - correction)
    }

    @inline(__always)
    private var meanRest: Double {
        let bits = packed < Self.largeMark ? packed : packed << 8
        return Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    }

    /// Moves the mean by `step`, keeping what the upper part cannot hold.
    @inline(__always)
    private mutating func moveMean(by step: Double, count: UInt64) {
        let add = meanRest + step
        let next = mean + add
        let taken = next - mean
        let rest = (mean - (next - taken)) + (add - taken)
        mean = next
        let bits = Self.bits(ofRest: rest)
        packed =
            count < 1 << 31 ? count << 32 | bits : Self.largeMark | min(count, Self.countMax) << 24 | bits >> 8
    }

    @inline(__always)
    public mutating func update(_ value: Double, at timestampMs: Int64) {
        let newCount = count + 1
        let deviation = (value - mean) - meanRest
        let step = deviation / Double(newCount)
        squares += deviation * (deviation - step)
        moveMean(by: step, count: newCount)
    }

    // Inlined, so that the division of one group overlaps with those of the next.
    @inline(__always)
    public mutating func merge(_ later: Self) {
        let theirCount = later.count
        guard theirCount > 0 else { return }
        let myCount = count
        guard myCount > 0 else {
            self = later
            return
        }
        let share = Double(theirCount) / Double(myCount &+ theirCount)
        let apart = (later.mean - mean) + (later.meanRest - meanRest)
        squares += later.squares + apart * apart * (Double(myCount) * share)
        moveMean(by: apart * share, count: myCount &+ theirCount)
    }

    /// Groups that are looked at together by `combine`.
    private static let run = 32

    /// A state below 2^31 rows in a vector's loop.
    private typealias Parts = (mean: Double, rest: Double, squares: Double)

    /// Merges states of `myCount` and `theirCount` rows, neither 0, together below 2^31: the counts' share is divided once
    /// for all of them. The same operations in the same order as `merge`, so the same bits.
    @inline(__always)
    private static func combine(
        _ range: Range<Int>, myCount: UInt64, theirCount: UInt64, into target: UnsafeMutablePointer<Self>,
        mine: (Int) -> Parts, theirs: (Int) -> Parts
    ) {
        let share = Double(theirCount) / Double(myCount &+ theirCount)
        let weight = Double(myCount) * share
        let packedCount = (myCount &+ theirCount) << 32
        for index in range {
            let (mine, theirs) = (mine(index), theirs(index))
            let apart = (theirs.mean - mine.mean) + (theirs.rest - mine.rest)
            let squares = mine.squares + (theirs.squares + apart * apart * weight)
            let add = mine.rest + apart * share
            let next = mine.mean + add
            let taken = next - mine.mean
            let rest = (mine.mean - (next - taken)) + (add - taken)
            target[index].mean = next
            target[index].squares = squares
            target[index].packed = packedCount | bits(ofRest: rest)
        }
    }

    @inline(__always)
    private static func parts(_ state: UnsafePointer<Self>) -> Parts {
        (state.pointee.mean, shortRest(state.pointee.packed), state.pointee.squares)
    }

    /// A lone value is the mean, and nothing is beside it. (0 is what -0 becomes as a mean.)
    @inline(__always)
    private static func parts(lone value: Double) -> Parts { (0 + value, 0, 0) }

    // Series that are scraped together have as many samples in each pane: where the groups of a run all have, they are merged
    // by vectors.

    public static func combine(
        _ earlier: UnsafePointer<Self>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        ColumnRuns.forEach(of: run, upTo: count) { range in
            let mine = earlier[range.lowerBound].packed
            let theirs = later[range.lowerBound].packed
            var difference: UInt64 = 0
            for index in range {
                difference |= (earlier[index].packed ^ mine) | (later[index].packed ^ theirs)
            }
            let (myCount, theirCount) = (mine >> 32, theirs >> 32)
            if difference >> 32 == 0, myCount > 0, theirCount > 0, myCount &+ theirCount < 1 << 31 {
                // Read and written through one pointer: of two, a vector's loop has to know that they do not overlap.
                if UnsafePointer(target) == earlier {
                    combine(range, myCount: myCount, theirCount: theirCount, into: target) {
                        parts(target + $0)
                    } theirs: {
                        parts(later + $0)
                    }
                } else {
                    combine(range, myCount: myCount, theirCount: theirCount, into: target) {
                        parts(earlier + $0)
                    } theirs: {
                        parts(later + $0)
                    }
                }
            } else {
                for index in range {
                    var state = earlier[index]
                    state.merge(later[index])
                    target[index] = state
                }
            }
        }
    }

    public static func fill(_ target: UnsafeMutablePointer<Self>, lone values: UnsafePointer<Double>, count: Int) {
        for index in 0..<count {
            let isThere = !values[index].isNaN
            target[index].mean = isThere ? 0 + values[index] : 0
            target[index].squares = 0
            target[index].packed = isThere ? 1 << 32 : 0
        }
    }

    public static func append(lone values: UnsafePointer<Double>, count: Int, to target: UnsafeMutablePointer<Self>) {
        ColumnRuns.forEach(of: run, upTo: count) { range in
            let myCount = commonCount(target, values, range)
            if myCount > 0 {
                combine(range, myCount: myCount, theirCount: 1, into: target) {
                    parts(target + $0)
                } theirs: {
                    parts(lone: values[$0])
                }
            } else {
                for index in range where !values[index].isNaN { target[index].merge(one(values[index])) }
            }
        }
    }

    public static func combine(
        lone values: UnsafePointer<Double>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        ColumnRuns.forEach(of: run, upTo: count) { range in
            let theirCount = commonCount(later, values, range)
            if theirCount > 0 {
                combine(range, myCount: 1, theirCount: theirCount, into: target) {
                    parts(lone: values[$0])
                } theirs: {
                    parts(later + $0)
                }
            } else {
                for index in range {
                    var state = values[index].isNaN ? Self() : one(values[index])
                    state.merge(later[index])
                    target[index] = state
                }
            }
        }
    }

    /// The number of rows of each of these groups, where they have as many and there is a lone value for each; else 0.
    @inline(__always)
    private static func commonCount(
        _ states: UnsafePointer<Self>, _ values: UnsafePointer<Double>, _ range: Range<Int>
    ) -> UInt64 {
        let first = states[range.lowerBound].packed
        var difference: UInt64 = 0
        var missing: UInt64 = 0
        for index in range {
            difference |= states[index].packed ^ first
            missing |= LoneRow.notFinite(values[index])
        }
        return difference >> 32 == 0 && missing & LoneRow.mark == 0 && first >> 32 < 1 << 30 ? first >> 32 : 0
    }

    /// The state of one row.
    @inline(__always)
    private static func one(_ value: Double) -> Self {
        var state = Self()
        state.update(value, at: 0)
        return state
    }

    /// The mean's lower part as a Float. Of means beyond 6e54 it may be more than a Float holds: these do without.
    @inline(__always)
    private static func bits(ofRest rest: Double) -> UInt64 {
        let short = Float(rest)
        return UInt64(short.isFinite ? short.bitPattern : 0)
    }

    /// The mean's lower part of a state below 2^31 rows.
    @inline(__always)
    private static func shortRest(_ packed: UInt64) -> Double {
        Double(Float(bitPattern: UInt32(truncatingIfNeeded: packed)))
    }

    public func encode(to writer: inout ByteWriter) {
        writer.write(mean)
        writer.write(squares)
        writer.write(packed)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        mean = try reader.readDouble()
        squares = try reader.readDouble()
        packed = try reader.read()
    }
}
