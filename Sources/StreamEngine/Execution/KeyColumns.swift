/// The key columns of a query's rows, interned once a key: building a window's columns is then a gather of codes.
final class KeyColumns {
    private let plan: QueryPlan
    private var columns: [Column] = []
    /// How many keys of the directory have their cells here.
    private var known = 0

    private struct Column {
        let description: ColumnDescription
        /// Texts and the code of each key, for text columns.
        var dictionary: [ByteString] = []
        let codeOfText = TextCodes()
        var codes: [Int32] = []
        /// The number of each key, for others; nil where it is missing.
        var numbers: [Double?] = []
    }

    init(plan: QueryPlan) {
        self.plan = plan
        reset()
    }

    /// Forgets every key: their indices mean others from now on.
    func reset() {
        known = 0
        columns = []
        if case .by(let keyColumns) = plan.grouping {
            columns = keyColumns.map {
                Column(description: ColumnDescription(name: $0.name, type: $0.columnType, role: .key))
            }
        }
    }

    /// The key columns of rows whose keys have these indices in `keys`.
    func columns(of indices: [UInt32], in keys: [GroupKey]) -> [(description: ColumnDescription, data: ColumnData)] {
        if case .without = plan.grouping { return ownLabels(indices.map { keys[Int($0)] }) }
        intern(keys)
        return columns.map { ($0.description, data($0, indices)) }
    }

    private func intern(_ keys: [GroupKey]) {
        for key in keys[known...] {
            var place = 0
            key.forEachCell { cell in
                append(cell, to: &columns[place])
                place += 1
            }
        }
        known = keys.count
    }

    private func append(_ cell: GroupKey.PackedCell, to column: inout Column) {
        guard column.description.type == .text else {
            if case .number(let bits) = cell {
                column.numbers.append(Double(bitPattern: bits))
            } else {
                column.numbers.append(nil)
            }
            return
        }
        guard case .text(let text) = cell else {
            column.codes.append(TextColumn.null)
            return
        }
        column.codes.append(column.codeOfText.code(of: text, in: &column.dictionary))
    }

    private func data(_ column: Column, _ indices: [UInt32]) -> ColumnData {
        if column.description.type == .text {
            return ColumnData(
                .texts(TextColumn(dictionary: column.dictionary, codes: indices.map { column.codes[Int($0)] })))
        }
        let numbers = indices.map { column.numbers[Int($0)] }
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

/// The codes of packed texts in a dictionary that grows with them.
private final class TextCodes {
    private var table = InternTable()

    /// The place of a text in `dictionary`, at whose end it is put when it is new.
    func code(of packed: UnsafeBufferPointer<UInt8>, in dictionary: inout [ByteString]) -> Int32 {
        let hash = packed.baseAddress.map { ByteHash.hash($0, packed.count) } ?? 0
        if let known = table.find(hash, isSame: { OrderedText.isSame(packed, dictionary[Int($0)]) }) {
            return Int32(known)
        }
        let code = UInt32(dictionary.count)
        table.insert(hash, code)
        dictionary.append(OrderedText.text(packed))
        return Int32(code)
    }
}
