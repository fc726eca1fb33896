import StreamEngine

/// A bordered table of an epoch's first rows, as Structured Streaming's console sink prints it.
struct ConsoleTable {
    private struct Column {
        var head: ConsoleText
        var cells: [ConsoleText]
        var alignsRight: Bool

        var width: Int { cells.reduce(max(head.width, 1)) { max($0, $1.width) } }
    }

    private var columns: [Column]
    private let shown: Int
    private let total: Int

    /// A table of `rows`, the first of `total`; text wider than `truncate` columns is cut (0: never).
    init(_ rows: RowBatch, total: Int, truncate: Int) {
        self.total = total
        shown = rows.rowCount
        columns = []
        for (description, data) in zip(rows.schema.columns, rows.columns) {
            columns.append(
                Column(
                    head: ConsoleText(description.name), cells: Self.cells(data, shown, truncate),
                    alignsRight: description.type == .double || description.type == .int64))
        }
    }

    private static func cells(_ data: ColumnData, _ count: Int, _ truncate: Int) -> [ConsoleText] {
        let null = ConsoleText(ascii: "null")
        switch data.values {
        case .timestamps(let values):
            return (0..<count).map { data.isNull($0) ? null : ConsoleText(ascii: EventTime.consoleText(values[$0])) }
        case .texts(let column):
            return (0..<count).map { row in
                if column.codes[row] == TextColumn.absent { return ConsoleText(ascii: "") }
                return column.text(at: row).map { ConsoleText($0.description, truncate: truncate) } ?? null
            }
        case .integers(let values):
            return (0..<count).map { data.isNull($0) ? null : ConsoleText(ascii: PeopleNumber.text(values[$0])) }
        case .booleans(let values):
            return (0..<count).map { data.isNull($0) ? null : ConsoleText(ascii: values[$0] ? "true" : "false") }
        case .doubles(let values):
            return PeopleNumber.column((0..<count).map { data.isNull($0) ? nil : values[$0] }).map {
                $0.map { ConsoleText(ascii: $0) } ?? null
            }
        }
    }

    /// The table with a line end after each line, and how many rows it shows of how many.
    var text: String {
        let widths = columns.map(\.width)
        let border = "+" + widths.map { String(repeating: "-", count: $0 + 2) + "+" }.joined() + "\n"
        func line(_ cell: (Column) -> ConsoleText) -> String {
            "|"
                + zip(columns, widths).map { column, width in
                    let text = cell(column)
                    return " " + (column.alignsRight ? text.rightAligned(to: width) : text.padded(to: width)) + " |"
                }.joined() + "\n"
        }
        var out = border + line(\.head) + border
        for row in 0..<shown { out += line { $0.cells[row] } }
        out += border
        out +=
            "\(PeopleNumber.text(Int64(shown))) \(shown == 1 ? "row" : "rows") (of \(PeopleNumber.text(Int64(total))))\n"
        return out
    }
}
