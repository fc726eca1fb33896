import StreamEngine

/// The rows of a Parquet file, batch after batch. A batch never crosses a page of any column, so its text columns share
/// the pages' dictionaries.
final class ParquetRows {
    let file: ParquetFile
    private var group = -1
    private var pages: [ColumnPages] = []
    private var leftInGroup: Int64 = 0
    /// Rows handed out or passed over.
    private(set) var position: Int64 = 0

    init(_ file: ParquetFile) { self.file = file }

    /// Input bytes of the row groups that have been begun, in proportion to their rows.
    var consumedBytes: Int64 {
        guard file.metaData.rowCount > 0 else { return file.byteCount }
        return Int64(Double(file.byteCount) * (Double(position) / Double(file.metaData.rowCount)))
    }

    /// Up to `count` rows, at least one; nil at the end.
    func next(_ count: Int) throws -> (rowCount: Int, columns: [ColumnData])? {
        while leftInGroup == 0 {
            guard group + 1 < file.metaData.rowGroups.count else { return nil }
            begin(group + 1)
        }
        var rows = Int(min(Int64(max(count, 1)), leftInGroup))
        for column in pages {
            try column.load()
            rows = min(rows, column.left)
        }
        var columns: [ColumnData] = []
        for column in pages { columns.append(try column.take(rows)) }
        leftInGroup -= Int64(rows)
        position += Int64(rows)
        return (rows, columns)
    }

    private func begin(_ index: Int) {
        group = index
        let rowGroup = file.metaData.rowGroups[index]
        leftInGroup = rowGroup.rowCount
        pages = zip(file.columns, rowGroup.columns).map { ColumnPages(file, $0, $1.metaData) }
    }

    /// Passes over rows, whole row groups at once.
    func skip(_ count: Int64) throws {
        var left = count
        while left > 0 {
            if leftInGroup == 0 {
                guard group + 1 < file.metaData.rowGroups.count else {
                    throw ParquetFailure(file.path, "it has fewer rows than before")
                }
                begin(group + 1)
                if leftInGroup <= left {
                    left -= leftInGroup
                    position += leftInGroup
                    leftInGroup = 0
                }
                continue
            }
            guard let batch = try next(Int(min(left, 4096))) else { return }
            left -= Int64(batch.rowCount)
        }
    }
}
