/// A scalar: what an expression yields and what a cell of a result row holds.
public enum Value: Sendable, Equatable {
    case null
    case number(Double)
    case text(ByteString)
    case boolean(Bool)
}

/// The static type of an expression or a column.
public enum ValueType: String, Sendable, Hashable {
    case number, string, boolean
}
