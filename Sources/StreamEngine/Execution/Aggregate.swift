/// A kind of state that aggregates of one query may share: `avg(x)` and `sum(x)` read the same sum.
public struct StateKind: Sendable {
    /// Names the state type, so that two aggregates over one argument and filter keep it once.
    public let identity: String
    /// Bytes a group and pane, for `explain`.
    public let bytesPerGroup: Int
    /// Whether a group's only row may stand as its value for the state of it.
    public let takesLoneRows: Bool
    public let make: @Sendable () -> any StateColumn

    /// A number state.
    public static func of<State: AggregateState>(_ type: State.Type, identity: String) -> StateKind {
        StateKind(identity: identity, bytesPerGroup: MemoryLayout<State>.stride, takesLoneRows: type.ignoresTime) {
            State.makeColumn()
        }
    }

    /// A text state.
    public static func ofText<State: TextAggregateState>(_ type: State.Type, identity: String) -> StateKind {
        StateKind(identity: identity, bytesPerGroup: MemoryLayout<State>.stride, takesLoneRows: false) {
            TextStateColumn<State>()
        }
    }

    @usableFromInline
    init(
        identity: String, bytesPerGroup: Int, takesLoneRows: Bool, make: @escaping @Sendable () -> any StateColumn
    ) {
        self.identity = identity
        self.bytesPerGroup = bytesPerGroup
        self.takesLoneRows = takesLoneRows
        self.make = make
    }
}

/// What an aggregate's argument may be.
public enum AggregateArgument: Sendable {
    /// `count()` or `count(x)`: nothing, a number or text.
    case optional
    /// `sum(x)`: numbers (booleans count as 1 and 0).
    case number
    /// `first(x)`: numbers or text.
    case numberOrText
}

/// An outer aggregate (JOBS.md). Adding one is one file in `Operators/Aggregates` and one line in the registry.
public protocol Aggregate: Sendable {
    /// The name in a job.
    static var name: String { get }
    /// One line for `--help` and the reference.
    static var summary: String { get }
    static var argument: AggregateArgument { get }
    /// The range of the leading number argument (`quantile(0.9, x)`), or nil where there is none.
    static var parameter: ClosedRange<Double>? { get }

    /// An aggregate for one column of a query. `type` is the argument's type (`number` for `count()`); booleans come
    /// as numbers.
    init(parameter: Double?, type: ValueType)
    /// The states it reads, in the order in which `result` is given them.
    var states: [StateKind] { get }
    /// The type of its cells.
    var resultType: ColumnType { get }
    /// The cells of `groups`, from the states named by `states`. A group without a row (all filtered out by the
    /// aggregate's own `where`) gives null, `count` gives 0.
    func result(_ states: [any StateColumn], groups: UnsafeBufferPointer<UInt32>) -> ColumnData
}

extension Aggregate {
    /// `count` as JOBS.md spells it.
    public var name: String { Self.name }
}
