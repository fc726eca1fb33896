/// Reads expressions by recursive descent over the grammar of JOBS.md "Expressions".
public struct ExpressionParser {
    /// The height a tree may have. It bounds the stack of everything that walks the tree.
    public static let heightMax = 200

    /// A subtree with its height.
    struct Part {
        var expression: Expression
        var height: Int
        var range: SourceRange
    }

    private var lexer: ExpressionLexer
    private(set) var token: ExpressionLexer.Token
    private(set) var range: SourceRange
    /// Where the token before this one ended.
    private(set) var previousEnd = 0
    private var depth = 0

    init(_ text: String) throws(ExpressionError) {
        lexer = ExpressionLexer(text)
        (token, range) = try lexer.next()
    }

    /// Reads a whole text as one expression.
    public static func parse(_ text: String) throws(ExpressionError) -> Expression {
        var parser = try ExpressionParser(text)
        let expression = try parser.expression()
        try parser.expectEnd()
        return expression
    }

    // MARK: What the aggregate parser uses too

    mutating func expression() throws(ExpressionError) -> Expression { try or().expression }

    mutating func advance() throws(ExpressionError) {
        previousEnd = range.end
        (token, range) = try lexer.next()
    }

    func isSymbol(_ text: String) -> Bool { token == .symbol(text) }

    func isWord(_ text: String) -> Bool { token == .word(text) }

    mutating func expect(_ symbol: String, _ wanted: String) throws(ExpressionError) {
        guard isSymbol(symbol) else { throw unexpected(wanted) }
        try advance()
    }

    func expectEnd() throws(ExpressionError) {
        guard token != .end else { return }
        if isSymbol(")") { throw ExpressionError("`)` without `(`", at: range) }
        throw unexpected("an operator or the end")
    }

    func unexpected(_ wanted: String) -> ExpressionError {
        let found =
            switch token {
            case .number(let value): "the number \(ExpressionPrinter.number(value))"
            case .string(let value): "the string \(ExpressionPrinter.string(value))"
            case .word(let word): "`\(word)`"
            case .column(let reference): "the column \(reference)"
            case .symbol(let symbol): "`\(symbol)`"
            case .end: "the end"
            }
        var hint: String?
        if case .word(let word) = token {
            let lower = word.lowercased()
            if lower != word, ExpressionLexer.keywords.contains(lower) { hint = "did you mean `\(lower)`?" }
        }
        return ExpressionError("expected \(wanted), found \(found)", at: range, hint: hint)
    }

    /// From `start` to the end of the token before this one.
    func rangeFrom(_ start: SourceRange) -> SourceRange {
        SourceRange(offset: start.offset, length: previousEnd - start.offset)
    }

    // MARK: The grammar, loosest first

    private mutating func or() throws(ExpressionError) -> Part {
        var left = try and()
        while isWord("or") || isSymbol("||") {
            try advance()
            let right = try and()
            left = try joined(.or, left, right)
        }
        return left
    }

    private mutating func and() throws(ExpressionError) -> Part {
        var left = try not()
        while isWord("and") || isSymbol("&&") {
            try advance()
            let right = try not()
            left = try joined(.and, left, right)
        }
        return left
    }

    private mutating func not() throws(ExpressionError) -> Part {
        guard isWord("not") || isSymbol("!") else { return try comparison() }
        let start = range
        try advance()
        let operand = try nested { parser throws(ExpressionError) in try parser.not() }
        return try grown(.not(operand.expression), from: start, over: operand.height)
    }

    private static let comparisons: [String: BinaryOperator] = [
        "==": .equal, "=": .equal, "!=": .notEqual, "<": .less, "<=": .lessOrEqual, ">": .greater,
        ">=": .greaterOrEqual, "=~": .matches, "!~": .doesNotMatch,
    ]

    private var comparisonOperator: BinaryOperator? {
        guard case .symbol(let symbol) = token else { return nil }
        return Self.comparisons[symbol]
    }

    private mutating func comparison() throws(ExpressionError) -> Part {
        let left = try sum()
        if let op = comparisonOperator {
            try advance()
            let right = try sum()
            let result = try joined(op, left, right)
            if comparisonOperator != nil || isWord("in") {
                throw ExpressionError(
                    "comparisons do not chain", at: range, hint: "join them with `and`, or use parentheses")
            }
            return result
        }
        var isNegated = false
        if isWord("not") {
            try advance()
            guard isWord("in") else { throw unexpected("`in` after `not`") }
            isNegated = true
        }
        guard isWord("in") else { return left }
        try advance()
        try expect("(", "`(` after `in`")
        var values = [try literal()]
        while isSymbol(",") {
            try advance()
            values.append(try literal())
        }
        try expect(")", "`,` or `)`")
        return try grown(
            .membership(left.expression, values, isNegated: isNegated), from: left.range, over: left.height)
    }

    private mutating func literal() throws(ExpressionError) -> ExpressionLiteral {
        let isNegative = isSymbol("-")
        if isNegative { try advance() }
        let value: ExpressionLiteral
        switch token {
        case .number(let number): value = .number(isNegative ? -number : number)
        case .string(let text) where !isNegative: value = .string(text)
        case .word("true") where !isNegative: value = .boolean(true)
        case .word("false") where !isNegative: value = .boolean(false)
        case .word("null") where !isNegative: value = .null
        default:
            throw unexpected(isNegative ? "a number after `-`" : "a literal (a number, a string, true, false or null)")
        }
        try advance()
        return value
    }

    private mutating func sum() throws(ExpressionError) -> Part {
        var left = try product()
        while true {
            let op: BinaryOperator
            if isSymbol("+") { op = .add } else if isSymbol("-") { op = .subtract } else { return left }
            try advance()
            let right = try product()
            left = try joined(op, left, right)
        }
    }

    private mutating func product() throws(ExpressionError) -> Part {
        var left = try unary()
        while true {
            let op: BinaryOperator
            if isSymbol("*") {
                op = .multiply
            } else if isSymbol("/") {
                op = .divide
            } else if isSymbol("%") {
                op = .remainder
            } else {
                return left
            }
            try advance()
            let right = try unary()
            left = try joined(op, left, right)
        }
    }

    private mutating func unary() throws(ExpressionError) -> Part {
        guard isSymbol("-") else { return try atom() }
        let start = range
        try advance()
        let operand = try nested { parser throws(ExpressionError) in try parser.unary() }
        return try grown(.negate(operand.expression), from: start, over: operand.height)
    }

    private mutating func atom() throws(ExpressionError) -> Part {
        let start = range
        let kind: Expression.Kind
        switch token {
        case .number(let value): kind = .literal(.number(value))
        case .string(let value): kind = .literal(.string(value))
        case .column(let reference): kind = .column(reference)
        case .word("true"): kind = .literal(.boolean(true))
        case .word("false"): kind = .literal(.boolean(false))
        case .word("null"): kind = .literal(.null)
        case .word(let word) where !ExpressionLexer.keywords.contains(word):
            try advance()
            guard isSymbol("(") else {
                return try grown(.column(ColumnReference(name: ByteString(word))), from: start, over: 0)
            }
            return try call(Expression.FunctionName(word, at: start))
        case .symbol("("):
            try advance()
            var inside = try nested { parser throws(ExpressionError) in try parser.or() }
            try expect(")", "`)`")
            inside.range = rangeFrom(start)
            return inside
        default: throw unexpected("a value")
        }
        try advance()
        return try grown(kind, from: start, over: 0)
    }

    private mutating func call(_ function: Expression.FunctionName) throws(ExpressionError) -> Part {
        try advance()
        var arguments: [Expression] = []
        var height = 0
        if !isSymbol(")") {
            while true {
                let argument = try nested { parser throws(ExpressionError) in try parser.or() }
                arguments.append(argument.expression)
                height = max(height, argument.height)
                guard isSymbol(",") else { break }
                try advance()
            }
        }
        try expect(")", arguments.isEmpty ? "a value or `)`" : "`,` or `)`")
        return try grown(.call(function, arguments), from: function.range, over: height)
    }

    // MARK: Bounds

    /// Runs `body` one level deeper; refuses to go deeper than `heightMax`, before the stack does.
    private mutating func nested(
        _ body: (inout ExpressionParser) throws(ExpressionError) -> Part
    ) throws(ExpressionError) -> Part {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.heightMax else { throw tooDeep(at: range) }
        return try body(&self)
    }

    private func grown(
        _ kind: Expression.Kind, from start: SourceRange, over height: Int
    ) throws(ExpressionError) -> Part {
        let whole = rangeFrom(start)
        guard height < Self.heightMax else { throw tooDeep(at: whole) }
        return Part(expression: Expression(kind, at: whole), height: height + 1, range: whole)
    }

    // The operands are parsed before the call: an argument that moves the parser would leave `self` behind at the call.
    private func joined(_ op: BinaryOperator, _ left: Part, _ right: Part) throws(ExpressionError) -> Part {
        try grown(
            .binary(op, left.expression, right.expression), from: left.range, over: max(left.height, right.height))
    }

    private func tooDeep(at range: SourceRange) -> ExpressionError {
        ExpressionError(
            "this expression is nested more than \(Self.heightMax) levels deep", at: range,
            hint: "name parts of it under `columns` or `derive`, or use `in (…)` for long lists")
    }
}
