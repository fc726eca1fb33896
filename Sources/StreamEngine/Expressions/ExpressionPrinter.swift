/// Canonical text of expressions: one blank around operators, `==` for `=`, parentheses only where they are needed.
enum ExpressionPrinter {
    /// How tightly a construct binds; an operand that binds less tightly than its place asks for gets parentheses.
    private enum Level: Int {
        case or, and, not, comparison, sum, product, unary, atom
    }

    static func text(of expression: Expression) -> String { text(expression, atLeast: .or) }

    static func text(of call: AggregateCall) -> String {
        var arguments: [String] = []
        if let parameter = call.parameter { arguments.append(number(parameter.value)) }
        if let inner = call.inner {
            var parts: [String] = []
            if let leading = inner.leading { parts.append(number(leading.value)) }
            parts.append(text(of: inner.argument))
            parts += inner.trailing.map { number($0.value) }
            arguments.append("\(inner.function.name)(\(parts.joined(separator: ", ")))")
        } else if let argument = call.argument {
            arguments.append(text(of: argument))
        }
        let head = "\(call.function.name)(\(arguments.joined(separator: ", ")))"
        return call.filter.map { "\(head) where \(text(of: $0))" } ?? head
    }

    static func column(_ reference: ColumnReference) -> String {
        let text = reference.name.description
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        // A dotted name that begins with `labels` would read as a label's, and a keyword as itself.
        let isPlain =
            parts.allSatisfy(isIdentifier)
            && (reference.isLabel
                || !ExpressionLexer.keywords.contains(String(parts[0])) && (parts[0] != "labels" || parts.count == 1))
        let name =
            isPlain ? text : "`\(text.split(separator: "`", omittingEmptySubsequences: false).joined(separator: "``"))`"
        return reference.isLabel ? "labels.\(name)" : name
    }

    /// The shortest text that reads back as the same number.
    static func number(_ value: Double) -> String {
        let text = "\(value)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    static func string(_ value: ByteString) -> String { QuotedText.quote(value) }

    static func literal(_ literal: ExpressionLiteral) -> String {
        switch literal {
        case .null: "null"
        case .number(let value): number(value)
        case .string(let value): string(value)
        case .boolean(let value): value ? "true" : "false"
        }
    }

    private static func isIdentifier(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, ExpressionLexer.isIdentifierStart(first) else { return false }
        return text.utf8.allSatisfy(ExpressionLexer.isIdentifierPart)
    }

    private static func text(_ expression: Expression, atLeast wanted: Level) -> String {
        let (text, level) = describe(expression)
        return level.rawValue >= wanted.rawValue ? text : "(\(text))"
    }

    private static func describe(_ expression: Expression) -> (String, Level) {
        switch expression.kind {
        case .literal(let value): return (literal(value), .atom)
        case .column(let reference): return (column(reference), .atom)
        case .negate(let operand): return ("-\(text(operand, atLeast: .unary))", .unary)
        case .not(let operand): return ("not \(text(operand, atLeast: .not))", .not)
        case .binary(let op, let left, let right):
            let (level, leftLevel, rightLevel) = levels(of: op)
            return ("\(text(left, atLeast: leftLevel)) \(op.rawValue) \(text(right, atLeast: rightLevel))", level)
        case .membership(let operand, let values, let isNegated):
            let list = values.map(literal).joined(separator: ", ")
            return ("\(text(operand, atLeast: .sum)) \(isNegated ? "not in" : "in") (\(list))", .comparison)
        case .call(let function, let arguments):
            let list = arguments.map { text($0, atLeast: .or) }.joined(separator: ", ")
            return ("\(function.name)(\(list))", .atom)
        }
    }

    /// The operator's own level and what its operands must have; operators of one level associate to the left.
    private static func levels(of op: BinaryOperator) -> (Level, Level, Level) {
        switch op {
        case .or: (.or, .or, .and)
        case .and: (.and, .and, .not)
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .matches, .doesNotMatch:
            (.comparison, .sum, .sum)
        case .add, .subtract: (.sum, .sum, .product)
        case .multiply, .divide, .remainder: (.product, .product, .unary)
        }
    }
}
