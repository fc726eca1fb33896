import StreamEngine

/// `last(x)`: the value with the largest event time; of equal times the later record's, in the order of partitions,
/// offsets and places (SEMANTICS §8). Null without a row.
public struct Last: Aggregate {
    public static let name = "last"
    public static let summary = "the value with the largest event time; of equal times the later record's"
    public static let argument = AggregateArgument.numberOrText
    public static let parameter: ClosedRange<Double>? = nil

    private let isText: Bool

    public init(parameter: Double?, type: ValueType) { isText = type == .string }

    public var states: [StateKind] {
        [isText ? .ofText(LatestText.self, identity: "last.text") : .of(LatestValue.self, identity: "last")]
    }

    public var resultType: ColumnType { isText ? .text : .double }

    public func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData {
        if isText {
            let texts = Cells.textStates(states[0], of: LatestText.self)
            return Cells.texts(groups) { texts[$0].text }
        }
        let values = Cells.states(states[0], of: LatestValue.self)
        return Cells.doubles(groups) { values[$0].value }
    }
}
