import StreamEngine

/// `json`: one flat object a row (JOBS.md "Rows out"): `{"query":"cpu","window_start":"…Z","window_end":"…Z","node":"a",
/// "series":8,"idle":0.5}`. Null is `null`, cells a row does not have (`without`) are left out, numbers that are not
/// finite are the strings `"NaN"`, `"+Inf"`, `"-Inf"`.
public struct JSONRows: RowFormat {
    public var name: String { "json" }
    public var summary: String { "one flat JSON object a row, every column under its name" }

    public init() {}

    public func makeEncoder(query: String) -> any RowEncoder { Encoder(query: query) }

    private final class Encoder: RowEncoder {
        private let query: String
        /// `{"query":"cpu"`.
        private var head: [UInt8] = []
        private var schema: RowSchema?
        /// `,"name":` for each column.
        private var names: [[UInt8]] = []
        /// The time written last in each column and its text: the rows of a window share it.
        private var times: [(timestampMs: Int64, text: [UInt8])] = []

        init(query: String) {
            self.query = query
            head.append(contentsOf: #"{"query":"#.utf8)
            JSONText.appendString(query, to: &head)
        }

        func another() -> any RowEncoder { Encoder(query: query) }

        func encode(_ rows: RowBatch, into out: inout EncodedRows) {
            if schema != rows.schema { adopt(rows.schema) }
            RowCursor.withCursors(rows) { cursors in
                for row in 0..<rows.rowCount {
                    out.bytes.append(contentsOf: head)
                    for (i, cursor) in cursors.enumerated() { append(cursor, row, column: i, to: &out.bytes) }
                    out.bytes.append(UInt8(ascii: "}"))
                    out.endRow()
                }
            }
        }

        private func adopt(_ schema: RowSchema) {
            self.schema = schema
            names = schema.columns.map { column in
                var name: [UInt8] = [UInt8(ascii: ",")]
                JSONText.appendString(column.name, to: &name)
                name.append(UInt8(ascii: ":"))
                return name
            }
            times = Array(repeating: (0, []), count: names.count)
        }

        private func append(_ cursor: RowCursor, _ row: Int, column: Int, to out: inout [UInt8]) {
            if case .texts(let codes, _) = cursor.cells, codes[row] == TextColumn.absent { return }
            out.append(contentsOf: names[column])
            if cursor.isNull(row) {
                out.append(contentsOf: "null".utf8)
                return
            }
            switch cursor.cells {
            case .timestamps(let values): appendTime(values[row], column: column, to: &out)
            case .texts(let codes, let dictionary): JSONText.appendString(dictionary[Int(codes[row])].bytes, to: &out)
            case .doubles(let values): JSONText.appendNumber(values[row], to: &out)
            case .integers(let values): NumberText.append(values[row], to: &out)
            case .booleans(let values): out.append(contentsOf: (values[row] ? "true" : "false").utf8)
            }
        }

        private func appendTime(_ timestampMs: Int64, column: Int, to out: inout [UInt8]) {
            if times[column].timestampMs != timestampMs || times[column].text.isEmpty {
                var text: [UInt8] = [UInt8(ascii: "\"")]
                EventTime.appendRFC3339(timestampMs, to: &text)
                text.append(UInt8(ascii: "\""))
                times[column] = (timestampMs, text)
            }
            out.append(contentsOf: times[column].text)
        }
    }
}
