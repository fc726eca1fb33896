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
