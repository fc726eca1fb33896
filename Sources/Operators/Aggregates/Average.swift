import StreamEngine

/// `avg(x)`: the compensated sum over the number of rows; null without a row.
public struct Average: Aggregate {
    public static let name = "avg"
    public static let summary = "the arithmetic mean, with rounding errors compensated"
    public static let argument = AggregateArgument.number
    public static let parameter: ClosedRange<Double>? = nil

    public init(parameter: Double?, type: ValueType) {}

    public var states: [StateKind] {
        [
            .of(CompensatedSum.self, identity: CompensatedSum.identity),
            .of(RowCount.self, identity: RowCount.identity),
        ]
    }

    public var resultType: ColumnType { .double }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        let sums = Cells.states(states[0], of: CompensatedSum.self)
        let counts = Cells.states(states[1], of: RowCount.self)
        return Cells.doubles(groups) { group in sums[group].total.map { $0 / Double(counts[group].count) } }
    }
}
