import StreamEngine

/// `count()`: how many rows; `count(x)`: how many rows have an x. NaN counts. 0 for a group without a row.
public struct Count: Aggregate {
    public static let name = "count"
    public static let summary = "how many rows; count(x): how many have an x, NaN included"
    public static let argument = AggregateArgument.optional
    public static let parameter: ClosedRange<Double>? = nil

    private let isText: Bool

    public init(parameter: Double?, type: ValueType) { isText = type == .string }

    public var states: [StateKind] {
        [isText ? .ofText(RowCount.self, identity: "count.text") : .of(RowCount.self, identity: RowCount.identity)]
    }

    public var resultType: ColumnType { .int64 }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        guard isText else {
            let counts = Cells.states(states[0], of: RowCount.self)
            return Cells.integers(groups) { counts[$0].count }
        }
        let counts = Cells.textStates(states[0], of: RowCount.self)
        return Cells.integers(groups) { counts[$0].count }
    }
}
