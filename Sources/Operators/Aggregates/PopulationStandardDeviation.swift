import StreamEngine

/// `stddev_pop(x)`: the standard deviation of the population; 0 for one row, null without a row; NaN where a value is
/// NaN or infinite.
public struct PopulationStandardDeviation: Aggregate {
    public static let name = "stddev_pop"
    public static let summary = "the standard deviation of the population; 0 for one row, null without a row"
    public static let argument = AggregateArgument.number
    public static let parameter: ClosedRange<Double>? = nil

    public init(parameter: Double?, type: ValueType) {}

    public var states: [StateKind] { [.of(CentralMoments.self, identity: CentralMoments.identity)] }

    public var resultType: ColumnType { .double }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        let moments = Cells.states(states[0], of: CentralMoments.self)
        return Cells.doubles(groups) { moments[$0].variance(correction: 0).map { $0.squareRoot() } }
    }
}
