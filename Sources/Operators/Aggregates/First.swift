import StreamEngine

/// `first(x)`: the value with the smallest event time; of equal times the earlier record's, in the order of
/// partitions, offsets and places (SEMANTICS §8). Null without a row.
public struct First: Aggregate {
    public static let name = "first"
    public static let summary = "the value with the smallest event time; of equal times the earlier record's"
    public static let argument = AggregateArgument.numberOrText
    public static let parameter: ClosedRange<Double>? = nil

    private let isText: Bool

    public init(parameter: Double?, type: ValueType) { isText = type == .string }

    public var states: [StateKind] {
        [isText ? .ofText(EarliestText.self, identity: "first.text") : .of(EarliestValue.self, identity: "first")]
    }

    public var resultType: ColumnType { isText ? .text : .double }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        if isText {
            let texts = Cells.textStates(states[0], of: EarliestText.self)
            return Cells.texts(groups) { texts[$0].text }
        }
        let values = Cells.states(states[0], of: EarliestValue.self)
        return Cells.doubles(groups) { values[$0].value }
    }
}
