import Testing

@testable import StreamEngine

@Suite struct AggregateCallTests {
    @Test(arguments: [
        "count()", "sum(value)", "avg(value == 0)", "quantile(0.9, value)", "avg(rate(value))",
        "sum(value) where mode == \"idle\" and value > 0", "max(quantile_over_time(0.9, value * 8))",
        "avg(predict_linear(value, 3600))", "histogram_quantile(0.99, rate(value))", "avg(abs(value))",
        "count(last_over_time(value)) where instance != \"\"", "f(g(-1, value, 2, -3))", "max(min(value, 3))", "sum(1)",
        "avg(where) where where", "quantile(-0.5, rate(value))", "max(if(value > 0, 1, 0))",
    ])
    func `canonical text`(text: String) throws {
        let call = try AggregateCall.parse(text)
        #expect(call.description == text)
        #expect(try AggregateCall.parse(call.description) == call)
    }

    @Test func `parts and places`() throws {
        let call = try AggregateCall.parse(" quantile( 0.9 , predict_linear(value*8, 60) )  where a = 'b'")
        #expect(call.function.name == "quantile")
        #expect(call.function.range == SourceRange(offset: 1, length: 8))
        #expect(call.parameter?.value == 0.9)
        #expect(call.parameter?.range == SourceRange(offset: 11, length: 3))
        #expect(call.argument == nil)
        #expect(call.inner?.function.name == "predict_linear")
        #expect(call.inner?.leading == nil)
        #expect(call.inner?.argument.description == "value * 8")
        #expect(call.inner?.trailing.map(\.value) == [60])
        #expect(call.inner?.parameters == [60])
        #expect(call.filter?.description == "a == \"b\"")
        #expect(call.range == SourceRange(offset: 1, length: 45))
        #expect(try AggregateCall.parse("sum(x)") == AggregateCall.parse(" sum( (x) ) "))
        #expect(try AggregateCall.parse("sum(x)") != AggregateCall.parse("sum(y)"))
    }

    @Test(arguments: [
        ("", "^ expected an aggregate such as avg(value), found the end"),
        ("value", "^^^^^ `value` is not an aggregate call; write `value(…)`, such as `avg(value)`"),
        ("avg(value", "         ^ expected `,` or `)`, found the end"),
        ("avg(", "    ^ expected a value, found the end"),
        ("avg(value,)", "          ^ expected a value, found `)`"),
        ("quantile(value, 0.9)", "         ^^^^^ the first argument of `quantile` must be a number, such as 0.9"),
        (
            "f(1, 2, 3)",
            "        ^ `f` is given 3 arguments; an aggregate takes one value, behind a number where it has a parameter: quantile(0.9, value)"
        ),
        (
            "avg(rate(value) * 8)",
            "    ^^^^ `rate` is no scalar function for an expression; a per-series function stands directly inside the aggregate: avg(rate(value)); compute with the result under `derive`"
        ),
        (
            "avg(rate(irate(value)))",
            "         ^^^^^ `irate` is no scalar function for the argument of `rate`; a per-series function stands directly inside the aggregate: avg(irate(value)); compute with the result under `derive`"
        ),
        (
            "sum(x) where rate(value) > 1",
            "             ^^^^ `rate` is no scalar function for a `where` condition; a per-series function stands directly inside the aggregate: avg(rate(value)); compute with the result under `derive`"
        ),
        ("sum(abz(value) + 1)", "    ^^^ `abz` is no scalar function for an expression; did you mean `abs`?"),
        ("avg(rate())", "    ^^^^^^ `rate` is given no value; write `rate(value)`"),
        (
            "avg(predict_linear(value, x))",
            "                          ^ a parameter of `predict_linear` must be a number, such as 0.9"
        ),
        ("avg(x) having y", "       ^^^^^^ expected `where` or the end, found `having`"),
        ("avg(x) where", "            ^ expected a value, found the end"),
        ("avg(x))", "      ^ `)` without `(`"),
    ])
    func `errors point at their place`(text: String, expected: String) {
        let error = expressionError { () throws(ExpressionError) in _ = try AggregateCall.parse(text) }
        #expect(error.map { shown(text, $0) } == expected)
    }
}
