import Connectors
import StreamEngine
import TestSupport
import Testing

@Suite("Sample rows are a source again")
struct RowsReadBackTests {
    /// A number that a row said, as a sample.
    private struct Said: Hashable, CustomStringConvertible {
        var series: SeriesLabels
        var timestampMs: Int64
        var bits: UInt64

        init(_ series: SeriesLabels, _ timestampMs: Int64, _ value: Double) {
            self.series = series
            self.timestampMs = timestampMs
            // A NaN's payload is not text.
            bits = value.isNaN ? Double.nan.bitPattern : value.bitPattern
        }

        var description: String { "\(series) \(Double(bitPattern: bits)) \(timestampMs)" }
    }

    @Test("what is written is what our own decoders read", arguments: ["sample-json", "prometheus"], [false, true])
    func readBack(_ format: String, _ asFile: Bool) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let encoder = try #require(RowFormats.named(format)).makeEncoder(query: "cpu-5m")
        for _ in 0..<30 {
            let count = Int.random(in: 1...10, using: &random)
            let ends = (0..<count).map { _ in Int64.random(in: -1_000_000_000_000...4_000_000_000_000, using: &random) }
            let values = (0..<count).map { _ in
                switch Int.random(in: 0..<5, using: &random) {
                case 0:
                    [Double.nan, .infinity, -.infinity, -0.0, .leastNonzeroMagnitude].randomElement(using: &random) ?? 0
                case 1: Double(Int.random(in: -1000...1000, using: &random)) / 8
                default: Double(bitPattern: random.next())
                }
            }
            let nodes = (0..<count).map { row -> ByteString in
                let scalars = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                    ["\\", "\"", "\n", "\r", "\t", "{", "}", ",", "=", " ", "é", "日", "\u{1}", "n"]
                        .randomElement(using: &random) ?? "x"
                }
                return ByteString(scalars.joined())
            }
            let codes = (0..<count).map { Int32(Int.random(in: 0..<5, using: &random) == 0 ? -1 : $0) }
            let rows = RowBatch(
                schema: RowSchema(columns: [
                    ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
                    ColumnDescription(name: "node", type: .text, role: .key),
                    ColumnDescription(name: "n", type: .int64, role: .aggregate),
                    ColumnDescription(name: "idle", type: .double, role: .derived),
                ]), rowCount: count,
                columns: [
                    ColumnData(.timestamps(ends)), ColumnData(.texts(TextColumn(dictionary: nodes, codes: codes))),
                    ColumnData(.integers((0..<count).map(Int64.init))),
                    ColumnData(.doubles(values), valid: (0..<count).map { $0 % 4 != 3 }),
                ])
            var expected: [Said] = []
            for row in 0..<count {
                let labels = codes[row] < 0 ? [] : [Label("node", nodes[row])]
                expected.append(Said(SeriesLabels(name: "cpu_5m_n", labels: labels), ends[row], Double(row)))
                if row % 4 != 3 {
                    expected.append(Said(SeriesLabels(name: "cpu_5m_idle", labels: labels), ends[row], values[row]))
                }
            }
            var encoded = EncodedRows()
            encoder.encode(rows, into: &encoded)
            // As Kafka messages, one a row; or as a file of lines.
            var records: [[UInt8]] = (0..<count).map { Array(encoded.bytes[encoded.range(of: $0)]) }
            if asFile { records = [records.flatMap { $0 + [10] }] }
            #expect(try decode(records, format, asFile: asFile) == expected, "seed \(seed)")
        }
    }

    private func decode(_ records: [[UInt8]], _ format: String, asFile: Bool) throws -> [Said] {
        let decoder = try #require(InputFormats.named(format)).makeDecoder(limits: DecodeLimits())
        let series = SeriesDictionary()
        let batch = SampleBatch()
        for (offset, record) in records.enumerated() {
            record.withUnsafeBufferPointer {
                decoder.decode(
                    RawRecord(
                        bytes: $0, offset: Int64(offset), timestampMs: asFile ? nil : 0, linesAreRecords: asFile),
                    latestTimestampMs: .max, series: series, into: batch)
            }
        }
        for bad in batch.bad { Issue.record("\(bad.reason): \(bad.detail)") }
        return try (0..<batch.count).map { i in
            let labels = try #require(series.labels(of: batch.series[i]))
            return Said(labels, batch.timestamps[i], batch.values[i])
        }
    }
}
