import Platform
import StreamEngine

/// State of `sum` and part of `avg`: a sum with the rounding it lost (A. Neumaier, "Rundungsfehleranalyse einiger
/// Verfahren zur Summation endlicher Summen", 1974). 16 bytes.
///
/// The lost part of each addition is found by Knuth's TwoSum, which gives the same bits as Neumaier's comparison of
/// magnitudes without its branch. Once the sum is infinite or NaN nothing is lost any more: `lost` never becomes NaN
/// by Inf - Inf, so +Inf with finite values stays +Inf, and +Inf with -Inf is NaN (SEMANTICS §8).
public struct CompensatedSum: AggregateState {
    static let identity = "sum"

    /// The plain running sum; -0 when empty, the one value that adds nothing to anything.
    private var sum = -0.0
    /// What rounding has taken from `sum`; NaN marks the empty state and nothing else.
    private var lost = Double.nan

    public init() {}

    public static var ignoresTime: Bool { true }

    /// The sum, or nil without a row.
    @inline(__always)
    public var total: Double? { lost.isNaN ? nil : sum + lost }

    @inline(__always)
    public mutating func update(_ value: Double, at timestampMs: Int64) { add(value, lost: 0) }

    /// Keeps both compensations: the sums are added as two values are, what that loses is added to both losses.
    @inline(__always)
    public mutating func merge(_ later: Self) {
        guard !later.lost.isNaN else { return }
        add(later.sum, lost: later.lost)
    }

    @inline(__always)
    private mutating func add(_ value: Double, lost otherLost: Double) {
        let next = sum + value
        let taken = next - sum
        let error = (sum - (next - taken)) + (value - taken)
        lost = (lost.isNaN ? 0 : lost) + otherLost + (error.isFinite ? error : 0)
        sum = next
    }

    /// A sum and what it has lost, in a vector's loop.
    private typealias Parts = (sum: Double, lost: Double)

    /// How many groups are added up before a look at whether all is well.
    private static let run = 32

    /// Adds `theirs(i)` to `mine(i)` for all i below `count`, into `target`. Where both have rows and nothing is infinite or
    /// NaN, which is nearly always, the cases of `add` fall away, and one look at the losses of a run tells that they did;
    /// `exact(i)` gives the state where they did not.
    @inline(__always)
    private static func combine(
        count: Int, into target: UnsafeMutablePointer<Self>, mine: (Int) -> Parts, theirs: (Int) -> Parts,
        exact: (Int) -> Self
    ) {
        withUnsafeTemporaryAllocation(of: Self.self, capacity: run) { room in
            guard let sums = room.baseAddress else { return }
            ColumnRuns.forEach(of: run, upTo: count) { range in
                let start = range.lowerBound
                var notFinite: UInt64 = 0
                for index in range {
                    let (mine, theirs) = (mine(index), theirs(index))
                    let next = mine.sum + theirs.sum
                    let taken = next - mine.sum
                    let error = (mine.sum - (next - taken)) + (theirs.sum - taken)
                    let lost = mine.lost + theirs.lost + error
                    sums[index &- start].sum = next
                    sums[index &- start].lost = lost
                    notFinite |= LoneRow.notFinite(lost)
                }
                if notFinite & LoneRow.mark == 0 {
                    (target + start).update(from: sums, count: range.count)
                } else {
                    for index in range { target[index] = exact(index) }
                }
            }
        }
    }

    public static func combine(
        _ earlier: UnsafePointer<Self>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        combine(count: count, into: target) {
            (earlier[$0].sum, earlier[$0].lost)
        } theirs: {
            (later[$0].sum, later[$0].lost)
        } exact: {
            var state = earlier[$0]
            state.merge(later[$0])
            return state
        }
    }

    // The state of a lone value is the value, of which nothing is lost.

    public static func append(lone values: UnsafePointer<Double>, count: Int, to target: UnsafeMutablePointer<Self>) {
        combine(count: count, into: target) {
            (target[$0].sum, target[$0].lost)
        } theirs: {
            (values[$0], 0)
        } exact: {
            var state = target[$0]
            if !values[$0].isNaN { state.add(values[$0], lost: 0) }
            return state
        }
    }

    public static func combine(
        lone values: UnsafePointer<Double>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        combine(count: count, into: target) {
            (values[$0], 0)
        } theirs: {
            (later[$0].sum, later[$0].lost)
        } exact: {
            var state = Self()
            if !values[$0].isNaN { state.add(values[$0], lost: 0) }
            state.merge(later[$0])
            return state
        }
    }

    public func encode(to writer: inout ByteWriter) {
        writer.write(sum)
        writer.write(lost)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        sum = try reader.readDouble()
        lost = try reader.readDouble()
    }
}
