/// The text cells of a column as codes into a dictionary.
public struct TextColumn: Sendable {
    /// The code of a null cell (a missing label).
    public static let null: Int32 = -1
    /// The code of a cell that its row does not have at all: with `without`, rows carry only their own labels.
    public static let absent: Int32 = -2

    public var dictionary: [ByteString]
    /// One code a row: an index into `dictionary`, `null` or `absent`.
    public var codes: [Int32]

    /// A column from its dictionary and codes.
    public init(dictionary: [ByteString], codes: [Int32]) {
        self.dictionary = dictionary
        self.codes = codes
    }

    /// The text of a row, nil where it is null or absent.
    public func text(at row: Int) -> ByteString? {
        let code = codes[row]
        return code < 0 ? nil : dictionary[Int(code)]
    }
}

/// The cells of one column. Where a cell is null, `ColumnData.valid` says so and the value here has no meaning.
public enum ColumnValues: Sendable {
    /// Milliseconds since the epoch.
    case timestamps([Int64])
    case texts(TextColumn)
    case doubles([Double])
    case integers([Int64])
    case booleans([Bool])
}

/// One column of a batch of rows.
public struct ColumnData: Sendable {
    public var values: ColumnValues
    /// nil when every cell is valid. Text columns mark null by code instead.
    public var valid: [Bool]?

    /// A column of cells.
    public init(_ values: ColumnValues, valid: [Bool]? = nil) {
        self.values = values
        self.valid = valid
    }

    /// Whether a cell is null.
    public func isNull(_ row: Int) -> Bool {
        if case .texts(let column) = values { return column.codes[row] < 0 }
        return valid.map { !$0[row] } ?? false
    }
}

/// Result rows as columns, in emission order: what sinks receive.
public struct RowBatch: Sendable {
    public var schema: RowSchema
    public var rowCount: Int
    /// As many as `schema.columns`, in the same order.
    public var columns: [ColumnData]

    /// A batch of rows.
    public init(schema: RowSchema, rowCount: Int, columns: [ColumnData]) {
        self.schema = schema
        self.rowCount = rowCount
        self.columns = columns
    }
}

extension RowBatch {
    /// These rows, in this order.
    public func rows(_ indices: [Int]) -> RowBatch {
        let columns = columns.map { column in
            let values: ColumnValues =
                switch column.values {
                case .timestamps(let cells): .timestamps(indices.map { cells[$0] })
                case .integers(let cells): .integers(indices.map { cells[$0] })
                case .doubles(let cells): .doubles(indices.map { cells[$0] })
                case .booleans(let cells): .booleans(indices.map { cells[$0] })
                case .texts(let cells):
                    .texts(TextColumn(dictionary: cells.dictionary, codes: indices.map { cells.codes[$0] }))
                }
            return ColumnData(values, valid: column.valid.map { valid in indices.map { valid[$0] } })
        }
        return RowBatch(schema: schema, rowCount: indices.count, columns: columns)
    }

    /// Appends rows of the same schema.
    public mutating func append(_ more: RowBatch) {
        // Batches are joined within one query or one table of findings, whose rows have one schema.
        precondition(schema == more.schema, "rows of one table have one schema")
        for index in columns.indices {
            let mine = columns[index]
            let theirs = more.columns[index]
            let values: ColumnValues =
                switch (mine.values, theirs.values) {
                case (.timestamps(let a), .timestamps(let b)): .timestamps(a + b)
                case (.integers(let a), .integers(let b)): .integers(a + b)
                case (.doubles(let a), .doubles(let b)): .doubles(a + b)
                case (.booleans(let a), .booleans(let b)): .booleans(a + b)
                case (.texts(let a), .texts(let b)):
                    .texts(
                        TextColumn(
                            dictionary: a.dictionary + b.dictionary,
                            codes: a.codes + b.codes.map { $0 < 0 ? $0 : $0 + Int32(a.dictionary.count) }))
                // A schema is made once by the plan, and every batch of it by the same code.
                default: preconditionFailure("columns of one schema hold one kind of cell")
                }
            var valid: [Bool]?
            if mine.valid != nil || theirs.valid != nil {
                valid =
                    (mine.valid ?? Array(repeating: true, count: rowCount))
                    + (theirs.valid ?? Array(repeating: true, count: more.rowCount))
            }
            columns[index] = ColumnData(values, valid: valid)
        }
        rowCount += more.rowCount
    }
}
