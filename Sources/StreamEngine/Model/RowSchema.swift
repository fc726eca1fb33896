/// The type of a result column.
public enum ColumnType: Sendable, Hashable {
    /// Milliseconds since the epoch, UTC.
    case timestamp
    case text
    case double
    case int64
    case boolean
}

/// What part a column plays in a row.
public enum ColumnRole: Sendable, Hashable {
    case windowStart, windowEnd, key, aggregate, derived
}

/// A column of a query's result rows.
public struct ColumnDescription: Sendable, Hashable {
    public let name: String
    public let type: ColumnType
    public let role: ColumnRole

    /// A named, typed column.
    public init(name: String, type: ColumnType, role: ColumnRole) {
        self.name = name
        self.type = type
        self.role = role
    }
}

/// The columns of a query's rows, in order: window_start, window_end, keys, aggregates, derived (SEMANTICS §4).
public struct RowSchema: Sendable, Hashable {
    public let columns: [ColumnDescription]

    /// A schema of these columns.
    public init(columns: [ColumnDescription]) {
        self.columns = columns
    }
}
