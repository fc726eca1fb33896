import Platform
import StreamEngine

/// Makes the bytes of a file piece by piece: row groups, then page indexes and footer. Keeps the metadata only.
struct ParquetFileEncoder {
    /// How far a file is written.
    struct Mark: Equatable {
        var rowGroups = 0
        var bytes: Int64 = 0
    }

    /// What is written of a row group beside its pages.
    struct RowGroup {
        var metaData: ParquetRowGroup
        var columnIndexes: [ParquetColumnIndex?]
        var offsetIndexes: [ParquetOffsetIndex?]
    }

    private let schema: ParquetSchema
    let chunks: ParquetChunkEncoder
    private var rowGroups: [RowGroup] = []
    private var position: Int64 = 0

    init(_ schema: ParquetSchema, settings: ParquetSettings, compressor: BlockCompressor) {
        self.schema = schema
        chunks = ParquetChunkEncoder(settings: settings, compressor: compressor)
    }

    /// Rows in the row groups so far.
    var rowCount: Int64 { rowGroups.reduce(0) { $0 + $1.metaData.rowCount } }

    var mark: Mark { Mark(rowGroups: rowGroups.count, bytes: position) }

    /// Forgets the row groups behind an earlier mark.
    mutating func rewind(to mark: Mark) {
        rowGroups.removeLast(rowGroups.count - mark.rowGroups)
        position = mark.bytes
    }

    /// The file's next bytes, in pieces: a row group of these rows, behind the magic bytes where it is the first.
    mutating func encode(_ rows: ParquetRowBuffer) throws(CompressionFailure) -> [[UInt8]] {
        place(try chunks.encode(rows, schema), rowCount: rows.rowCount)
    }

    /// The same with column chunks that are made already (`ParquetChunkEncoder.encode`): they stand behind each other.
    mutating func place(_ chunks: [EncodedChunk], rowCount: Int) -> [[UInt8]] {
        var pieces = position == 0 ? [ParquetFileMetaData.magic] : []
        position += Int64(pieces.first?.count ?? 0)
        let start = position
        var group = RowGroup(metaData: ParquetRowGroup(), columnIndexes: [], offsetIndexes: [])
        group.metaData.rowCount = Int64(rowCount)
        for var chunk in chunks {
            chunk.metaData.move(by: position)
            chunk.offsetIndex.move(by: position)
            group.metaData.uncompressedBytes += chunk.metaData.uncompressedBytes
            group.metaData.columns.append(ParquetColumnChunk(chunk.metaData))
            group.columnIndexes.append(chunk.columnIndex)
            group.offsetIndexes.append(chunk.offsetIndex)
            pieces.append(chunk.bytes)
            position += Int64(chunk.bytes.count)
        }
        group.metaData.fileOffset = start
        group.metaData.compressedBytes = position - start
        append(group)
        return pieces
    }

    private mutating func append(_ group: RowGroup) {
        var group = group
        group.metaData.ordinal = Int16(exactly: rowGroups.count)
        rowGroups.append(group)
    }

    /// The bytes in front of a row group that is copied from another file, as many as `start` says.
    mutating func beginCopy() -> [UInt8] {
        guard position == 0 else { return [] }
        position = Int64(ParquetFileMetaData.magic.count)
        return ParquetFileMetaData.magic
    }

    /// Notes a row group of another file whose `byteCount` bytes, from `start` there, are copied to the present end.
    mutating func copied(_ group: RowGroup, from start: Int64, byteCount: Int64) {
        var group = group
        let distance = position - start
        for index in group.metaData.columns.indices {
            group.metaData.columns[index].metaData.move(by: distance)
            group.offsetIndexes[index]?.move(by: distance)
        }
        group.metaData.fileOffset = position
        append(group)
        position += byteCount
    }

    /// The file's last bytes: page indexes, footer, its length, magic bytes.
    func end(keyValues: [ParquetFileMetaData.KeyValue]) -> [UInt8] {
        var bytes = position == 0 ? ParquetFileMetaData.magic : []
        var footer = ParquetFileMetaData()
        footer.schema = schema.elements
        footer.orderedColumns = schema.columns.count
        footer.createdBy = "stream-job version 0.1.0"
        footer.keyValues = keyValues
        for group in rowGroups {
            var metaData = group.metaData
            // First all column indexes of a group, then all offset indexes, as PageIndex.md draws them.
            for (column, index) in group.columnIndexes.enumerated() {
                guard let encoded = index?.encoded else { continue }
                metaData.columns[column].columnIndexOffset = position + Int64(bytes.count)
                metaData.columns[column].columnIndexBytes = Int32(encoded.count)
                bytes.append(contentsOf: encoded)
            }
            for (column, index) in group.offsetIndexes.enumerated() {
                guard let encoded = index?.encoded else { continue }
                metaData.columns[column].offsetIndexOffset = position + Int64(bytes.count)
                metaData.columns[column].offsetIndexBytes = Int32(encoded.count)
                bytes.append(contentsOf: encoded)
            }
            footer.rowCount += metaData.rowCount
            footer.rowGroups.append(metaData)
        }
        let encoded = footer.encoded
        bytes.append(contentsOf: encoded)
        withUnsafeBytes(of: UInt32(encoded.count).littleEndian) { bytes.append(contentsOf: $0) }
        return bytes + ParquetFileMetaData.magic
    }
}

extension ParquetColumnMetaData {
    /// Moves the places of the pages.
    fileprivate mutating func move(by distance: Int64) {
        dataPageOffset += distance
        if let offset = dictionaryPageOffset { dictionaryPageOffset = offset + distance }
    }
}

extension ParquetOffsetIndex {
    fileprivate mutating func move(by distance: Int64) {
        for index in pages.indices { pages[index].offset += distance }
    }
}
