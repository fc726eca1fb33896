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

    // Where both have rows and nothing is infinite or NaN, which is nearly always, the cases of `add` fall away and one look
    // at the result tells that they did.
    public static func combine(
        _ earlier: UnsafePointer<Self>, _ later: UnsafePointer<Self>, count: Int,
        into target: UnsafeMutablePointer<Self>
    ) {
        for index in 0..<count {
            let mine = earlier[index]
            let theirs = later[index]
            let next = mine.sum + theirs.sum
            let taken = next - mine.sum
            let error = (mine.sum - (next - taken)) + (theirs.sum - taken)
            let lost = mine.lost + theirs.lost + error
            if lost.magnitude < .infinity {
                target[index].sum = next
                target[index].lost = lost
            } else {
                var state = mine
                state.merge(theirs)
                target[index] = state
            }
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
