import StreamEngine

/// One column of a batch, laid open for row-by-row writing: no array is retained and no enum copied for a cell.
/// Valid only inside `RowCursor.withCursors`.
struct RowCursor {
    enum Cells {
        case timestamps(UnsafePointer<Int64>)
        case texts(UnsafePointer<Int32>, UnsafeBufferPointer<ByteString>)
        case doubles(UnsafePointer<Double>)
        case integers(UnsafePointer<Int64>)
        case booleans(UnsafePointer<Bool>)
    }

    let cells: Cells
    /// nil when every cell is valid.
    let valid: UnsafePointer<Bool>?

    /// Lays the columns of a batch open and calls `body` with a cursor each. Nothing is called for a batch without rows.
    static func withCursors(_ rows: RowBatch, _ body: ([RowCursor]) -> Void) {
        guard rows.rowCount > 0 else { return }
        var cursors: [RowCursor] = []
        cursors.reserveCapacity(rows.columns.count)
        open(rows.columns[...], rows.rowCount, &cursors, body)
    }

    private static func open(
        _ columns: ArraySlice<ColumnData>, _ rowCount: Int, _ cursors: inout [RowCursor], _ body: ([RowCursor]) -> Void
    ) {
        guard let column = columns.first else { return body(cursors) }
        let rest = columns.dropFirst()
        // Batches are made by the engine, each column with `rowCount` cells; checked as what follows reads without bounds.
        func next(_ cells: Cells) {
            if let valid = column.valid {
                valid.withUnsafeBufferPointer { valid in
                    precondition(valid.count >= rowCount, "a column is shorter than its batch")
                    cursors.append(RowCursor(cells: cells, valid: valid.baseAddress))
                    open(rest, rowCount, &cursors, body)
                }
            } else {
                cursors.append(RowCursor(cells: cells, valid: nil))
                open(rest, rowCount, &cursors, body)
            }
        }
        func address<T>(_ buffer: UnsafeBufferPointer<T>) -> UnsafePointer<T> {
            guard buffer.count >= rowCount, let base = buffer.baseAddress else {
                preconditionFailure("a column is shorter than its batch")
            }
            return base
        }
        switch column.values {
        case .timestamps(let values): values.withUnsafeBufferPointer { next(.timestamps(address($0))) }
        case .doubles(let values): values.withUnsafeBufferPointer { next(.doubles(address($0))) }
        case .integers(let values): values.withUnsafeBufferPointer { next(.integers(address($0))) }
        case .booleans(let values): values.withUnsafeBufferPointer { next(.booleans(address($0))) }
        case .texts(let column):
            column.codes.withUnsafeBufferPointer { codes in
                column.dictionary.withUnsafeBufferPointer { next(.texts(address(codes), $0)) }
            }
        }
    }

    /// Whether a cell is null (or absent).
    func isNull(_ row: Int) -> Bool {
        if case .texts(let codes, _) = cells { return codes[row] < 0 }
        return valid.map { !$0[row] } ?? false
    }

    /// The value of a numeric cell; booleans count 1 and 0, times as ms. Nil for null and for text.
    func number(_ row: Int) -> Double? {
        if isNull(row) { return nil }
        switch cells {
        case .doubles(let values): return values[row]
        case .integers(let values), .timestamps(let values): return Double(values[row])
        case .booleans(let values): return values[row] ? 1 : 0
        case .texts: return nil
        }
    }

    /// Appends a cell as plain text, as a label's value or in a key; nothing for null.
    func appendText(_ row: Int, to out: inout [UInt8]) {
        if isNull(row) { return }
        switch cells {
        case .texts(let codes, let dictionary): out.append(contentsOf: dictionary[Int(codes[row])].bytes)
        case .integers(let values): NumberText.append(values[row], to: &out)
        case .doubles(let values): NumberText.append(values[row], to: &out)
        case .booleans(let values): out.append(contentsOf: (values[row] ? "true" : "false").utf8)
        case .timestamps(let values): EventTime.appendRFC3339(values[row], to: &out)
        }
    }
}
