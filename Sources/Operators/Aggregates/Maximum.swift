import StreamEngine

/// `max(x)`: the largest value; NaN only where there is nothing else, null without a row.
public struct Maximum: Aggregate {
    public static let name = "max"
    public static let summary = "the largest value; NaN is passed over"
    public static let argument = AggregateArgument.number
    public static let parameter: ClosedRange<Double>? = nil

    public init(parameter: Double?, type: ValueType) {}

    public var states: [StateKind] { [.of(Largest.self, identity: "max")] }

    public var resultType: ColumnType { .double }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        let extremes = Cells.states(states[0], of: Largest.self)
        return Cells.doubles(groups) { extremes[$0].value }
    }
}
