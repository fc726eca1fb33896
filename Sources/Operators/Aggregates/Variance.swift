import StreamEngine

/// `variance(x)`: the variance of the sample; null for fewer than two rows; NaN where a value is NaN or infinite.
public struct Variance: Aggregate {
    public static let name = "variance"
    public static let summary = "the variance of the sample; null for fewer than two rows"
    public static let argument = AggregateArgument.number
    public static let parameter: ClosedRange<Double>? = nil

    public init(parameter: Double?, type: ValueType) {}

    public var states: [StateKind] { [.of(CentralMoments.self, identity: CentralMoments.identity)] }

    public var resultType: ColumnType { .double }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        let moments = Cells.states(states[0], of: CentralMoments.self)
        return Cells.doubles(groups) { moments[$0].variance(correction: 1) }
    }
}
