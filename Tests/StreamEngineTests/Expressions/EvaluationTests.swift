import Testing

@testable import StreamEngine

@Suite struct EvaluationTests {
    static let series = SeriesLabels(
        name: "up",
        labels: [
            Label("instance", "node-1:9100"), Label("code", "200"), Label("bad", "x1"), Label("topic", "label"),
            Label("Big", "ÄbC"), Label("inf", "+Inf"),
        ])

    static func evaluate(_ text: String, value: Double = 2.5) throws -> Value {
        var scope = SampleScope()
        let expression = try CompiledExpression(ExpressionParser.parse(text), in: &scope)
        return expression.value(SampleRow(series: series, sampleValue: value, scope: scope))
    }

    @Test(
        arguments: [
            ("1 + 2 * 3 - 4 / 8", .number(6.5)), ("-7 % 3", .number(-1)), ("7 % -3", .number(1)),
            ("1 / 0", .number(.infinity)),
            ("-1 / 0", .number(-.infinity)), ("value * 8", .number(20)), ("value >= 2.5", .boolean(true)),
            ("value == 0", .boolean(false)),
            ("(value > 1) + (value > 2) + true", .number(3)), ("-true", .number(-1)),
            ("(value > 1) == 1", .boolean(true)),
            ("abs(-3)", .number(3)), ("floor(-2.5)", .number(-3)), ("ceil(-2.5)", .number(-2)),
            ("round(2.5)", .number(3)),
            ("round(-2.5)", .number(-2)), ("round(0.49999999999999994)", .number(0)), ("sqrt(16)", .number(4)),
            ("ln(1)", .number(0)),
            ("log2(8)", .number(3)), ("log10(1000)", .number(3)), ("exp(0)", .number(1)),
            ("min(3, value, 9)", .number(2.5)),
            ("max(3, null, value)", .number(3)), ("min(0/0, 4)", .number(4)), ("coalesce(null, 4)", .number(4)),
            // Missing labels.
            ("missing == ''", .boolean(true)), ("missing == null", .boolean(true)),
            ("missing != null", .boolean(false)),
            ("instance != null", .boolean(true)), ("missing != 'a'", .boolean(true)),
            ("missing =~ 'x?'", .boolean(true)),
            ("missing !~ '.+'", .boolean(true)), ("coalesce(missing, 'none')", .text("none")),
            ("coalesce(missing, instance)", .text("node-1:9100")),
            ("missing", .null), ("lower(missing)", .text("")), ("missing in ('', 'a')", .boolean(true)),
            ("missing in ('a')", .boolean(false)),
            ("missing in ('a', null)", .boolean(true)), ("missing not in ('a')", .boolean(true)),
            ("missing not in ('a', null)", .boolean(false)),
            ("missing < 'a'", .boolean(true)), ("starts_with(missing, '')", .boolean(true)),
            // Texts.
            ("instance =~ 'node-1'", .boolean(false)), ("instance =~ 'node-.*'", .boolean(true)),
            ("instance !~ 'node-.*'", .boolean(false)),
            ("extract(instance, '^([^:]+)')", .text("node-1")), ("extract(instance, ':[0-9]+')", .text(":9100")),
            ("extract(instance, '(x)?n')", .text("")), ("extract(instance, 'zzz')", .text("")),
            ("lower(Big)", .text("äbc")), ("upper(Big)", .text("ÄBC")),
            ("contains(instance, '1:9')", .boolean(true)), ("contains(instance, '')", .boolean(true)),
            ("contains('', 'a')", .boolean(false)),
            ("starts_with(instance, 'node')", .boolean(true)), ("ends_with(instance, '9100')", .boolean(true)),
            ("ends_with('a', 'ba')", .boolean(false)),
            ("'b' > 'a' and 'a' < 'aa'", .boolean(true)), ("if(value > 2, 'hi', null)", .text("hi")),
            ("if(value > 3, 'hi', null)", .null),
            ("number(code) / 2", .number(100)), ("number(bad)", .null), ("number(missing)", .null),
            ("number(' -1.5e1 ')", .number(-15)),
            ("number(inf)", .number(.infinity)), ("number('0x10')", .null), ("number(true)", .number(1)),
            ("number('')", .null), ("number('1 2')", .null),
            // Null numbers.
            ("number(bad) + 1", .null), ("number(bad) > 1", .boolean(false)), ("number(bad) != 1", .boolean(false)),
            ("number(bad) == null", .boolean(true)),
            ("number(bad) != null", .boolean(false)), ("coalesce(number(bad), 7)", .number(7)),
            ("number(bad) in (1, null)", .boolean(true)),
            ("number(bad) not in (1)", .boolean(false)), ("value == null", .boolean(false)),
            ("null == null", .boolean(true)), ("value < null", .boolean(false)),
            ("if(null, 1, 2)", .number(2)), ("min(number(bad), null)", .null),
            ("not (number(bad) > 1)", .boolean(true)),
            // Names.
            ("name", .text("up")), ("topic", .text("metrics")), ("labels.topic", .text("label")),
            ("partition", .number(3)), ("offset", .number(42)),
            ("timestamp / 1000", .number(1_700_000_000)), ("labels.value == null", .boolean(true)),
            ("`instance`", .text("node-1:9100")),
            ("name in ('down', 'up')", .boolean(true)), ("value in (1, 2.5)", .boolean(true)),
            ("value not in (-1)", .boolean(true)),
            ("value > 1 and instance == 'x' or code == '200'", .boolean(true)), ("not value > 1", .boolean(false)),
        ] as [(String, Value)])
    func `values`(text: String, expected: Value) throws {
        #expect(try Self.evaluate(text) == expected)
    }

    @Test func `comparisons with NaN are false but for !=`() throws {
        for op in ["==", "<", "<=", ">", ">="] {
            #expect(try Self.evaluate("value \(op) value", value: .nan) == .boolean(false))
        }
        #expect(try Self.evaluate("value != value", value: .nan) == .boolean(true))
        #expect(try Self.evaluate("value in (1)", value: .nan) == .boolean(false))
        #expect(try Self.evaluate("value not in (1)", value: .nan) == .boolean(true))
    }

    @Test func `dependence, type and slots`() throws {
        var scope = SampleScope()
        func compiled(_ text: String) throws -> CompiledExpression {
            try CompiledExpression(ExpressionParser.parse(text), in: &scope)
        }
        #expect(try compiled("1 + 2").constant == .number(3))
        #expect(try compiled("lower('A')").constant == .text("a"))
        let node = try compiled("extract(instance, '^([^:]+)')")
        #expect(node.dependence == .perSeries && node.type == .string && node.vectorProgram == nil)
        #expect(scope.labels == ["instance"] && node.slots == [6])
        #expect(try compiled("partition == 1 and topic == 'x'").dependence == .perSeries)
        #expect(try compiled("value").dependence == .perRow)
        #expect(try compiled("value").columnSlot == SampleScope.Slot.value)
        #expect(try compiled("value").vectorProgram?.onlyInput == 0)
        #expect(try compiled("if(value > 0, instance, 'x')").vectorProgram == nil)
        scope.define("node", node)
        scope.define("mib", try compiled("value / 1048576"))
        let both = try compiled("node == 'node-1' and mib > 0 and labels.node == null")
        #expect(both.slots == [1, 6, 7] && scope.labels == ["instance", "node"])
        #expect(both.value(SampleRow(series: Self.series, sampleValue: 1, scope: scope)) == .boolean(true))
    }

    @Test func `result rows: nulls, integers, derived columns`() throws {
        var scope = ResultScope(columns: [
            ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
            ColumnDescription(name: "node", type: .text, role: .key),
            ColumnDescription(name: "idle", type: .double, role: .aggregate),
            ColumnDescription(name: "n", type: .int64, role: .aggregate),
        ])
        let full = ResultRow(cells: [.number(1000), .text("a"), .number(0.25), .number(4), .number(0.75)])
        let empty = ResultRow(cells: [.number(1000), .null, .null, .number(0), .null])
        let busy = try CompiledExpression(ExpressionParser.parse("1 - idle"), in: &scope)
        #expect(busy.value(full) == .number(0.75) && busy.value(empty) == .null && busy.isNullable)
        scope.append(ColumnDescription(name: "busy", type: .double, role: .derived))
        for (text, onFull, onEmpty) in [
            ("busy > 0.5", true, false), ("busy == null", false, true), ("busy != 0.75", false, false),
            ("n >= 4 and node == 'a'", true, false),
            ("node == ''", false, true), ("node == null", false, true), ("not (busy > 0.5)", false, true),
            ("window_end == 1000", true, true),
            ("labels.node == 'a'", true, false), ("coalesce(busy, 0) == 0", false, true),
        ] {
            let having = try CompiledExpression(condition: ExpressionParser.parse(text), for: "having", in: &scope)
            #expect(having.isTrue(full) == onFull, "\(text)")
            #expect(having.isTrue(empty) == onEmpty, "\(text)")
        }
        let text = "idel > 1"
        let error = expressionError { () throws(ExpressionError) in
            _ = try CompiledExpression(ExpressionParser.parse(text), in: &scope)
        }
        #expect(error.map { shown(text, $0) } == "^^^^ unknown column `idel`; did you mean `idle`?")
    }

    @Test(arguments: [
        (
            "instance > 5",
            "^^^^^^^^^^^^ `>` compares `instance`, a string, with `5`, a number; `number(instance)` converts, or write \"5\""
        ),
        (
            "vaule > 5",
            "^^^^^^^^^ `>` compares `vaule`, a string, with `5`, a number; did you mean `value`? labels are strings; `number(vaule)` converts, or write \"5\""
        ),
        (
            "value == 'x'",
            "^^^^^^^^^^^^ `==` compares `'x'`, a string, with `value`, a number; `number(\"x\")` converts"
        ),
        ("instance + 1", "^^^^^^^^ `+` takes a number, `instance` is a string; `number(instance)` converts"),
        ("abs(instance)", "    ^^^^^^^^ `abs` takes a number, `instance` is a string; `number(instance)` converts"),
        ("value =~ 'x'", "^^^^^ `=~` takes a string, `value` is a number"),
        ("instance =~ mode", "            ^^^^ `=~` takes a regular expression in quotes"),
        ("instance =~ '('", "            ^^^ this regular expression does not compile: missing ): ("),
        ("extract(instance, '[')", "                  ^^^ this regular expression does not compile: missing ]: ["),
        ("value and true", "^^^^^ `and` takes a condition, `value` is a number; write `value != 0`"),
        ("not instance", "    ^^^^^^^^ `not` takes a condition, `instance` is a string; write `instance != \"\"`"),
        ("if(1, 2, 3)", "   ^ `if` takes a condition, `1` is a number; write `1 != 0`"),
        (
            "if(true, 'a', 1)",
            "              ^ `if` mixes a string with `1`, a number; all its values must have one type; `number(x)` converts"
        ),
        (
            "coalesce(instance, 0)",
            "                   ^ `coalesce` mixes a string with `0`, a number; all its values must have one type; `number(x)` converts"
        ),
        (
            "min(value)",
            "^^^^^^^^^^ `min` is given 1 argument; write `min(x, y, …)`; over the samples of a window it is `min_over_time(x)`"
        ),
        ("abs()", "^^^^^ `abs` is given 0 arguments; write `abs(x)`"),
        ("flor(value)", "^^^^ unknown function `flor`; did you mean `floor`?"),
        ("instance in (1)", "^^^^^^^^^^^^^^^ `in` compares `instance`, a string, with `1`; write \"1\""),
        (
            "value in ('1')",
            "^^^^^^^^^^^^^^ `in` compares `value`, a number, with `\"1\"`; write the number without quotes"
        ),
    ])
    func `type errors point at their place`(text: String, expected: String) {
        let error = expressionError { () throws(ExpressionError) in
            var scope = SampleScope()
            _ = try CompiledExpression(ExpressionParser.parse(text), in: &scope)
        }
        let wanted = text == "value == 'x'" ? expected.replacingQuotes() : expected
        #expect(error.map { shown(text, $0) } == wanted)
    }

    @Test func `definitions that use each other are bounded`() throws {
        var scope = SampleScope()
        scope.define("c0", try CompiledExpression(ExpressionParser.parse("value"), in: &scope))
        var error: ExpressionError?
        for index in 1...40 where error == nil {
            error = expressionError { () throws(ExpressionError) in
                let text = "c\(index - 1) + c\(index - 1)"
                scope.define("c\(index)", try CompiledExpression(ExpressionParser.parse(text), in: &scope))
            }
        }
        #expect(error?.message == "with the columns it uses, this expression has 20000 operations in 15 levels")
    }

    @Test func `a long chain of definitions is bounded, and evaluates up to the bound`() throws {
        var scope = SampleScope()
        scope.define("c0", try CompiledExpression(ExpressionParser.parse("value"), in: &scope))
        var last = 0
        var error: ExpressionError?
        while error == nil, last < 1000 {
            error = expressionError { () throws(ExpressionError) in
                let next = try CompiledExpression(ExpressionParser.parse("c\(last) + 1"), in: &scope)
                scope.define("c\(last + 1)", next)
            }
            if error == nil { last += 1 }
        }
        #expect(last == CheckedNode.heightMax - 1)
        #expect(error?.message.hasSuffix("601 levels") == true)
        let deepest = try CompiledExpression(ExpressionParser.parse("c\(last)"), in: &scope)
        #expect(
            deepest.value(SampleRow(series: Self.series, sampleValue: 1, scope: scope)) == .number(Double(last + 1)))
    }

    @Test func `conditions and numbers are asked for by name`() {
        var scope = SampleScope()
        let condition = expressionError { () throws(ExpressionError) in
            _ = try CompiledExpression(condition: ExpressionParser.parse("value"), for: "where", in: &scope)
        }
        #expect(condition?.description == "`where` takes a condition, `value` is a number; write `value != 0`")
        let number = expressionError { () throws(ExpressionError) in
            _ = try CompiledExpression(number: ExpressionParser.parse("mode"), for: "sum", in: &scope)
        }
        #expect(number?.description == "`sum` takes a number, `mode` is a string; `number(mode)` converts")
    }
}

extension String {
    /// The message prints strings in double quotes, whatever the text used.
    fileprivate func replacingQuotes() -> String { String(map { $0 == "'" ? "\"" : $0 }) }
}
