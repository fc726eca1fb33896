/// A column as an expression names it: `instance`, `` `any text` ``, or `labels.topic`.
public struct ColumnReference: Sendable, Hashable, CustomStringConvertible {
    /// The column's name; for `labels.X` the label's name X.
    public let name: ByteString
    /// Whether it was written `labels.X`: a label even where a column has the same name.
    public let isLabel: Bool

    /// A reference to a column, or with `isLabel` to a label whatever the columns are called.
    public init(name: ByteString, isLabel: Bool = false) {
        self.name = name
        self.isLabel = isLabel
    }

    /// As an expression writes it.
    public var description: String { ExpressionPrinter.column(self) }
}

/// A literal value.
public enum ExpressionLiteral: Sendable, Hashable {
    case null
    case number(Double)
    case string(ByteString)
    case boolean(Bool)
}

/// What stands between two operands.
public enum BinaryOperator: String, Sendable, Hashable, CaseIterable {
    case or, and
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case matches = "=~"
    case doesNotMatch = "!~"
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case remainder = "%"
}

/// A parsed expression (JOBS.md "Expressions"): a tree that knows where each part stands in the text.
///
/// Two expressions are equal when their trees are; places, blanks and redundant parentheses do not count.
public struct Expression: Sendable, Hashable, CustomStringConvertible {
    /// What an expression is made of.
    public indirect enum Kind: Sendable, Hashable {
        case literal(ExpressionLiteral)
        case column(ColumnReference)
        case negate(Expression)
        case not(Expression)
        case binary(BinaryOperator, Expression, Expression)
        /// `operand in (…)`, or `not in` where `isNegated`. Never empty.
        case membership(Expression, [ExpressionLiteral], isNegated: Bool)
        case call(FunctionName, [Expression])
    }

    /// The name of a called function, with its place.
    public struct FunctionName: Sendable, Hashable {
        public let name: String
        public let range: SourceRange

        /// A name at its place.
        public init(_ name: String, at range: SourceRange) {
            self.name = name
            self.range = range
        }

        /// Places do not count.
        public static func == (a: Self, b: Self) -> Bool { a.name == b.name }

        public func hash(into hasher: inout Hasher) { hasher.combine(name) }
    }

    public let kind: Kind
    /// Where it stands, without parentheses around it.
    public let range: SourceRange

    /// A part of a tree at its place.
    public init(_ kind: Kind, at range: SourceRange) {
        self.kind = kind
        self.range = range
    }

    /// Places do not count.
    public static func == (a: Self, b: Self) -> Bool { a.kind == b.kind }

    public func hash(into hasher: inout Hasher) { hasher.combine(kind) }

    /// Canonical text: parses back to an equal expression.
    public var description: String { ExpressionPrinter.text(of: self) }

    /// Every column it names, in the order of the text, each once.
    public var columns: [ColumnReference] {
        var found: [ColumnReference] = []
        func visit(_ expression: Expression) {
            switch expression.kind {
            case .literal: break
            case .column(let reference): if !found.contains(reference) { found.append(reference) }
            case .negate(let operand), .not(let operand), .membership(let operand, _, _): visit(operand)
            case .binary(_, let left, let right):
                visit(left)
                visit(right)
            case .call(_, let arguments): for argument in arguments { visit(argument) }
            }
        }
        visit(self)
        return found
    }
}
