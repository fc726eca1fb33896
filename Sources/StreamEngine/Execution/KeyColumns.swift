/// The key columns of a query's rows. The cells of each column are unpacked once: building a window's columns is then a
/// gather of codes.
final class KeyColumns {
    private let plan: QueryPlan
    private var columns: [Column] = []

    private struct Column {
        let description: ColumnDescription
        /// Texts, and the code of each cell, for text columns.
        var dictionary: [ByteString] = []
        var codes: [Int32] = []
        /// The number of each cell, for others; nil where it is missing.
        var numbers: [Double?] = []
    }

    init(plan: QueryPlan) {
        self.plan = plan
        reset()
    }

    /// Forgets every cell: their indices mean others from now on.
    func reset() {
        columns = []
        if case .by(let keyColumns) = plan.grouping {
            columns = keyColumns.map {
                Column(description: ColumnDescription(name: $0.name, type: $0.columnType, role: .key))
            }
        }
    }

    /// The key columns of rows whose keys have these indices in `keys`.
    func columns(
        of indices: [UInt32], in keys: borrowing KeyDirectory
    ) -> [(description: ColumnDescription, data: ColumnData)] {
        if case .without = plan.grouping { return ownLabels(indices.map { keys.key($0) }) }
        var result: [(description: ColumnDescription, data: ColumnData)] = []
        for place in columns.indices {
            unpack(keys.columns[place], into: &columns[place])
            let cells = indices.map { Int(keys.cell(of: $0, place)) }
            result.append((columns[place].description, data(columns[place], cells)))
        }
        return result
    }

    private func unpack(_ cells: KeyCells, into column: inout Column) {
        let isText = column.description.type == .text
        for index in (isText ? column.codes.count : column.numbers.count)..<cells.count {
            let cell = GroupKey.cell(cells.bytes(UInt32(index)))
            if isText {
                guard case .text(let text) = cell else {
                    column.codes.append(TextColumn.null)
                    continue
                }
                column.codes.append(Int32(column.dictionary.count))
                column.dictionary.append(OrderedText.text(text))
            } else if case .number(let bits) = cell {
                column.numbers.append(Double(bitPattern: bits))
            } else {
                column.numbers.append(nil)
            }
        }
    }

    private func data(_ column: Column, _ cells: [Int]) -> ColumnData {
        if column.description.type == .text {
            return ColumnData(
                .texts(TextColumn(dictionary: column.dictionary, codes: cells.map { column.codes[$0] })))
        }
        let numbers = cells.map { column.numbers[$0] }
        let valid = numbers.contains { $0 == nil } ? numbers.map { $0 != nil } : nil
        switch column.description.type {
        case .int64: return ColumnData(.integers(numbers.map { Int64(exactly: $0 ?? 0) ?? .max }), valid: valid)
        case .boolean: return ColumnData(.booleans(numbers.map { $0 == 1 }), valid: valid)
        case .double, .text, .timestamp: return ColumnData(.doubles(numbers.map { $0 ?? 0 }), valid: valid)
        }
    }

    /// With `without` each row carries its own labels only; a label called like another column becomes `label_X`.
    private func ownLabels(_ keys: [GroupKey]) -> [(description: ColumnDescription, data: ColumnData)] {
        var taken: Set<String> = ["query", "window_start", "window_end"]
        for output in plan.outputs { taken.insert(output.name) }
        for column in plan.derived { taken.insert(column.name) }
        var codes: [ByteString: [Int32]] = [:]
        var dictionaries: [ByteString: [ByteString]] = [:]
        for (row, key) in keys.enumerated() {
            for case .label(let label) in key.cells {
                codes[label.name, default: Array(repeating: TextColumn.absent, count: keys.count)][row] =
                    Int32(dictionaries[label.name, default: []].count)
                dictionaries[label.name, default: []].append(label.value)
            }
        }
        return codes.keys.sorted().map { name in
            var shown = name.description
            while taken.contains(shown) { shown = "label_\(shown)" }
            taken.insert(shown)
            return (
                ColumnDescription(name: shown, type: .text, role: .key),
                ColumnData(.texts(TextColumn(dictionary: dictionaries[name] ?? [], codes: codes[name] ?? [])))
            )
        }
    }
}
