import StreamEngine

/// Rows that wait to become a row group.
struct ParquetRowBuffer {
    private(set) var columns: [ParquetColumnBuffer]
    private(set) var rowCount = 0

    /// A buffer with room for `room` rows.
    init(_ schema: RowSchema, room: Int = 0) {
        columns = schema.columns.map { ParquetColumnBuffer(type: $0.type, room: room) }
    }

    /// Makes room for `count` rows.
    mutating func reserve(rows count: Int) {
        for index in columns.indices { columns[index].reserve(rows: count) }
    }

    /// Forgets all rows and keeps the room they had.
    mutating func removeAll() {
        for index in columns.indices { columns[index].removeAll() }
        rowCount = 0
    }

    /// About what the rows take in memory, and uncompressed in a file.
    var byteCount: Int { columns.reduce(0) { $0 + $1.byteCount } }

    /// Appends the rows of a batch; `columns` are the batch's columns that the file has, in order.
    mutating func append(_ rows: RowBatch, columns indices: [Int]) {
        for (target, source) in indices.enumerated() {
            columns[target].append(rows.columns[source], rowCount: rows.rowCount)
        }
        rowCount += rows.rowCount
    }

    /// Appends the rows of another buffer of the same table.
    mutating func append(_ other: ParquetRowBuffer) {
        for index in columns.indices { columns[index].append(other.columns[index]) }
        rowCount += other.rowCount
    }
}
