import Connectors
import StreamEngine
import TestSupport
import Testing

@Suite("Rows as bytes")
struct RowFormatTests {
    static let schema = RowSchema(columns: [
        ColumnDescription(name: "window_start", type: .timestamp, role: .windowStart),
        ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
        ColumnDescription(name: "node", type: .text, role: .key),
        ColumnDescription(name: "partition", type: .int64, role: .key),
        ColumnDescription(name: "n", type: .int64, role: .aggregate),
        ColumnDescription(name: "idle", type: .double, role: .aggregate),
        ColumnDescription(name: "last-msg", type: .text, role: .aggregate),
        ColumnDescription(name: "hot", type: .boolean, role: .derived),
    ])

    static func batch() -> RowBatch {
        let texts = TextColumn(
            dictionary: ["a", "b,=\\\"\n\u{1}é"], codes: [0, 1, TextColumn.null, TextColumn.absent])
        return RowBatch(
            schema: schema, rowCount: 4,
            columns: [
                ColumnData(.timestamps([1_767_225_600_000, 1_767_225_600_000, -1, 0])),
                ColumnData(.timestamps([1_767_225_660_000, 1_767_225_660_000, 59_999, 60_000])),
                ColumnData(.texts(texts)),
                ColumnData(.integers([0, 1, 2, 3])),
                ColumnData(.integers([8, Int64.max, 0, -5])),
                ColumnData(.doubles([0.5, .nan, .infinity, 16]), valid: [true, true, true, false]),
                ColumnData(.texts(TextColumn(dictionary: ["hi"], codes: [0, 0, -1, -2]))),
                ColumnData(.booleans([true, false, true, false]), valid: [true, true, false, true]),
            ])
    }

    private func encode(_ format: String, _ rows: RowBatch, query: String = "cpu-5m") throws -> [String] {
        let encoder = try #require(RowFormats.named(format)).makeEncoder(query: query)
        var out = EncodedRows()
        encoder.encode(rows, into: &out)
        let once = (0..<out.count).map { String(decoding: out.bytes[out.range(of: $0)], as: UTF8.self) }
        // The tables kept between batches change nothing, nor does another encoder.
        for encoder in [encoder, encoder.another()] {
            out.clear()
            encoder.encode(rows, into: &out)
            #expect((0..<out.count).map { String(decoding: out.bytes[out.range(of: $0)], as: UTF8.self) } == once)
        }
        return once
    }

    @Test("json")
    func json() throws {
        #expect(
            try encode("json", Self.batch()) == [
                #"{"query":"cpu-5m","window_start":"2026-01-01T00:00:00.000Z","window_end":"2026-01-01T00:01:00.000Z","node":"a","partition":0,"n":8,"idle":0.5,"last-msg":"hi","hot":true}"#,
                #"{"query":"cpu-5m","window_start":"2026-01-01T00:00:00.000Z","window_end":"2026-01-01T00:01:00.000Z","node":"b,=\\\"\n\u0001é","partition":1,"n":9223372036854775807,"idle":"NaN","last-msg":"hi","hot":false}"#,
                #"{"query":"cpu-5m","window_start":"1969-12-31T23:59:59.999Z","window_end":"1970-01-01T00:00:59.999Z","node":null,"partition":2,"n":0,"idle":"+Inf","last-msg":null,"hot":null}"#,
                #"{"query":"cpu-5m","window_start":"1970-01-01T00:00:00.000Z","window_end":"1970-01-01T00:01:00.000Z","partition":3,"n":-5,"idle":null,"hot":false}"#,
            ])
    }

    @Test("sample-json: numbers as samples, nulls and texts left out")
    func sampleJSON() throws {
        #expect(
            try encode("sample-json", Self.batch())[2...] == [
                #"{"timestamp":"1970-01-01T00:00:59.999Z","value":"0.0","name":"cpu_5m_n","labels":{"__name__":"cpu_5m_n","partition":"2"}}"#
                    + "\n"
                    + #"{"timestamp":"1970-01-01T00:00:59.999Z","value":"+Inf","name":"cpu_5m_idle","labels":{"__name__":"cpu_5m_idle","partition":"2"}}"#,
                #"{"timestamp":"1970-01-01T00:01:00.000Z","value":"-5.0","name":"cpu_5m_n","labels":{"__name__":"cpu_5m_n","partition":"3"}}"#
                    + "\n"
                    + #"{"timestamp":"1970-01-01T00:01:00.000Z","value":"0.0","name":"cpu_5m_hot","labels":{"__name__":"cpu_5m_hot","partition":"3"}}"#,
            ])
    }

    @Test("prometheus: a line a number, escapes right")
    func prometheus() throws {
        #expect(
            try encode("prometheus", Self.batch(), query: "5m") == [
                #"""
                _5m_n{node="a",partition="0"} 8.0 1767225660000
                _5m_idle{node="a",partition="0"} 0.5 1767225660000
                _5m_hot{node="a",partition="0"} 1.0 1767225660000
                """#,
                "_5m_n{node=\"b,=\\\\\\\"\\n\u{1}é\",partition=\"1\"} 9.223372036854776e+18 1767225660000\n"
                    + "_5m_idle{node=\"b,=\\\\\\\"\\n\u{1}é\",partition=\"1\"} NaN 1767225660000\n"
                    + "_5m_hot{node=\"b,=\\\\\\\"\\n\u{1}é\",partition=\"1\"} 0.0 1767225660000",
                "_5m_n{partition=\"2\"} 0.0 59999\n_5m_idle{partition=\"2\"} +Inf 59999",
                "_5m_n{partition=\"3\"} -5.0 60000\n_5m_hot{partition=\"3\"} 0.0 60000",
            ])
    }

    @Test("names that samples cannot have are mended, and stay apart")
    func names() throws {
        let schema = RowSchema(columns: [
            ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
            ColumnDescription(name: "labels.topic", type: .text, role: .key),
            ColumnDescription(name: "labels_topic", type: .text, role: .key),
            ColumnDescription(name: "9", type: .text, role: .key),
            ColumnDescription(name: "ä", type: .double, role: .aggregate),
        ])
        let text = ColumnData(.texts(TextColumn(dictionary: ["x"], codes: [0])))
        let rows = RowBatch(
            schema: schema, rowCount: 1,
            columns: [ColumnData(.timestamps([1])), text, text, text, ColumnData(.doubles([1]))])
        #expect(
            try encode("prometheus", rows, query: "q") == [
                #"q___{labels_topic="x",labels_topic_="x",_9="x"} 1.0 1"#
            ])
    }

    @Test("Kafka keys")
    func keys() {
        var key = RowKey()
        var out = EncodedRows()
        key.encode(Self.batch(), into: &out)
        let keys = (0..<out.count).map { String(decoding: out.bytes[out.range(of: $0)], as: UTF8.self) }
        #expect(
            keys == [
                "node=a,partition=0", "node=b\\,\\=\\\\\"\n\u{1}é,partition=1", "node=,partition=2", "partition=3",
            ])
    }

    @Test("random rows come back from an independent JSON reader")
    func random() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        func double() -> Double {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: Double(bitPattern: random.next())
            case 1: Double(Int.random(in: -1_000_000...1_000_000, using: &random))
            case 2: Double(Int.random(in: -1_000_000_000...1_000_000_000, using: &random)) / 1000
            case 3: Double.random(in: -1...1, using: &random)
            case 4: Double(Int64(bitPattern: random.next()))
            default: Double(Int.random(in: 0...99_999_999_999_999, using: &random)) / 1e9
            }
        }
        func text() -> ByteString {
            let scalars = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                Unicode.Scalar(UInt32.random(in: 0...0x2fff, using: &random)) ?? "?"
            }
            var text = String.UnicodeScalarView()
            text.append(contentsOf: scalars)
            return ByteString(String(text))
        }
        for _ in 0..<50 {
            let count = Int.random(in: 1...20, using: &random)
            let doubles = (0..<count).map { _ in double() }
            let texts = (0..<count).map { _ in text() }
            let codes = (0..<count).map { Int32(Int.random(in: -1..<10, using: &random) < 0 ? -1 : $0) }
            let integers = (0..<count).map { _ in
                Int64(bitPattern: random.next()) >> Int64.random(in: 11...63, using: &random)
            }
            let schema = RowSchema(columns: [
                ColumnDescription(name: "d\"", type: .double, role: .aggregate),
                ColumnDescription(name: "t\n", type: .text, role: .key),
                ColumnDescription(name: "i", type: .int64, role: .aggregate),
            ])
            let rows = RowBatch(
                schema: schema, rowCount: count,
                columns: [
                    ColumnData(.doubles(doubles)),
                    ColumnData(.texts(TextColumn(dictionary: texts, codes: codes))),
                    ColumnData(.integers(integers)),
                ])
            for (row, line) in try encode("json", rows, query: "q").enumerated() {
                let object = try JSONValue(parsing: line.utf8)
                #expect(object["query"] == .text("q"))
                let value = doubles[row]
                if value.isFinite {
                    #expect(object["d\""]?.number?.bitPattern == value.bitPattern, "seed \(seed)")
                } else {
                    #expect(object["d\""] == .text(value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf"))
                }
                // Compared as UTF-8: Swift's strings are equal when canonically equivalent.
                let found = object["t\n"]?.text.map { Array($0.utf8) }
                #expect(found == (codes[row] < 0 ? nil : texts[row].bytes), "seed \(seed)")
                #expect(object["i"]?.number == Double(integers[row]), "seed \(seed)")
            }
        }
    }

    @Test("bytes that are no UTF-8 do not make bad JSON")
    func invalidUTF8() throws {
        let schema = RowSchema(columns: [ColumnDescription(name: "t", type: .text, role: .key)])
        let bad = ByteString(bytes: [0x61, 0xff, 0x22, 0xc3])
        let rows = RowBatch(
            schema: schema, rowCount: 1, columns: [ColumnData(.texts(TextColumn(dictionary: [bad], codes: [0])))])
        #expect(
            try JSONValue(parsing: try encode("json", rows, query: "q")[0].utf8)["t"] == .text("a\u{fffd}\"\u{fffd}"))
    }

    @Test("a late row")
    func lateRow() {
        let row = LateRow(
            query: "cpu", partition: PartitionID(source: "m", topic: "metrics", partition: 3), offset: 17, line: 2,
            timestampMs: 1_767_225_600_001, value: -.infinity,
            series: SeriesLabels(name: "up", labels: [Label("job", "a\"b")]), windowEndMs: 1_767_225_660_000,
            latenessMs: 5000)
        #expect(
            String(decoding: row.json, as: UTF8.self)
                == #"{"query":"cpu","topic":"metrics","partition":3,"offset":17,"line":2,"timestamp":"2026-01-01T00:00:00.001Z","value":"-Inf","labels":{"__name__":"up","job":"a\"b"},"window_end":"2026-01-01T00:01:00.000Z","latenessMs":5000}"#
        )
    }

    @Test("dead letters, whole and cut")
    func deadLetter() throws {
        let partition = PartitionID(source: "m", topic: "metrics", partition: 0)
        func letter(_ raw: [UInt8], _ timestampMs: Int64?) -> String {
            let record = BadRecord(
                offset: 4, line: 5, reason: .badValue, detail: "\"x\" is no number", raw: raw,
                recordTimestampMs: timestampMs)
            return String(decoding: DeadLetter(partition: partition, record: record).json, as: UTF8.self)
        }
        #expect(
            letter(Array("up x 1".utf8), nil)
                == #"{"topic":"metrics","partition":0,"offset":4,"line":5,"reason":"badValue","detail":"\"x\" is no number","raw":"dXAgeCAx","timestamp":null}"#
        )
        #expect(letter([0xff], 0).contains(#""raw":"/w==","timestamp":"1970-01-01T00:00:00.000Z"}"#))
        #expect(letter([1, 2], nil).contains(#""raw":"AQI=""#))
        let cut = try JSONValue(parsing: letter([UInt8](repeating: 0, count: 1 << 20), nil).utf8)
        #expect(cut["rawTruncated"] == .boolean(true))
        #expect(cut["raw"]?.text?.utf8.count == 64 * 1024)
    }
}
