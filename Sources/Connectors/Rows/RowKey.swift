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
        withKeys(rows) { key in
            for row in 0..<rows.rowCount {
                key(row) { out.bytes.append(contentsOf: $0) }
                out.endRow()
            }
        }
    }

    /// Calls `body` with what gives the key of a row; its bytes are good until it returns. Nothing is called for a batch
    /// without rows.
    mutating func withKeys(
        _ rows: RowBatch, _ body: (_ key: (_ row: Int, _ use: (UnsafeRawBufferPointer) -> Void) -> Void) -> Void
    ) {
        if schema != rows.schema { adopt(rows.schema) }
        let columns = columns
        var long: [UInt8] = []
        RowCursor.withCursors(rows) { cursors in
            withUnsafeTemporaryAllocation(byteCount: Self.usualBytes, alignment: 1) { room in
                body { row, use in
                    if let count = Self.write(row, columns, cursors, to: room) {
                        return use(UnsafeRawBufferPointer(rebasing: room[..<count]))
                    }
                    long.removeAll(keepingCapacity: true)
                    Self.append(row, columns, cursors, to: &long)
                    long.withUnsafeBytes(use)
                }
            }
        }
    }

    /// Keys of this size and below are made without an array.
    private static let usualBytes = 512

    /// Writes the key of a row of texts without special bytes, as nearly all are; nil where it is another, or too long.
    private static func write(
        _ row: Int, _ columns: [(index: Int, name: [UInt8])], _ cursors: [RowCursor],
        to room: UnsafeMutableRawBufferPointer
    ) -> Int? {
        var count = 0
        for place in columns.indices {
            guard case .texts(let codes, let dictionary) = cursors[columns[place].index].cells else { return nil }
            let code = Int(codes[row])
            guard code != Int(TextColumn.absent) else { continue }
            if count > 0 {
                guard count < room.count else { return nil }
                room[count] = UInt8(ascii: ",")
                count += 1
            }
            guard let named = columns[place].name.withUnsafeBytes({ put($0, at: count, in: room) }) else { return nil }
            count = named
            guard code >= 0 else { continue }
            let texted = dictionary[code].bytes.withUnsafeBytes { hasSpecial($0) ? nil : put($0, at: count, in: room) }
            guard let texted else { return nil }
            count = texted
        }
        return count
    }

    /// Copies a text to a place in `room`; gives where it ends, nil without room.
    @inline(__always)
    private static func put(
        _ text: UnsafeRawBufferPointer, at start: Int, in room: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let end = start + text.count
        guard end <= room.count else { return nil }
        UnsafeMutableRawBufferPointer(rebasing: room[start..<end]).copyMemory(from: text)
        return end
    }

    private static func append(
        _ row: Int, _ columns: [(index: Int, name: [UInt8])], _ cursors: [RowCursor], to out: inout [UInt8]
    ) {
        var scratch: [UInt8] = []
        for (index, name) in columns {
            let cursor = cursors[index]
            if case .texts(let codes, _) = cursor.cells, codes[row] == TextColumn.absent { continue }
            if !out.isEmpty { out.append(UInt8(ascii: ",")) }
            out.append(contentsOf: name)
            scratch.removeAll(keepingCapacity: true)
            cursor.appendText(row, to: &scratch)
            append(scratch, to: &out)
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

    private static func hasSpecial(_ text: UnsafeRawBufferPointer) -> Bool {
        var has = false
        // Without leaving early, so that it goes by vectors.
        for byte in text { has = has || isSpecial(byte) }
        return has
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
