import StreamEngine

/// `quantile(q, x)`: the value at rank q·(n-1), exact for up to 32 values, then within 1 %; null without a row.
public struct Quantile: Aggregate {
    public static let name = "quantile"
    public static let summary = "the q-quantile, within 1 % of the values at the ranks around q·(n-1)"
    public static let argument = AggregateArgument.number
    public static let parameter: ClosedRange<Double>? = 0...1

    private let q: Double

    public init(parameter: Double?, type: ValueType) {
        guard let parameter else { preconditionFailure("the plan checks that quantile has its parameter") }
        q = parameter
    }

    public var states: [StateKind] { [.of(QuantileSketch.self, identity: "quantile")] }

    public var resultType: ColumnType { .double }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        let sketches = Cells.states(states[0], of: QuantileSketch.self)
        return Cells.doubles(groups) { sketches[$0].quantile(q) }
    }
}
