import StreamEngine

/// `stddev(x)`: the standard deviation of the sample; null for fewer than two rows; NaN where a value is NaN or
/// infinite.
public struct StandardDeviation: Aggregate {
    public static let name = "stddev"
    public static let summary = "the standard deviation of the sample; null for fewer than two rows"
    public static let argument = AggregateArgument.number
    public static let parameter: ClosedRange<Double>? = nil

    public init(parameter: Double?, type: ValueType) {}

    public var states: [StateKind] { [.of(CentralMoments.self, identity: CentralMoments.identity)] }

    public var resultType: ColumnType { .double }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        let moments = Cells.states(states[0], of: CentralMoments.self)
        return Cells.doubles(groups) { moments[$0].variance(correction: 1).map { $0.squareRoot() } }
    }
}
