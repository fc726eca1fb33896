import StreamEngine

/// `sum(x)`: compensated, so that the order of rows and the cut of batches do not show. NaN where a value is NaN or
/// where both infinities occur; null without a row.
public struct Sum: Aggregate {
    public static let name = "sum"
    public static let summary = "the sum, with rounding errors compensated"
    public static let argument = AggregateArgument.number
    public static let parameter: ClosedRange<Double>? = nil

    public init(parameter: Double?, type: ValueType) {}

    public var states: [StateKind] { [.of(CompensatedSum.self, identity: CompensatedSum.identity)] }

    public var resultType: ColumnType { .double }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        let sums = Cells.states(states[0], of: CompensatedSum.self)
        return Cells.doubles(groups) { sums[$0].total }
    }
}
