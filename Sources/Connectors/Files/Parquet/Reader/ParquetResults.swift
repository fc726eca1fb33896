import Platform
import StreamEngine

/// A Parquet file of a query's rows, as this program writes them: whose rows they are, and what part each column plays.
final class ParquetResults {
    let file: ParquetFile
    /// The query whose rows they are.
    let query: String
    let schema: RowSchema
    /// Columns that stand in the path and not in the file (`mode=user/`): a text for each row.
    private let folders: [(name: String, value: ByteString?)]

    /// Opens a file. `path` may lie in folders named `column=value` below `root`.
    init(_ input: ParquetInputFile, files: any FileSystem) throws {
        file = try ParquetFile(input.path, byteCount: input.byteCount, files: files)
        folders = input.folders
        let columns = file.columns
        guard let query = file.fact(ParquetFact.query), columns.contains(where: { $0.isWindowEnd }) else {
            throw ParquetFailure(
                input.path,
                "not written by this program: it has no `query` in its metadata, or no column window_end. Other Parquet "
                    + "becomes a source through sample-json: docs/file-formats.md shows how", isForeign: true)
        }
        self.query = query
        var words: [Substring] = []
        if let roles = file.fact(ParquetFact.roles) {
            words = roles.split(separator: ",", omittingEmptySubsequences: false)
            guard words.count == columns.count else {
                throw ParquetFailure(input.path, "its metadata names \(words.count) roles for \(columns.count) columns")
            }
        }
        var described: [ColumnDescription] = []
        for (index, column) in columns.enumerated() {
            let role = index < words.count ? ParquetFact.role(words[index]) : column.likelyRole
            guard let role else {
                throw ParquetFailure(input.path, "its metadata gives column \(column.name) an unknown role")
            }
            described.append(ColumnDescription(name: column.name, type: column.type, role: role))
        }
        described += input.folders.map { ColumnDescription(name: $0.name, type: .text, role: .key) }
        guard described.contains(where: { $0.role == .windowEnd && $0.type == .timestamp }) else {
            throw ParquetFailure(input.path, "no column of times is its window_end")
        }
        schema = RowSchema(columns: described)
    }

    /// A batch as read from the file, with the columns of its path. A row without its window's end is refused.
    func batch(_ read: (rowCount: Int, columns: [ColumnData])) throws(ParquetFailure) -> RowBatch {
        var columns = read.columns
        for (column, description) in zip(columns, schema.columns) where description.role == .windowEnd {
            guard column.valid == nil else { throw ParquetFailure(file.path, "a row without window_end") }
        }
        for folder in folders {
            let code: Int32 = folder.value == nil ? TextColumn.null : 0
            columns.append(
                ColumnData(
                    .texts(
                        TextColumn(
                            dictionary: folder.value.map { [$0] } ?? [],
                            codes: Array(repeating: code, count: read.rowCount)))))
        }
        return RowBatch(schema: schema, rowCount: read.rowCount, columns: columns)
    }

    /// Bytes that one row can become at most, about: each of its values is a sample with all its labels.
    func rowBytesMax(_ batch: RowBatch) -> Int {
        var labels = 200
        var samples = 0
        for (column, description) in zip(batch.columns, schema.columns) {
            switch description.role {
            case .key:
                guard case .texts(let texts) = column.values else {
                    labels += 32
                    continue
                }
                // Six bytes for one where it has to be escaped.
                labels += 8 + 6 * (texts.dictionary.map(\.count).max() ?? 0)
            case .aggregate, .derived: samples += 1
            case .windowStart, .windowEnd: break
            }
        }
        let (bytes, overflow) = labels.multipliedReportingOverflow(by: max(samples, 1))
        return overflow ? .max : bytes
    }
}

extension ParquetColumn {
    fileprivate var isWindowEnd: Bool { name == "window_end" && type == .timestamp }

    /// Its part where the file does not say.
    fileprivate var likelyRole: ColumnRole {
        switch type {
        case .timestamp: isWindowEnd ? .windowEnd : .windowStart
        case .text: .key
        case .double, .int64, .boolean: .aggregate
        }
    }
}
