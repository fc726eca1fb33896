/// A column's part of a row group: its metadata, and where its page index lies.
struct ParquetColumnChunk: Sendable, Equatable {
    var metaData: ParquetColumnMetaData
    /// In another file; never in ours.
    var filePath: String?
    var offsetIndexOffset: Int64?
    var offsetIndexBytes: Int32?
    var columnIndexOffset: Int64?
    var columnIndexBytes: Int32?

    /// A chunk without a page index.
    init(_ metaData: ParquetColumnMetaData) { self.metaData = metaData }

    fileprivate func write(to writer: inout ThriftWriter) {
        writer.structure { writer in
            writer.field(1, text: filePath)
            // Deprecated and required: 0, as the metadata stands here and not in the file.
            writer.field(2, int64: 0)
            writer.field(3) { metaData.writeFields(to: &$0) }
            writer.field(4, int64: offsetIndexOffset)
            writer.field(5, int32: offsetIndexBytes)
            writer.field(6, int64: columnIndexOffset)
            writer.field(7, int32: columnIndexBytes)
        }
    }

    fileprivate init(from reader: inout ThriftReader) throws(ThriftFailure) {
        var metaData: ParquetColumnMetaData?
        self.init(ParquetColumnMetaData(type: .boolean))
        try reader.structure { reader, field throws(ThriftFailure) in
            switch field.id {
            case 1: filePath = try reader.text(field)
            case 3: metaData = try ParquetColumnMetaData(from: &reader, field)
            case 4: offsetIndexOffset = try reader.int64(field)
            case 5: offsetIndexBytes = try reader.int32(field)
            case 6: columnIndexOffset = try reader.int64(field)
            case 7: columnIndexBytes = try reader.int32(field)
            default: return false
            }
            return true
        }
        guard let metaData else { throw reader.failure("a column chunk without metadata") }
        self.metaData = metaData
    }
}

/// Rows that lie together: a chunk for each column.
struct ParquetRowGroup: Sendable, Equatable {
    var columns: [ParquetColumnChunk] = []
    /// Column data before compression.
    var uncompressedBytes: Int64 = 0
    var rowCount: Int64 = 0
    /// Where the first page lies.
    var fileOffset: Int64?
    var compressedBytes: Int64?
    var ordinal: Int16?

    /// A row group without rows.
    init() {}

    func write(to writer: inout ThriftWriter) {
        writer.structure { writer in
            writer.field(1, list: columns, of: .structure) { $1.write(to: &$0) }
            writer.field(2, int64: uncompressedBytes)
            writer.field(3, int64: rowCount)
            writer.field(5, int64: fileOffset)
            writer.field(6, int64: compressedBytes)
            writer.field(7, int16: ordinal)
        }
    }

    init(from reader: inout ThriftReader) throws(ThriftFailure) {
        self.init()
        var hasColumns = false
        try reader.structure { reader, field throws(ThriftFailure) in
            switch field.id {
            case 1:
                columns = try reader.list(field, of: .structure) { reader throws(ThriftFailure) in
                    try ParquetColumnChunk(from: &reader)
                }
                hasColumns = true
            case 2: uncompressedBytes = try reader.int64(field)
            case 3: rowCount = try reader.int64(field)
            case 5: fileOffset = try reader.int64(field)
            case 6: compressedBytes = try reader.int64(field)
            case 7: ordinal = try reader.int16(field)
            default: return false
            }
            return true
        }
        guard hasColumns, rowCount >= 0 else { throw reader.failure("a row group without columns or a row count") }
    }
}
