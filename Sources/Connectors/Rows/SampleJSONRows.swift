import StreamEngine

/// `sample-json`: each value of a row as one JSON object a line, as the prometheus-kafka-adapter writes samples:
/// `{"timestamp":"…Z","value":"0.5","name":"cpu_busy","labels":{"__name__":"cpu_busy","node":"a"}}`. See `SampleColumns`.
public struct SampleJSONRows: RowFormat {
    public var name: String { "sample-json" }
    public var summary: String {
        "each value as a sample in the prometheus-kafka-adapter's JSON; can be a source again"
    }

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
                labels.append(contentsOf: #",""#.utf8)
                labels.append(contentsOf: name)
                labels.append(contentsOf: #"":"#.utf8)
                text.removeAll(keepingCapacity: true)
                cursors[index].appendText(row, to: &text)
                JSONText.appendString(text, to: &labels)
            }
            var isFirst = true
            for (index, name) in columns.metrics {
                guard let value = cursors[index].number(row) else { continue }
                if !isFirst { out.append(UInt8(ascii: "\n")) }
                isFirst = false
                out.append(contentsOf: #"{"timestamp":""#.utf8)
                EventTime.appendRFC3339(columns.timestampMs(cursors, row), to: &out)
                out.append(contentsOf: #"","value":""#.utf8)
                NumberText.append(value, to: &out)
                out.append(contentsOf: #"","name":""#.utf8)
                out.append(contentsOf: name)
                out.append(contentsOf: #"","labels":{"__name__":""#.utf8)
                out.append(contentsOf: name)
                out.append(UInt8(ascii: "\""))
                out.append(contentsOf: labels)
                out.append(contentsOf: "}}".utf8)
            }
        }
    }
}
