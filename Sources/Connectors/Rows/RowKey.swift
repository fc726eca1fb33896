import StreamEngine

/// A row's Kafka key: its key columns as `node=a,mode=user`, in the schema's order.
///
/// In names and values `\`, `,` and `=` are written `\\`, `\,` and `\=`, so a key reads back one way only. A missing label
/// is `node=` (an empty label is the same as none, SEMANTICS §1); a column the row does not have (`without`) is left out.
/// Rows without key columns (`groupBy: []`) have an empty key: a Kafka message without one.
public struct RowKey {
    private var schema: RowSchema?
    private var columns: [(index: Int, name: [UInt8])] = []

    /// Knows no columns yet.
    public init() {}

    /// Appends the key of every row.
    public mutating func encode(_ rows: RowBatch, into out: inout EncodedRows) {
        if schema != rows.schema { adopt(rows.schema) }
        var scratch: [UInt8] = []
        RowCursor.withCursors(rows) { cursors in
            for row in 0..<rows.rowCount {
                var isFirst = true
                for (index, name) in columns {
                    let cursor = cursors[index]
                    if case .texts(let codes, _) = cursor.cells, codes[row] == TextColumn.absent { continue }
                    if !isFirst { out.bytes.append(UInt8(ascii: ",")) }
                    isFirst = false
                    out.bytes.append(contentsOf: name)
                    if case .texts(let codes, let dictionary) = cursor.cells {
                        if codes[row] >= 0 { Self.append(dictionary[Int(codes[row])].bytes, to: &out.bytes) }
                        continue
                    }
                    scratch.removeAll(keepingCapacity: true)
                    cursor.appendText(row, to: &scratch)
                    Self.append(scratch, to: &out.bytes)
                }
                out.endRow()
            }
        }
    }

    /// The key of labels, in their order; empty without labels.
    static func text(_ labels: [Label]) -> [UInt8] {
        var out: [UInt8] = []
        for label in labels {
            if !out.isEmpty { out.append(UInt8(ascii: ",")) }
            append(label.name.bytes, to: &out)
            out.append(UInt8(ascii: "="))
            append(label.value.bytes, to: &out)
        }
        return out
    }

    private mutating func adopt(_ schema: RowSchema) {
        self.schema = schema
        columns = schema.columns.enumerated().compactMap { index, column in
            guard column.role == .key else { return nil }
            var name: [UInt8] = []
            Self.append(Array(column.name.utf8), to: &name)
            name.append(UInt8(ascii: "="))
            return (index, name)
        }
    }

    @inline(__always)
    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\\") || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "=")
    }

    private static func append(_ text: [UInt8], to out: inout [UInt8]) {
        guard text.contains(where: isSpecial) else { return out.append(contentsOf: text) }
        for byte in text {
            if isSpecial(byte) {
                out.append(UInt8(ascii: "\\"))
            }
            out.append(byte)
        }
    }
}
