import Connectors
import Glibc
import Platform
import StreamEngine
import Testing

@Suite("Console sink")
struct ConsoleSinkTests {
    private static let token = EpochToken(incarnation: "a", number: 12)

    private static func info(watermarkMs: Int64? = 1_767_276_300_000) -> EmissionInfo {
        EmissionInfo(job: "j", query: "cpu_by_mode", epoch: token, watermarkMs: watermarkMs)
    }

    /// What a sink prints of these batches in one epoch.
    private func printed(
        _ batches: [RowBatch], rows: Int = 20, truncate: Int = 40, info: EmissionInfo = info()
    ) throws -> String {
        let directory = try TemporaryDirectory()
        let files = PosixFileSystem()
        let sink = ConsoleSink(rows: rows, truncate: truncate, output: try files.open(directory.file("out"), .replace))
        for batch in batches { try sink.write(batch, info) }
        try sink.prepare(Self.token)
        #expect(try files.readAll(directory.file("out")).isEmpty, "shown before publish")
        try sink.publish(Self.token)
        try sink.publish(Self.token)
        try sink.close()
        return String(decoding: try files.readAll(directory.file("out")), as: UTF8.self)
    }

    private func textBatch(_ texts: [String]) -> RowBatch {
        RowBatch(
            schema: RowSchema(columns: [ColumnDescription(name: "t", type: .text, role: .key)]), rowCount: texts.count,
            columns: [
                ColumnData(
                    .texts(TextColumn(dictionary: texts.map { ByteString($0) }, codes: texts.indices.map(Int32.init))))
            ])
    }

    private func numberBatch(_ values: [Double]) -> RowBatch {
        RowBatch(
            schema: RowSchema(columns: [ColumnDescription(name: "v", type: .double, role: .aggregate)]),
            rowCount: values.count, columns: [ColumnData(.doubles(values))])
    }

    /// The cells of a table of one column, blanks kept.
    private func cells(_ text: String) -> [String] {
        text.split(separator: "\n").filter { $0.hasPrefix("| ") }.dropFirst().map {
            String($0.dropFirst(2).dropLast(2))
        }
    }

    @Test("a table as Structured Streaming prints it")
    func table() throws {
        let schema = RowSchema(columns: [
            ColumnDescription(name: "window_start", type: .timestamp, role: .windowStart),
            ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
            ColumnDescription(name: "instance", type: .text, role: .key),
            ColumnDescription(name: "mode", type: .text, role: .key),
            ColumnDescription(name: "samples", type: .int64, role: .aggregate),
            ColumnDescription(name: "cpu_avg", type: .double, role: .aggregate),
        ])
        let instance = TextColumn(dictionary: ["node-1"], codes: [0, 0])
        let mode = TextColumn(dictionary: ["system", "user"], codes: [0, 1])
        let rows = RowBatch(
            schema: schema, rowCount: 2,
            columns: [
                ColumnData(.timestamps([1_767_276_000_000, 1_767_276_000_000])),
                ColumnData(.timestamps([1_767_276_300_000, 1_767_276_300_000])), ColumnData(.texts(instance)),
                ColumnData(.texts(mode)), ColumnData(.integers([20, 20])), ColumnData(.doubles([0.12345, 0.8709])),
            ])
        #expect(
            try printed([rows]) == """
                -------------------------------------------
                Epoch 12 · cpu_by_mode · watermark 14:05:00Z
                -------------------------------------------
                +---------------------+---------------------+----------+--------+---------+---------+
                | window_start        | window_end          | instance | mode   | samples | cpu_avg |
                +---------------------+---------------------+----------+--------+---------+---------+
                | 2026-01-01 14:00:00 | 2026-01-01 14:05:00 | node-1   | system |      20 |   0.123 |
                | 2026-01-01 14:00:00 | 2026-01-01 14:05:00 | node-1   | user   |      20 |   0.871 |
                +---------------------+---------------------+----------+--------+---------+---------+
                2 rows (of 2)


                """)
    }

    @Test("nulls, absent cells, the limit of rows, and a watermark at the end")
    func limits() throws {
        let schema = RowSchema(columns: [
            ColumnDescription(name: "pod", type: .text, role: .key),
            ColumnDescription(name: "n", type: .int64, role: .aggregate),
            ColumnDescription(name: "x", type: .double, role: .aggregate),
            ColumnDescription(name: "hot", type: .boolean, role: .derived),
        ])
        let rows = RowBatch(
            schema: schema, rowCount: 3000,
            columns: [
                ColumnData(
                    .texts(
                        TextColumn(
                            dictionary: ["a"],
                            codes: [TextColumn.null, TextColumn.absent] + Array(repeating: 0, count: 2998)))),
                ColumnData(.integers((0..<3000).map { $0 == 1 ? -1_234_567 : $0 })),
                ColumnData(.doubles(Array(repeating: 1.5, count: 3000)), valid: (0..<3000).map { $0 != 0 }),
                ColumnData(.booleans((0..<3000).map { $0 % 2 == 0 })),
            ])
        #expect(
            try printed([rows], rows: 3, info: Self.info(watermarkMs: .max)) == """
                -------------------------------------------
                Epoch 12 · cpu_by_mode · end of input
                -------------------------------------------
                +------+------------+------+-------+
                | pod  |          n |    x | hot   |
                +------+------------+------+-------+
                | null |          0 | null | true  |
                |      | -1,234,567 |  1.5 | false |
                | a    |          2 |  1.5 | true  |
                +------+------------+------+-------+
                3 rows (of 3,000)


                """)
        #expect(try printed([rows], rows: 1, info: Self.info(watermarkMs: nil)).contains("Epoch 12 · cpu_by_mode\n"))
        #expect(try printed([numberBatch([])]) == "")
        #expect(try printed([rows], rows: 1).contains("\n1 row (of 3,000)\n"))
    }

    @Test(
        "numbers for people",
        arguments: [
            ([16, 20], ["16", "20"]), ([0.5, 20], [" 0.5", "20.0"]), ([0.123456, 12.5], [" 0.123", "12.500"]),
            ([0.0123456], ["0.0123"]), ([0.00123456, 1], ["0.00123", "1.00000"]), ([1e-7], ["1.00e-07"]),
            ([12_345_678.25], ["12,345,678.25"]), ([0.9996], ["1"]), ([-0.0004], ["-0.0004"]), ([-0.0], ["0"]),
            ([1e15, -2.5e20], [" 1.00e+15", "-2.50e+20"]), ([.nan, .infinity, -.infinity], [" NaN", "+Inf", "-Inf"]),
            ([999.9999], ["1,000"]), ([9.999e-5], ["1.00e-04"]), ([Double.leastNonzeroMagnitude], ["4.94e-324"]),
            ([Double.greatestFiniteMagnitude], ["1.80e+308"]), ([999_999_999_999_999.9], ["999,999,999,999,999.875"]),
        ] as [([Double], [String])])
    func numbers(_ values: [Double], _ expected: [String]) throws {
        let found = cells(try printed([numberBatch(values)]))
        #expect(found == expected)
    }

    @Test(
        "text: escapes, widths, cuts",
        arguments: [
            ("plain", "plain"), ("a\nb\tc\r", #"a\nb\tc\r"#), ("\u{1B}[31mr", #"\u{1B}[31mr"#),
            ("\u{202E}x", #"\u{202E}x"#), ("\u{2028}", #"\u{2028}"#), ("0123456789ab", "0123456789ab"),
            ("0123456789abc", "0123456789a…"), ("日本語日本語", "日本語日本語"), ("日本語日本語日", "日本語日本…"),
            ("a日本語日本語", "a日本語日本…"), ("e\u{301}e\u{301}", "e\u{301}e\u{301}"), ("👩‍👩‍👧👍🏽", "👩‍👩‍👧👍🏽"),
        ])
    func text(_ raw: String, _ expected: String) throws {
        let width = 12
        let found = cells(try printed([textBatch([raw, String(repeating: ".", count: width)])], truncate: width))
        let shown = try #require(found.first)
        #expect(String(shown.reversed().drop { $0 == " " }.reversed()) == expected)
        // The border stands where the terminal's columns say.
        let wide = expected.unicodeScalars.filter { (0x3041...0x9FFF).contains($0.value) }.count
        let columns = raw.unicodeScalars.contains("👩") ? 4 : expected.count + wide
        #expect(shown.count - expected.count == width - columns)
    }

    @Test("text is never cut with truncate: 0")
    func uncut() throws {
        let long = String(repeating: "x", count: 500)
        #expect(cells(try printed([textBatch([long])], truncate: 0)) == [long])
    }

    @Test("documents are lines; a discarded epoch is not shown")
    func documents() throws {
        let directory = try TemporaryDirectory()
        let files = PosixFileSystem()
        let sink = ConsoleSink(output: try files.open(directory.file("out"), .replace))
        try sink.write(DocumentBatch(documents: [Array(#"{"a":1}"#.utf8)]), Self.info())
        sink.discard(Self.token)
        try sink.write(DocumentBatch(documents: [Array(#"{"b":2}"#.utf8), Array(#"{"c":3}"#.utf8)]), Self.info())
        try sink.publish(Self.token)
        #expect(try files.readAll(directory.file("out")) == Array("{\"b\":2}\n{\"c\":3}\n".utf8))
    }

    @Test("a reader that has gone is told apart from a failure")
    func brokenPipe() throws {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        close(ends[0])
        let sink = ConsoleSink(output: FileDescriptor(adopting: ends[1], path: "standard output"))
        try sink.write(numberBatch([1]), Self.info())
        #expect {
            try sink.publish(Self.token)
        } throws: {
            ($0 as? SinkError)?.isBrokenPipe == true
        }
    }
}
