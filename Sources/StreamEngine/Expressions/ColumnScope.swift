/// How far a value reaches: what it can be computed from, and so how often.
public enum Dependence: Int, Sendable, Comparable {
    /// The same everywhere: computed once, when the job is checked.
    case constant
    /// Labels, name, topic and partition only: computed once for each series of a task.
    case perSeries
    /// Value, timestamp, offset, message or a result row's cells: computed for each row.
    case perRow

    /// By how often it must be computed.
    public static func < (a: Dependence, b: Dependence) -> Bool { a.rawValue < b.rawValue }
}

/// A column an expression may read.
public struct ColumnSlot: Sendable, Hashable {
    /// Under which number a row is asked for it (`ExpressionRow.value(slot:)`).
    public let slot: Int
    public let type: ValueType
    public let dependence: Dependence
    /// For numbers and booleans: whether a cell may be null. Any text may be.
    public let isNullable: Bool
    /// For numbers of each row: whether the column holds Int64 rather than Double (`NumericColumn`).
    public let isInteger: Bool

    /// A column behind its slot.
    public init(slot: Int, type: ValueType, dependence: Dependence, isNullable: Bool = false, isInteger: Bool = false) {
        self.slot = slot
        self.type = type
        self.dependence = dependence
        self.isNullable = isNullable
        self.isInteger = isInteger
    }
}

/// What a name stands for.
public enum ColumnMeaning: Sendable {
    /// A column of the row.
    case column(ColumnSlot)
    /// A column the job defines (`columns:`): its expression is put in its place.
    case definition(CompiledExpression)
}

/// The names an expression may use, and what they stand for.
public protocol ColumnScope {
    /// What a name stands for, or nil when nothing here is called so. A scope that takes any name as a label gives each
    /// new one a slot.
    mutating func meaning(of reference: ColumnReference) -> ColumnMeaning?
    /// Names to suggest for one that is not known.
    var columnNames: [String] { get }
}

/// A row an expression is evaluated over.
public protocol ExpressionRow {
    /// The cell of a slot of the scope the expression was compiled in: `null` for a missing label or a null cell,
    /// else of the slot's type.
    func value(slot: Int) -> Value
}
