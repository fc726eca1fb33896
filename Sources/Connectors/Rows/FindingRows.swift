import StreamEngine

extension FindingForms<AnomalyRow> {
    /// Anomalies in every form.
    public static var anomalies: FindingForms<AnomalyRow> {
        FindingForms(
            document: { ($1.json(job: $0), $1.kafkaKey) }, line: \.line,
            table: { job, rows in
                var table = FindingColumns(FindingTable.anomalies)
                table.add(repeatElement(job, count: rows.count))
                table.add(rows.map(\.query))
                table.add(rows.map(\.detector))
                table.add(rows.map(\.type))
                table.add(timesMs: rows.map(\.windowEndMs))
                table.add(timesMs: rows.map(\.windowStartMs))
                table.add(timesMs: rows.map(\.windowEndMs))
                table.add(rows.map { ByteString(bytes: JSONObject.of($0.labels)) })
                table.add(rows.map { $0.column.map { ByteString($0) } })
                for numbers in [\AnomalyRow.value, \.expected, \.lower, \.upper] {
                    table.add(numbers: rows.map { $0[keyPath: numbers] })
                }
                table.add(numbers: rows.map(\.score))
                table.add(rows.map(\.state.rawValue))
                table.add(rows.map(\.severity))
                table.add(rows.map(\.reason))
                table.add(timesMs: rows.map(\.startedAtMs))
                table.add(rows.map { $0.incidentID.map { ByteString($0) } })
                table.add(rows.map { ByteString(bytes: $0.contextJSON) })
                table.add(rows.map { ByteString(bytes: JSONObject.of($0.annotations)) })
                return table.batch(rows.count)
            })
    }
}

extension FindingForms<ImpactRow> {
    /// Impacts in every form.
    public static var impacts: FindingForms<ImpactRow> {
        FindingForms(
            document: { ($1.json(job: $0), $1.kafkaKey) }, line: \.line,
            table: { job, rows in
                var table = FindingColumns(FindingTable.impacts)
                table.add(repeatElement(job, count: rows.count))
                table.add(rows.map(\.query))
                table.add(rows.map(\.impact))
                table.add(timesMs: rows.map(\.event.timestampMs))
                table.add(rows.map(\.event.source))
                for text in [\AnomalyEvent.type, \.reason, \.severity, \.object, \.message] {
                    table.add(rows.map { $0.event[keyPath: text] })
                }
                table.add(rows.map { ByteString(bytes: JSONObject.of($0.event.labels)) })
                table.add(rows.map { ByteString(bytes: JSONObject.of($0.labels)) })
                table.add(rows.map(\.column))
                for numbers in [\ImpactRow.before, \.after, \.change, \.relative] {
                    table.add(numbers: rows.map { $0[keyPath: numbers] })
                }
                table.add(counts: rows.map(\.windowsBefore))
                table.add(counts: rows.map(\.windowsAfter))
                return table.batch(rows.count)
            })
    }
}

/// The columns of findings in the making, in the order of their schema.
private struct FindingColumns {
    private let schema: RowSchema
    private var columns: [ColumnData] = []

    init(_ schema: RowSchema) { self.schema = schema }

    func batch(_ rowCount: Int) -> RowBatch {
        // Both tables' columns are listed in this file.
        precondition(columns.count == schema.columns.count, "every column has its cells")
        return RowBatch(schema: schema, rowCount: rowCount, columns: columns)
    }

    mutating func add(_ texts: some Collection<String>) { add(texts.map { ByteString($0) }) }

    /// Empty and missing texts are null.
    mutating func add(_ texts: [ByteString?]) {
        var codes: [ByteString: Int32] = [:]
        var column = TextColumn(dictionary: [], codes: [])
        for text in texts {
            guard let text, !text.isEmpty else {
                column.codes.append(TextColumn.null)
                continue
            }
            let code = codes[text] ?? Int32(column.dictionary.count)
            if Int(code) == column.dictionary.count {
                codes[text] = code
                column.dictionary.append(text)
            }
            column.codes.append(code)
        }
        columns.append(ColumnData(.texts(column)))
    }

    mutating func add(timesMs: [Int64?]) {
        columns.append(ColumnData(.timestamps(timesMs.map { $0 ?? 0 }), valid: Self.valid(timesMs)))
    }

    mutating func add(numbers: [Double?]) {
        columns.append(ColumnData(.doubles(numbers.map { $0 ?? 0 }), valid: Self.valid(numbers)))
    }

    mutating func add(counts: [Int]) { columns.append(ColumnData(.integers(counts.map { Int64($0) }))) }

    private static func valid<Value>(_ values: [Value?]) -> [Bool]? {
        values.allSatisfy { $0 != nil } ? nil : values.map { $0 != nil }
    }
}
