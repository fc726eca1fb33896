import StreamEngine

/// The folders of `partitionBy`, as Hive and Spark name them: `node=a/mode=user`.
struct HivePartition {
    /// The partition columns, by their place in the schema, in the order of `partitionBy`.
    let columns: [Int]
    private let names: [String]

    /// What stands for a missing value, and, as in Hive and Spark, for an empty one.
    static let missing = "__HIVE_DEFAULT_PARTITION__"

    /// Partitions by these columns of a schema; nil where there are none.
    init?(columns: [Int], of schema: RowSchema) {
        guard !columns.isEmpty else { return nil }
        self.columns = columns
        names = columns.map { Self.escaped(schema.columns[$0].name.utf8) }
    }

    /// The rows of a batch by folder, each in the batch's order; folders in the order of their first rows.
    func split(_ rows: RowBatch) -> [(folder: String, rows: RowBatch)] {
        // Rows are told apart by their codes first: a text is escaped once a batch.
        var folders: [String: Int] = [:]
        var indices: [(folder: String, rows: [Int])] = []
        var known: [[Int32]: Int] = [:]
        for row in 0..<rows.rowCount {
            let key = columns.map { code(rows.columns[$0], row) }
            var number = known[key]
            if number == nil {
                let folder = zip(columns, names).map { column, name in
                    "\(name)=\(value(rows.columns[column], row))"
                }.joined(separator: "/")
                number = folders[folder] ?? indices.count
                if folders[folder] == nil { indices.append((folder, [])) }
                folders[folder] = number
                known[key] = number
            }
            if let number { indices[number].rows.append(row) }
        }
        return indices.map { ($0.folder, $0.rows.count == rows.rowCount ? rows : rows.rows($0.rows)) }
    }

    private func code(_ column: ColumnData, _ row: Int) -> Int32 {
        // `ParquetSink.partitionColumns` takes columns of text only.
        guard case .texts(let texts) = column.values else { preconditionFailure("partition columns hold text") }
        return max(texts.codes[row], TextColumn.null)
    }

    private func value(_ column: ColumnData, _ row: Int) -> String {
        guard case .texts(let texts) = column.values, let text = texts.text(at: row), !text.isEmpty else {
            return Self.missing
        }
        return Self.escaped(text.bytes)
    }

    /// Percent signs for what file systems or readers may misread: the characters of Hive's `FileUtils.escapePathName`,
    /// which Spark uses too.
    static func escaped(_ text: some Sequence<UInt8>) -> String {
        var out: [UInt8] = []
        for byte in text {
            if byte < 0x20 || byte == 0x7f || special.contains(byte) {
                out.append(UInt8(ascii: "%"))
                for nibble in [byte >> 4, byte & 15] { out.append(hexadecimal[Int(nibble)]) }
            } else {
                out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static let special = Set("\"#%'*/:=?\\{[]^".utf8)
    private static let hexadecimal = Array("0123456789ABCDEF".utf8)
}
