import StreamEngine

/// Result columns as columns of a file. Window bounds are required, everything else may be null.
struct ParquetSchema {
    let columns: [ColumnDescription]

    init(_ columns: [ColumnDescription]) { self.columns = columns }

    func isOptional(_ column: Int) -> Bool {
        switch columns[column].role {
        case .windowStart, .windowEnd: false
        case .key, .aggregate, .derived: true
        }
    }

    /// The tree: a root and its leaves. Times and texts carry the newer and the older annotation, for every reader.
    var elements: [ParquetSchemaElement] {
        var root = ParquetSchemaElement(name: "schema")
        root.childCount = Int32(columns.count)
        return [root]
            + columns.enumerated().map { index, column in
                var element = ParquetSchemaElement(name: column.name)
                element.type = column.type.parquetType
                element.repetition = isOptional(index) ? .optional : .required
                switch column.type {
                case .timestamp:
                    element.convertedType = .timestampMillis
                    element.logicalType = .timestamp(isAdjustedToUTC: true, unit: .milliseconds)
                case .text:
                    element.convertedType = .utf8
                    element.logicalType = .string
                case .double, .int64, .boolean: break
                }
                return element
            }
    }
}

extension ColumnType {
    var parquetType: ParquetPhysicalType {
        switch self {
        case .timestamp, .int64: .int64
        case .double: .double
        case .boolean: .boolean
        case .text: .byteArray
        }
    }
}
