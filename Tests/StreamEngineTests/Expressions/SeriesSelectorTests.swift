import Testing

@testable import StreamEngine

@Suite struct SeriesSelectorTests {
    static let series = SeriesLabels(
        name: "node_cpu_seconds_total",
        labels: [
            Label("instance", "node-1:9100"), Label("mode", "idle"), Label("note", "two\nlines"), Label("é.x", "ü"),
        ])

    @Test(arguments: [
        ("node_cpu_seconds_total", true), ("node_cpu_seconds_total{}", true), ("node_cpu", false),
        ("node_cpu_seconds_total{mode=\"idle\"}", true), ("node_cpu_seconds_total{mode='idle',}", true),
        ("node_cpu_seconds_total{mode=`idle`}", true), ("node_cpu_seconds_total{mode!=\"idle\"}", false),
        ("{__name__=~\"node_.*\"}", true), ("{__name__=~\"node_\"}", false),
        ("{__name__=~\"node_.*\",__name__!~\".*_total\"}", false),
        ("{\"node_cpu_seconds_total\"}", true), ("{\"node_cpu_seconds_total\", mode=\"idle\"}", true),
        ("{mode=\"idle\",\"node_cpu_seconds_total\"}", true), ("{\"é.x\"=\"ü\"}", true), ("{'é.x'=~'[ü]'}", true),
        ("{instance=~\"node-1:.*\"}", true), ("{instance=~\"node-1\"}", false),
        ("{instance=~\"a|node-1:9100|b\"}", true),
        ("{note=~\"two.lines\"}", true), ("{note=\"two\\nlines\"}", true), ("{note=`two\\nlines`}", false),
        ("{note=~`two\\nlines`}", true), ("{mode=\"idle\",missing=\"\"}", true),
        ("{mode=\"idle\",missing!=\"\"}", false),
        ("{mode=\"idle\",missing=~\"x?\"}", true), ("{mode=\"idle\",missing!~\".+\"}", true),
        ("{missing=~\".+\"}", false),
        ("  node_cpu_seconds_total \n { # the CPU\n mode = \"idle\" , } ", true), ("{mode=\"\\x69dle\"}", true),
        ("{mode=\"\\151dle\"}", true), ("{mode='\\u0069dle'}", true), ("{mode=~\"(?i)IDLE\"}", true),
        ("{mode=~\"IDLE\"}", false),
        ("job:rate:sum", false), ("offset", false), ("sum{mode=\"idle\"}", false),
        ("{mode!=\"x\",mode=\"idle\"}", true),
    ])
    func `selects as Prometheus does`(text: String, expected: Bool) throws {
        let selector = try SeriesSelector.parse(text)
        #expect(selector.matches(Self.series) == expected)
        // Canonical text is canonical, and selects the same.
        let again = try SeriesSelector.parse(selector.description)
        #expect(again.description == selector.description)
        #expect(again.matches(Self.series) == expected)
    }

    @Test(arguments: [
        ("up{a='b',c!~\"d\"}", "up{a=\"b\",c!~\"d\"}"), ("{job=\"x\",__name__=\"up\"}", "up{job=\"x\"}"),
        ("{\"a.b\"}", "{\"a.b\"}"), ("{\"a.b\",x=\"\\\"\"}", "{\"a.b\",x=\"\\\"\"}"),
        ("{\"x y\"=~'.+'}", "{\"x y\"=~\".+\"}"),
        ("{__name__=~\"a\",__name__=\"b\"}", "{__name__=~\"a\",__name__=\"b\"}"), ("up{}", "up"),
    ])
    func `canonical text`(text: String, canonical: String) throws {
        #expect(try SeriesSelector.parse(text).description == canonical)
    }

    @Test func `names its metric and labels`() throws {
        let selector = try SeriesSelector.parse("up{b='1',a!='2',b!='3'}")
        #expect(selector.metricName == "up")
        #expect(selector.labels == ["__name__", "b", "a"])
        #expect(try SeriesSelector.parse("{__name__=~'up|down'}").metricName == nil)
        #expect(selector.matches { ["__name__": "up", "b": "1"][$0] })
    }

    @Test(arguments: [
        ("", "^ a selector is empty; write a metric name, or leave `select` out to take everything"),
        (
            "{}",
            "^^ every condition of this selector takes a missing label, so it would select everything; add one that does not, or leave `select` out to take everything"
        ),
        (
            "{a=~\".*\"}",
            "^^^^^^^^^ every condition of this selector takes a missing label, so it would select everything; add one that does not, or leave `select` out to take everything"
        ),
        ("up{__name__=\"down\"}", "   ^^^^^^^^^^^^^^^ the metric name is given twice; keep one of the two"),
        ("up{\"down\"}", "   ^^^^^^ the metric name is given twice; keep one of the two"),
        ("up{a=b}", "     ^ expected a quoted value, found `b`; write a=\"…\""),
        ("up{a}", "    ^ expected `=`, `!=`, `=~` or `!~` after `a`, found `}`"),
        ("up{a==\"b\"}", "    ^^ `==` compares values, not labels; write a=\"…\""),
        ("up{a=\"b\"", "  ^ this `{` is never closed; close it with `}`"),
        ("up{a=\"b}", "     ^^^ this string has no end; close it with \""),
        ("up{a=\"b\" c=\"d\"}", "         ^ expected `,` or `}`, found `c`"),
        ("up{,}", "   ^ expected a label name, found `,`"),
        (
            "up{é=\"x\"}",
            "   ^^ expected a label name, found `é`; names other than [a-zA-Z_][a-zA-Z0-9_]* stand in quotes"
        ),
        ("up{\"\"=\"x\"}", "   ^^ a label name is empty"),
        ("{\"\"}", " ^^ a metric name is empty"),
        ("up{a=~\"(\"}", "      ^^^ this regular expression does not compile: missing ): ("),
        ("up{a=\"\\d\"}", "      ^^ unknown escape `\\d`; write `\\\\` for a backslash"),
        ("up{a=\"\\'\"}", "      ^^ unknown escape `\\'`; write `\\\\` for a backslash"),
        ("up[5m]", "  ^ a selector takes no range; the query's `window` is the range"),
        ("up offset 5m", "   ^ a selector takes no `offset` and no `@`; the query's `window` says which time"),
        ("rate(up)", "    ^ a selector calls no function; functions stand under `aggregates`"),
        ("up > 1", "   ^ expected the end of the selector, found `>`"),
        ("1up", "^ expected the end of the selector, found `1`"),
    ])
    func `errors point at their place`(text: String, expected: String) {
        let error = expressionError { () throws(ExpressionError) in _ = try SeriesSelector.parse(text) }
        #expect(error.map { shown(text, $0) } == expected)
    }
}
