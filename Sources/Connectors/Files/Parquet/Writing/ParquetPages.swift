import StreamEngine

/// Where a column chunk is cut into pages: by bytes and by rows.
struct ParquetPages: Sequence, IteratorProtocol {
    struct Page {
        /// Rows of the chunk.
        var rows: Range<Int>
        /// Their values, nulls taken out.
        var values: Range<Int>
    }

    private let column: ParquetColumnBuffer
    private let settings: ParquetSettings
    private var row = 0
    private var value = 0

    init(_ column: ParquetColumnBuffer, settings: ParquetSettings) {
        self.column = column
        self.settings = settings
    }

    mutating func next() -> Page? {
        guard row < column.rowCount else { return nil }
        let firstRow = row
        let firstValue = value
        let rowsEnd = Swift.min(column.rowCount, row + settings.pageRowsMax)
        var bytes = 0
        let isText = column.type == .text
        if column.valid == nil, !isText {
            let rows = Swift.max(Swift.min(rowsEnd - row, settings.pageBytes / 8), 1)
            row += rows
            value += rows
        } else {
            while row < rowsEnd, row == firstRow || bytes < settings.pageBytes {
                if column.valid?[row] ?? true {
                    bytes += isText ? column.texts[Int(column.codes[value])].count + 4 : 8
                    value += 1
                }
                row += 1
            }
        }
        return Page(rows: firstRow..<row, values: firstValue..<value)
    }
}
