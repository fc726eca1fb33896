/// Turns one window's groups and aggregate cells into rows: key columns, derived columns, `having`.
struct RowBuilder {
    let plan: QueryPlan

    /// The rows of one window, in key order. `keep` false leaves a row out.
    func rows(window: Int64, keys: [GroupKey], aggregates: [ColumnData], keep: [Bool]?) -> RowBatch {
        let count = keys.count
        var columns: [ColumnDescription] = [
            ColumnDescription(name: "window_start", type: .timestamp, role: .windowStart),
            ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
        ]
        var data: [ColumnData] = [
            ColumnData(.timestamps([Int64](repeating: plan.window.startMs(window), count: count))),
            ColumnData(.timestamps([Int64](repeating: plan.window.endMs(window), count: count))),
        ]
        switch plan.grouping {
        case .by(let keyColumns):
            for (index, column) in keyColumns.enumerated() {
                columns.append(ColumnDescription(name: column.name, type: column.columnType, role: .key))
                data.append(keyCells(keys, index, column))
            }
        case .without:
            addOwnLabels(keys, &columns, &data)
        }
        for (output, cells) in zip(plan.outputs, aggregates) {
            columns.append(ColumnDescription(name: output.name, type: output.type, role: .aggregate))
            data.append(cells)
        }
        var batch = RowBatch(schema: RowSchema(columns: columns), rowCount: count, columns: data)
        derive(&batch)
        var kept = keep ?? [Bool](repeating: true, count: count)
        if let having = plan.having {
            let scope = plan.resultSlots(in: batch.schema)
            for row in 0..<count where kept[row] {
                kept[row] = having.isTrue(ResultRow(batch: batch, row: row, columns: scope))
            }
        }
        return kept.allSatisfy { $0 } ? batch : batch.filtered(kept)
    }

    private func derive(_ batch: inout RowBatch) {
        for column in plan.derived {
            let scope = plan.resultSlots(in: batch.schema)
            var values: [Value] = []
            values.reserveCapacity(batch.rowCount)
            for row in 0..<batch.rowCount {
                values.append(column.expression.value(ResultRow(batch: batch, row: row, columns: scope)))
            }
            let cells = RowBuilder.column(values, type: column.expression.type)
            batch.schema = RowSchema(
                columns: batch.schema.columns
                    + [ColumnDescription(name: column.name, type: cells.type, role: .derived)])
            batch.columns.append(cells.data)
        }
    }

    private func keyCells(_ keys: [GroupKey], _ index: Int, _ column: KeyColumn) -> ColumnData {
        switch column.columnType {
        case .text, .timestamp:
            var codes: [Int32] = []
            codes.reserveCapacity(keys.count)
            var dictionary: [ByteString] = []
            var codeOf: [ByteString: Int32] = [:]
            for key in keys {
                guard case .text(let text) = key.cells[index] else {
                    codes.append(TextColumn.null)
                    continue
                }
                // Keys come in order, so equal texts of the first column follow each other.
                if let last = codes.last, last >= 0, dictionary[Int(last)] == text {
                    codes.append(last)
                } else if let known = codeOf[text] {
                    codes.append(known)
                } else {
                    let code = Int32(dictionary.count)
                    codeOf[text] = code
                    dictionary.append(text)
                    codes.append(code)
                }
            }
            return ColumnData(.texts(TextColumn(dictionary: dictionary, codes: codes)))
        case .int64, .double, .boolean:
            let numbers = keys.map { key -> Double? in
                guard case .number(let bits) = key.cells[index] else { return nil }
                return Double(bitPattern: bits)
            }
            let valid = numbers.contains { $0 == nil } ? numbers.map { $0 != nil } : nil
            switch column.columnType {
            case .int64: return ColumnData(.integers(numbers.map { Int64($0 ?? 0) }), valid: valid)
            case .boolean: return ColumnData(.booleans(numbers.map { $0 == 1 }), valid: valid)
            case .double, .text, .timestamp: return ColumnData(.doubles(numbers.map { $0 ?? 0 }), valid: valid)
            }
        }
    }

    /// With `without` each row carries its own labels only; a label called like another column becomes `label_X`.
    private func addOwnLabels(_ keys: [GroupKey], _ columns: inout [ColumnDescription], _ data: inout [ColumnData]) {
        var taken: Set<String> = ["query", "window_start", "window_end"]
        for output in plan.outputs { taken.insert(output.name) }
        for column in plan.derived { taken.insert(column.name) }
        var codes: [ByteString: [Int32]] = [:]
        var dictionaries: [ByteString: [ByteString]] = [:]
        for (row, key) in keys.enumerated() {
            for case .label(let label) in key.cells {
                var column = codes[label.name] ?? [Int32](repeating: TextColumn.absent, count: keys.count)
                column[row] = Int32(dictionaries[label.name, default: []].count)
                dictionaries[label.name, default: []].append(label.value)
                codes[label.name] = column
            }
        }
        for name in codes.keys.sorted() {
            var shown = name.description
            while taken.contains(shown) { shown = "label_\(shown)" }
            columns.append(ColumnDescription(name: shown, type: .text, role: .key))
            data.append(
                ColumnData(.texts(TextColumn(dictionary: dictionaries[name] ?? [], codes: codes[name] ?? []))))
        }
    }

    /// Cells of an expression's type.
    static func column(_ values: [Value], type: ValueType) -> (type: ColumnType, data: ColumnData) {
        let valid = values.map { $0 != .null }
        let mask = valid.allSatisfy { $0 } ? nil : valid
        switch type {
        case .number:
            let cells = values.map { value -> Double in
                switch value {
                case .number(let number): number
                case .boolean(let flag): flag ? 1 : 0
                case .null, .text: 0
                }
            }
            return (.double, ColumnData(.doubles(cells), valid: mask))
        case .boolean:
            return (.boolean, ColumnData(.booleans(values.map { $0 == .boolean(true) }), valid: mask))
        case .string:
            var dictionary: [ByteString] = []
            let codes = values.map { value -> Int32 in
                guard case .text(let text) = value else { return TextColumn.null }
                dictionary.append(text)
                return Int32(dictionary.count - 1)
            }
            return (.text, ColumnData(.texts(TextColumn(dictionary: dictionary, codes: codes))))
        }
    }
}

/// A result row as expressions see it: `derive` and `having`.
struct ResultRow: ExpressionRow {
    let batch: RowBatch
    let row: Int
    /// The batch's column of each slot.
    let columns: [Int]

    func value(slot: Int) -> Value {
        let column = batch.columns[columns[slot]]
        guard !column.isNull(row) else { return .null }
        switch column.values {
        case .timestamps(let values), .integers(let values): return .number(Double(values[row]))
        case .doubles(let values): return .number(values[row])
        case .booleans(let values): return .boolean(values[row])
        case .texts(let texts): return texts.text(at: row).map { .text($0) } ?? .null
        }
    }
}

extension RowBatch {
    /// The rows for which `keep` is true.
    func filtered(_ keep: [Bool]) -> RowBatch { rows(keep.indices.filter { keep[$0] }) }
}
