import StreamEngine

/// `min(x)`: the smallest value; NaN only where there is nothing else, null without a row.
public struct Minimum: Aggregate {
    public static let name = "min"
    public static let summary = "the smallest value; NaN is passed over"
    public static let argument = AggregateArgument.number
    public static let parameter: ClosedRange<Double>? = nil

    public init(parameter: Double?, type: ValueType) {}

    public var states: [StateKind] { [.of(Smallest.self, identity: "min")] }

    public var resultType: ColumnType { .double }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        let extremes = Cells.states(states[0], of: Smallest.self)
        return Cells.doubles(groups) { extremes[$0].value }
    }
}
