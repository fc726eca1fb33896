import TestSupport
import Testing

@testable import StreamEngine

@Suite struct ExpressionParserTests {
    @Test(arguments: [
        ("1+2*3", "1 + 2 * 3"), ("(1+2)*3", "(1 + 2) * 3"), ("1-(2-3)", "1 - (2 - 3)"), ("1-2-3", "1 - 2 - 3"),
        ("a or b and not c", "a or b and not c"), ("(a || b) && !c", "(a or b) and not c"),
        ("!a == b", "not a == b"), ("not (a = b)", "not a == b"), ("(not a) == b", "(not a) == b"),
        ("-value", "-value"), ("- -1", "--1"), ("-(1+2)", "-(1 + 2)"), ("2 * -3", "2 * -3"),
        ("x in ('a', \"b\", null)", "x in (\"a\", \"b\", null)"),
        ("x not in (-1, 2.50, true)", "x not in (-1, 2.5, true)"),
        ("`a b`.c", "`a b.c`"), ("labels.topic != ''", "labels.topic != \"\""),
        ("http.status == '200'", "http.status == \"200\""),
        ("`labels.topic`", "`labels.topic`"), ("`in`", "`in`"), ("a.in", "a.in"), ("`x``y`", "`x``y`"),
        ("labels.`a-b`", "labels.`a-b`"),
        ("1e3 + .5 + 1.5E-3", "1000 + 0.5 + 0.0015"), ("'\\x41\\u00e9\\n'", "\"Aé\\n\""), ("'\\377'", "\"\\xff\""),
        ("if(value>0,'a',\"b\")", "if(value > 0, \"a\", \"b\")"), ("where", "where"), ("f()", "f()"),
        ("(x in (1)) == true", "(x in (1)) == true"), ("a =~ 'x.*' and b !~ \"y\"", "a =~ \"x.*\" and b !~ \"y\""),
    ])
    func `canonical text`(text: String, canonical: String) throws {
        let expression = try ExpressionParser.parse(text)
        #expect(expression.description == canonical)
        #expect(try ExpressionParser.parse(canonical) == expression)
    }

    @Test(arguments: [
        ("", "^ expected a value, found the end"),
        ("1 +", "   ^ expected a value, found the end"),
        ("value >= ", "         ^ expected a value, found the end"),
        ("(1 + 2", "      ^ expected `)`, found the end"),
        ("1 + 2)", "     ^ `)` without `(`"),
        ("a b", "  ^ expected an operator or the end, found `b`"),
        ("a AND b", "  ^^^ expected an operator or the end, found `AND`; did you mean `and`?"),
        ("a < b < c", "      ^ comparisons do not chain; join them with `and`, or use parentheses"),
        ("a & b", "  ^ unexpected `&`; did you mean `and`?"),
        (
            "up{a='b'}",
            "  ^ unexpected `{`; selectors stand in `select`; an expression names labels directly: mode == \"idle\""
        ),
        (
            "value > 5m",
            "        ^^ `5m` is not a number; numbers are written like 300, 0.5 or 1e9, durations in seconds or milliseconds as the column is"
        ),
        ("value > 1e999", "        ^^^^^ `1e999` is too large for a number"),
        ("mode == \"idle", "        ^^^^^ this string has no end; close it with \""),
        ("a =~ \"x\\.y\"", "       ^^ unknown escape `\\.`; write `\\\\` for a backslash"),
        ("`abc", "^^^^ this column name has no end; close it with `"),
        ("`` == 1", "^^ a column name is empty"),
        ("x in ()", "      ^ expected a literal (a number, a string, true, false or null), found `)`"),
        ("x in 1", "     ^ expected `(` after `in`, found the number 1"),
        ("x not 1", "      ^ expected `in` after `not`, found the number 1"),
        ("x in (-'a')", "       ^^^ expected a number after `-`, found the string \"a\""),
        ("f(1,)", "    ^ expected a value, found `)`"),
        ("é > 1", "^^ unexpected `é`"),
        ("a ; b", "  ^ unexpected `;`"),
    ])
    func `errors point at their place`(text: String, expected: String) {
        let error = expressionError { () throws(ExpressionError) in _ = try ExpressionParser.parse(text) }
        #expect(error.map { shown(text, $0) } == expected)
    }

    @Test(arguments: ["(", "-", "not ", "f(", "1+(", "a or (", "if(true,"])
    func `depth is bounded`(unit: String) {
        for count in [50, 199, 200, 5000, 100_000] {
            let text = String(repeating: unit, count: count)
            let error = expressionError { () throws(ExpressionError) in _ = try ExpressionParser.parse(text) }
            #expect(error != nil)
            if count >= 200 { #expect(error?.message == "this expression is nested more than 200 levels deep") }
        }
    }

    @Test(arguments: ["+1", " or a", "*x", " and b == 1"])
    func `long chains are bounded too`(unit: String) {
        #expect(throws: Never.self) { try ExpressionParser.parse("a" + String(repeating: unit, count: 190)) }
        let long = "a" + String(repeating: unit, count: 20_000)
        let error = expressionError { () throws(ExpressionError) in _ = try ExpressionParser.parse(long) }
        #expect(error?.message == "this expression is nested more than 200 levels deep")
    }

    @Test func `random trees survive printing and parsing`() throws {
        for seed in 0..<2000 {
            var random = SeededRandom(seed: UInt64(seed))
            let tree = Self.tree(depth: Int.random(in: 0...5, using: &random), &random)
            let text = tree.description
            let parsed = try ExpressionParser.parse(text)
            #expect(parsed == tree, "seed \(seed): \(text)")
            #expect(parsed.description == text)
        }
    }

    @Test func `random and mutated bytes never crash a parser`() {
        let pieces = [
            "a", "labels.", "`", "\"", "'", "\\", "(", ")", "{", "}", ",", "=", "~", "!", "<", "-", "+", "*", "1", ".5",
            "1e",
            "in", "not ", "and ", "or ", " where ", "é", "\u{1F600}", "\\u12", "\n", "[", "@", "#", "avg(", "rate(",
            "up", "__name__",
            "\0", "quantile(0.9,", "null", "=~", "(.*", "labels.`x`",
        ]
        for seed in 0..<4000 {
            var random = SeededRandom(seed: UInt64(seed))
            let count = Int.random(in: 0...25, using: &random)
            let text =
                seed.isMultiple(of: 4)
                ? String(decoding: (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }, as: UTF8.self)
                : (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            let length = text.utf8.count
            let errors = [
                expressionError { () throws(ExpressionError) in _ = try ExpressionParser.parse(text) },
                expressionError { () throws(ExpressionError) in _ = try AggregateCall.parse(text) },
                expressionError { () throws(ExpressionError) in _ = try SeriesSelector.parse(text) },
                expressionError { () throws(ExpressionError) in
                    var scope = SampleScope()
                    _ = try CompiledExpression(ExpressionParser.parse(text), in: &scope)
                },
            ]
            for case let error? in errors {
                #expect(
                    error.range.offset >= 0 && error.range.length >= 0 && error.range.end <= length,
                    "seed \(seed): \(error.range) of \(length) in \(text)")
            }
        }
    }

    // MARK: Random trees

    static func tree(depth: Int, _ random: inout SeededRandom) -> Expression {
        let nowhere = SourceRange(offset: 0, length: 0)
        guard depth > 0 else {
            let kind: Expression.Kind =
                switch Int.random(in: 0...3, using: &random) {
                case 0: .literal(literal(&random, isSigned: false))
                case 1: .column(ColumnReference(name: name(&random), isLabel: Bool.random(using: &random)))
                default:
                    .column(
                        ColumnReference(name: ["value", "instance", "mode"].randomElement(using: &random) ?? "value"))
                }
            return Expression(kind, at: nowhere)
        }
        func child(_ random: inout SeededRandom) -> Expression {
            tree(depth: Int.random(in: 0..<depth, using: &random), &random)
        }
        let kind: Expression.Kind
        switch Int.random(in: 0...7, using: &random) {
        case 0: kind = .negate(child(&random))
        case 1: kind = .not(child(&random))
        case 2:
            let values = (0...Int.random(in: 0...3, using: &random)).map { _ in literal(&random, isSigned: true) }
            kind = .membership(child(&random), values, isNegated: Bool.random(using: &random))
        case 3:
            let name = ["abs", "coalesce", "if", "rate", "x_1"].randomElement(using: &random) ?? "abs"
            let arguments = (0..<Int.random(in: 0...3, using: &random)).map { _ in child(&random) }
            kind = .call(Expression.FunctionName(name, at: nowhere), arguments)
        default:
            let op = BinaryOperator.allCases.randomElement(using: &random) ?? .add
            kind = .binary(op, child(&random), child(&random))
        }
        return Expression(kind, at: nowhere)
    }

    static func literal(_ random: inout SeededRandom, isSigned: Bool) -> ExpressionLiteral {
        switch Int.random(in: 0...4, using: &random) {
        case 0: return .null
        case 1: return .boolean(Bool.random(using: &random))
        case 2: return .string(name(&random))
        case 3: return .number([0, 1, 0.1, 1e300, 2.5e-300, 123456789012, 1e21].randomElement(using: &random) ?? 0)
        default:
            let value = Double(bitPattern: UInt64.random(in: 0..<0x7ff0_0000_0000_0000, using: &random))
            return .number(isSigned && Bool.random(using: &random) ? -value : value)
        }
    }

    static func name(_ random: inout SeededRandom) -> ByteString {
        let pieces = [
            "a", "b.c", "in", "or", "labels.", "é", "`", "\"", "\\", "\n", " ", "1", "_x", ".", "\t", "\u{7f}", "🚀",
        ]
        return ByteString(
            (0...Int.random(in: 0...4, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
        )
    }
}
