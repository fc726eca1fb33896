/// Turns one window's groups and aggregate cells into rows: key columns, derived columns, `having`.
struct RowBuilder {
    let plan: QueryPlan

    /// The rows of one window, in key order, and which groups they are of (nil: all). `keep` false leaves a row out.
    func rows(
        window: Int64, count: Int, keys: [(description: ColumnDescription, data: ColumnData)], aggregates: [ColumnData],
        keep: [Bool]?
    ) -> (rows: RowBatch, groups: [Int]?) {
        var columns: [ColumnDescription] = [
            ColumnDescription(name: "window_start", type: .timestamp, role: .windowStart),
            ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
        ]
        var data: [ColumnData] = [
            ColumnData(.timestamps([Int64](repeating: plan.window.startMs(window), count: count))),
            ColumnData(.timestamps([Int64](repeating: plan.window.endMs(window), count: count))),
        ]
        for key in keys {
            columns.append(key.description)
            data.append(key.data)
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
        if kept.allSatisfy({ $0 }) { return (batch, nil) }
        let groups = kept.indices.filter { kept[$0] }
        return (batch.rows(groups), groups)
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
