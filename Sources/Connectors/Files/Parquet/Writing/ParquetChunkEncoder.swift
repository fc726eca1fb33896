import Platform
import StreamEngine

/// A column chunk's bytes, and its metadata with places counted from the chunk's first byte.
struct EncodedChunk {
    var bytes: [UInt8] = []
    var metaData: ParquetColumnMetaData
    /// nil where a page has values and none that bounds it (only NaN).
    var columnIndex: ParquetColumnIndex?
    var offsetIndex = ParquetOffsetIndex()
}

/// Makes column chunks: data pages of the first kind, which every reader takes, after a dictionary page where there is
/// one.
struct ParquetChunkEncoder {
    let settings: ParquetSettings
    let compressor: BlockCompressor

    /// The column chunks of a row group.
    func encode(_ rows: ParquetRowBuffer, _ schema: ParquetSchema) throws(CompressionFailure) -> [EncodedChunk] {
        var chunks: [EncodedChunk] = []
        for (index, column) in rows.columns.enumerated() {
            chunks.append(
                try encode(column, name: schema.columns[index].name, isOptional: schema.isOptional(index)))
        }
        return chunks
    }

    func encode(
        _ column: ParquetColumnBuffer, name: String, isOptional: Bool
    ) throws(CompressionFailure) -> EncodedChunk {
        // Window bounds alone are required (`ParquetSchema`), and every row has them.
        precondition(isOptional || column.nullCount == 0, "column \(name) has nulls and may not")
        let values = try EncodingChoice(settings: settings, compressor: compressor).values(column)
        var chunk = EncodedChunk(metaData: ParquetColumnMetaData(type: column.type.parquetType))
        var index = ParquetColumnIndex()
        chunk.metaData.path = [name]
        chunk.metaData.codec = settings.codec
        chunk.metaData.valueCount = Int64(column.rowCount)
        if case .dictionary(_, let page, let count) = values {
            chunk.metaData.dictionaryPageOffset = 0
            try append(
                page, .dictionary(valueCount: Int32(count), encoding: .plain, isSorted: false), to: &chunk)
            chunk.metaData.encodings.append(.plain)
            chunk.metaData.encodingCounts.append(.init(pageType: .dictionary, encoding: .plain, count: 1))
        }
        chunk.metaData.dataPageOffset = Int64(chunk.bytes.count)
        var isIndexed = true
        var pageCount: Int32 = 0
        var bounds = ParquetChunkBounds(column)
        var body: [UInt8] = []
        chunk.bytes.reserveCapacity(chunk.bytes.count + column.byteCount)
        for page in ParquetPages(column, settings: settings) {
            let offset = chunk.bytes.count
            body.removeAll(keepingCapacity: true)
            if isOptional { Self.appendLevels(column, page, to: &body) }
            values.append(page.values, to: &body)
            let head = ParquetDataPage(valueCount: Int32(page.rows.count), encoding: values.encoding)
            try append(body, .data(head), to: &chunk)
            chunk.offsetIndex.pages.append(
                .init(
                    offset: Int64(offset), compressedBytes: Int32(chunk.bytes.count - offset),
                    firstRow: Int64(page.rows.lowerBound)))
            let pageBounds = bounds.add(page.values)
            index.nullPages.append(page.values.isEmpty)
            index.nullCounts.append(Int64(page.rows.count - page.values.count))
            index.minValues.append(pageBounds?.min ?? [])
            index.maxValues.append(pageBounds?.max ?? [])
            if pageBounds == nil, !page.values.isEmpty { isIndexed = false }
            pageCount += 1
        }
        if isOptional { chunk.metaData.encodings.append(.rle) }
        if !chunk.metaData.encodings.contains(values.encoding) { chunk.metaData.encodings.append(values.encoding) }
        chunk.metaData.encodingCounts.append(.init(pageType: .data, encoding: values.encoding, count: pageCount))
        chunk.metaData.compressedBytes = Int64(chunk.bytes.count)
        chunk.metaData.statistics = bounds.statistics
        index.boundaryOrder = bounds.order
        if isIndexed { chunk.columnIndex = index }
        return chunk
    }

    private func append(
        _ body: [UInt8], _ kind: ParquetPageHeader.Kind, to chunk: inout EncodedChunk
    ) throws(CompressionFailure) {
        guard body.count <= Int(Int32.max) else {
            throw CompressionFailure("a Parquet page of \(body.count) bytes; pages have 2 GiB at most")
        }
        let compressedBytes = try compressor.compress(body) { compressed in
            guard let count = Int32(exactly: compressed.count) else { return compressed.count }
            let head = ParquetPageHeader(kind, uncompressedBytes: Int32(body.count), compressedBytes: count).encoded
            chunk.bytes.append(contentsOf: head)
            chunk.bytes.append(contentsOf: compressed)
            chunk.metaData.uncompressedBytes += Int64(head.count + body.count)
            return compressed.count
        }
        guard compressedBytes <= Int(Int32.max) else {
            throw CompressionFailure("a Parquet page of \(compressedBytes) bytes; pages have 2 GiB at most")
        }
    }

    /// Definition levels, 1 for a value and 0 for a null, behind their length in bytes (Data Pages v1).
    private static func appendLevels(_ column: ParquetColumnBuffer, _ page: ParquetPages.Page, to out: inout [UInt8]) {
        let lengthAt = out.count
        out.append(contentsOf: [0, 0, 0, 0])
        if page.values.count == page.rows.count || page.values.isEmpty {
            HybridEncoder.appendRun(of: page.values.isEmpty ? 0 : 1, count: page.rows.count, 1, to: &out)
        } else if let valid = column.valid {
            let levels = valid[page.rows].map { $0 ? UInt32(1) : 0 }
            levels.withUnsafeBufferPointer { HybridEncoder.append($0, bitWidth: 1, to: &out) }
        }
        let length = UInt32(out.count - lengthAt - 4)
        for byte in 0..<4 { out[lengthAt + byte] = UInt8(truncatingIfNeeded: length >> UInt32(8 * byte)) }
    }
}
