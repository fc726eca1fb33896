import StreamEngine

/// `prometheus`: each value of a row as one line of text exposition (format 0.0.4):
/// `cpu_busy{node="a"} 0.5 1767225600000`. See `SampleColumns`.
public struct PrometheusRows: RowFormat {
    public var name: String { "prometheus" }
    public var summary: String { "each value as a line of Prometheus text exposition; can be a source again" }

    public init() {}

    public func makeEncoder(query: String) -> any RowEncoder { Encoder(query: query) }

    private final class Encoder: RowEncoder {
        private let query: String
        private var schema: RowSchema?
        private var columns = SampleColumns(RowSchema(columns: []), query: "")
        private var labels: [UInt8] = []
        private var text: [UInt8] = []

        init(query: String) { self.query = query }

        func another() -> any RowEncoder { Encoder(query: query) }

        func encode(_ rows: RowBatch, into out: inout EncodedRows) {
            if schema != rows.schema {
                schema = rows.schema
                columns = SampleColumns(rows.schema, query: query)
            }
            RowCursor.withCursors(rows) { cursors in
                for row in 0..<rows.rowCount {
                    encodeRow(cursors, row, into: &out.bytes)
                    out.endRow()
                }
            }
        }

        private func encodeRow(_ cursors: [RowCursor], _ row: Int, into out: inout [UInt8]) {
            labels.removeAll(keepingCapacity: true)
            for (index, name) in columns.labels where !cursors[index].isNull(row) {
                labels.append(labels.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
                labels.append(contentsOf: name)
                labels.append(contentsOf: #"=""#.utf8)
                text.removeAll(keepingCapacity: true)
                cursors[index].appendText(row, to: &text)
                appendEscaped(text)
                labels.append(UInt8(ascii: "\""))
            }
            if !labels.isEmpty { labels.append(UInt8(ascii: "}")) }
            var isFirst = true
            for (index, name) in columns.metrics {
                guard let value = cursors[index].number(row) else { continue }
                if !isFirst { out.append(UInt8(ascii: "\n")) }
                isFirst = false
                out.append(contentsOf: name)
                out.append(contentsOf: labels)
                out.append(UInt8(ascii: " "))
                NumberText.append(value, to: &out)
                out.append(UInt8(ascii: " "))
                NumberText.append(columns.timestampMs(cursors, row), to: &out)
            }
        }

        /// Backslash, quote and line feed are escaped, everything else stands for itself (exposition formats, "Comments,
        /// help text, and type information").
        private func appendEscaped(_ text: [UInt8]) {
            for byte in text {
                switch byte {
                case UInt8(ascii: "\\"), UInt8(ascii: "\""):
                    labels.append(UInt8(ascii: "\\"))
                    labels.append(byte)
                case UInt8(ascii: "\n"): labels.append(contentsOf: #"\n"#.utf8)
                default: labels.append(byte)
                }
            }
        }
    }
}
