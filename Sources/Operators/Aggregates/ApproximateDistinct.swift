import StreamEngine

/// `approx_distinct(x)`: how many different values; exact up to 256, then with a standard error of 1.15 %. Zeros of
/// both signs are one value, so are all NaN. 0 without a row.
public struct ApproximateDistinct: Aggregate {
    public static let name = "approx_distinct"
    public static let summary = "how many different values: exact up to 256, then within about 1 %"
    public static let argument = AggregateArgument.numberOrText
    public static let parameter: ClosedRange<Double>? = nil

    private let isText: Bool

    public init(parameter: Double?, type: ValueType) { isText = type == .string }

    public var states: [StateKind] {
        [
            isText
                ? .ofText(DistinctSketch.self, identity: "approx_distinct.text")
                : .of(DistinctSketch.self, identity: "approx_distinct")
        ]
    }

    public var resultType: ColumnType { .int64 }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        let sketches =
            isText
            ? Cells.textStates(states[0], of: DistinctSketch.self) : Cells.states(states[0], of: DistinctSketch.self)
        return Cells.integers(groups) { sketches[$0].estimate }
    }
}
