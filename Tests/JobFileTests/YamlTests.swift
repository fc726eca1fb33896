import JobFile
import StreamEngine
import Testing

@Suite struct YamlTests {
    @Test func anchorsAliasesAndMergeKeys() {
        let job = Jobs.check(
            """
            name: anchors
            sources: {metrics: {kafka: {topics: [metrics]}, format: prometheus}}
            queries:
              - &first
                name: a
                window: &minute {size: 1m}
                aggregates: {n: count()}
                sinks: [{console: {}}]
              - {<<: *first, name: b}
              - {name: c, window: *minute, aggregates: {m: max(value)}, sinks: [{console: {}}]}
            """)
        #expect(Jobs.rendered(job) == "")
        #expect(job.definition?.queries.map(\.name) == ["a", "b", "c"])
        #expect(job.definition?.queries.map(\.window.sizeMs) == [60_000, 60_000, 60_000])
    }

    @Test func aliasesDoNotExplode() {
        var text = "name: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...8 {
            text += "k\(level): &a\(level) [\(Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", "))]\n"
        }
        let job = Jobs.check(text)
        #expect(Jobs.rendered(job).contains("aliases make more than 100000 nodes"))
    }

    @Test func deepNestingIsRefused() {
        let job = Jobs.check("name: " + String(repeating: "[", count: 5000))
        #expect(Jobs.rendered(job).contains("more than 64 deep"))
    }

    @Test(
        arguments: [
            ("${SIZE}", "5m", 300_000), ("${SIZE:-1m}", nil, 60_000), ("${SIZE:-1m}", "", 60_000),
            ("1${UNIT:-m}30s", nil, 90_000),
        ] as [(String, String?, Int64)])
    func environmentVariables(_ written: String, _ value: String?, _ sizeMs: Int64) {
        let text = Jobs.small.replacing("{size: 1m}", with: "\n      size: \(written)")
        let job = Jobs.check(text, environment: value.map { ["SIZE": $0] } ?? [:])
        #expect(Jobs.rendered(job) == "")
        #expect(job.definition?.queries.first?.window.sizeMs == sizeMs)
    }

    @Test func literalDollarBrace() {
        let job = Jobs.check(Jobs.small.replacing("path: out", with: "path: \"$${x}/$y/$\""))
        #expect(job.definition?.queries.first?.sinks.first?.options.text("path") == "${x}/$y/$")
    }

    /// Where an error inside a text stands, however the text was quoted. `§` is where the carets begin.
    @Test(arguments: [
        "where: value > §nope(1)",
        "where: 'value > §nope(\"it''s\")'",
        "where: 'label == \"it''s\" or §nope(1)'",
        "where: \"l == \\\"\\u00e9\\\" or §nope(1)\"",
        "where: |\n      value > 1\n        or §nope(1)\n",
        "where: >-\n      value > 1\n      or\n      §nope(1)\n",
        "where: value > 1\n      or §nope(1)",
        "where: \"value > 1 \\\n      or §nope(1)\"",
        "where: ${COND} or §nope(1)",
        "where: l == \"ü日本\" or §nope(1)",
    ])
    func errorsPointIntoTexts(_ line: String) throws {
        let text = Jobs.small.replacing("window: {size: 1m}", with: "window: {size: 1m}\n    \(line)")
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let row = try #require(lines.firstIndex { $0.contains("§") })
        let column = try #require(Array(lines[row].unicodeScalars).firstIndex(of: "§"))
        let job = Jobs.check(text.replacing("§", with: ""), environment: ["COND": "value > 1"])
        let finding = try #require(job.diagnostics.first)
        #expect(finding.message == "unknown function `nope`")
        #expect(finding.span == SourceSpan(file: "job.yaml", line: row + 1, column: column + 1, length: 4))
    }

    @Test(arguments: [
        ("", "empty"), (" \n\t\n", "empty"), ("# only a comment\n", "nothing but comments"),
        ("\u{FEFF}name: x", "needs `sources`"),
    ])
    func emptyFiles(_ text: String, _ expected: String) {
        switch SourceText.check(Array(text.utf8), file: "job.yaml") {
        case .success(let source): #expect(Jobs.rendered(Jobs.loader().load(source)).contains(expected))
        case .failure(let diagnostic): #expect(diagnostic.message.contains(expected))
        }
    }

    @Test(
        arguments: [
            ([0x6E, 0x61, 0x0A, 0xC3, 0x28], "byte 0xC3 at line 2, column 1"),
            ([0x7F, 0x45, 0x4C, 0x46, 0x02, 0x01, 0x01, 0x00], "byte 0x02 at line 1, column 5"),
            ([0xFF, 0xFE, 0x6E, 0x00], "UTF-16"),
        ] as [([UInt8], String)])
    func binaryFiles(_ bytes: [UInt8], _ expected: String) {
        guard case .failure(let diagnostic) = SourceText.check(bytes, file: "job.yaml") else {
            Issue.record("taken for text")
            return
        }
        #expect(diagnostic.message.contains(expected))
    }

    @Test(arguments: [
        ("/nonexistent/job.yaml", "there is no such file"), ("/", "is a directory"),
    ])
    func filesThatAreNone(_ path: String, _ expected: String) {
        let job = Jobs.loader().load(path)
        #expect(job.definition == nil)
        #expect(job.diagnostics.count == 1)
        #expect(job.diagnostics.first?.message.contains(expected) == true)
    }
}
