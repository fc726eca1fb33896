import Glibc
import Platform
import StreamEngine

/// Makes one file of several: from their rows where these are still in memory, else by copying their row groups.
struct ParquetMerger: Sendable {
    let directory: String
    let schema: RowSchema
    let settings: ParquetSettings
    let files: any FileSystem

    /// What is to be merged.
    struct Work: Sendable {
        /// Files of one folder, in the document's order.
        var sources: [ManifestEntry]
        /// Their rows, in the same order; nil where they are not in memory any more.
        var rows: [ParquetRowBuffer]?
        /// The merged file's name.
        var path: String
        var keyValues: [ParquetFileMetaData.KeyValue]
    }

    /// Why files could not be merged; they stay as they are.
    struct Failure: Error, Sendable {
        let description: String
    }

    /// Writes the merged file, durably, under its hidden name.
    func merge(_ work: Work) throws(Failure) -> ManifestMerge {
        let file: PartFile
        do throws(IOFailure) {
            file = try PartFile(name: work.path, directory: directory, files: files, createdNs: 0)
        } catch {
            throw Failure(description: error.description)
        }
        do throws(Failure) {
            try write(work, to: file)
        } catch {
            // What cannot be removed now is removed by the next process.
            _ = try? file.remove()
            throw error
        }
        var merged = file.entry
        let ranges = work.sources.flatMap { source in
            source.covers.isEmpty
                ? ManifestName.epoch(ofPart: source.path).map { [TokenRange($0)] } ?? []
                : source.covers.compactMap { TokenRange($0) }
        }
        merged.covers = TokenRange.joined(ranges).map(\.text)
        return ManifestMerge(sources: work.sources.map(\.path), merged: merged)
    }

    private func write(_ work: Work, to file: PartFile) throws(Failure) {
        var encoder = ParquetFileEncoder(
            ParquetSchema(schema.columns), settings: settings, compressor: BlockCompressor(settings.compression))
        if let rows = work.rows {
            var all = ParquetRowBuffer(schema)
            for part in rows { all.append(part) }
            let pieces: [[UInt8]]
            do throws(CompressionFailure) {
                pieces = try encoder.encode(all)
            } catch {
                throw Failure(description: error.description)
            }
            try Self.mapped { () throws(IOFailure) in try file.append(pieces, rows: Int64(all.rowCount)) }
        } else {
            for source in work.sources { try copy(source, to: file, &encoder) }
        }
        try Self.mapped { () throws(IOFailure) in
            try file.append([encoder.end(keyValues: work.keyValues)], rows: 0)
            try file.putAside()
        }
    }

    private func copy(_ source: ManifestEntry, to file: PartFile, _ encoder: inout ParquetFileEncoder) throws(Failure) {
        let bytes: [UInt8]
        do throws(ManifestError) {
            bytes = try ManifestReader(directory: directory, files: files).committedBytes(of: source)
        } catch {
            throw Failure(description: "\(error)")
        }
        let groups: [CopiedRowGroup]
        do throws(ThriftFailure) {
            groups = try CopiedRowGroup.all(of: bytes, schema: ParquetSchema(schema.columns))
        } catch {
            throw Failure(description: "\(FilePath.join(directory, source.path)): \(error)")
        }
        for group in groups {
            var out = encoder.beginCopy()
            out.append(contentsOf: bytes[group.range])
            encoder.copied(group.group, from: Int64(group.range.lowerBound), byteCount: Int64(group.range.count))
            try Self.mapped { () throws(IOFailure) in try file.append([out], rows: group.group.metaData.rowCount) }
        }
    }

    private static func mapped<R>(_ body: () throws(IOFailure) -> R) throws(Failure) -> R {
        do throws(IOFailure) { return try body() } catch { throw Failure(description: error.description) }
    }
}

/// A row group of a whole file in memory, to be copied into another one.
struct CopiedRowGroup {
    let group: ParquetFileEncoder.RowGroup
    /// Its bytes in the file.
    let range: Range<Int>

    /// All row groups of a file of ours whose columns are those of `schema`.
    static func all(of bytes: [UInt8], schema: ParquetSchema) throws(ThriftFailure) -> [CopiedRowGroup] {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(ThriftFailure) in try all(of: bytes, schema: schema) }
        }
        return try result.get()
    }

    private static func all(
        of bytes: UnsafeRawBufferPointer, schema: ParquetSchema
    ) throws(ThriftFailure) -> [CopiedRowGroup] {
        func failure(_ detail: String) -> ThriftFailure { ThriftFailure(detail: detail, offset: bytes.count) }
        guard bytes.count >= 12, bytes.suffix(4).elementsEqual(ParquetFileMetaData.magic) else {
            throw failure("no Parquet file's end")
        }
        let length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: bytes.count - 8, as: UInt32.self))
        guard Int(length) <= bytes.count - 12 else { throw failure("a footer longer than the file") }
        let footer = try ThriftReader.read(bytes, from: bytes.count - 8 - Int(length)) {
            reader throws(ThriftFailure) in try ParquetFileMetaData(from: &reader)
        }.value
        guard footer.schema == schema.elements else { throw failure("other columns than the query has now") }
        var groups: [CopiedRowGroup] = []
        for metaData in footer.rowGroups {
            guard let start = metaData.fileOffset, let count = metaData.compressedBytes, start >= 4, count >= 0,
                start <= bytes.count, Int(count) <= bytes.count - Int(start)
            else { throw failure("a row group outside the file") }
            var columns: [ParquetColumnIndex?] = []
            var offsets: [ParquetOffsetIndex?] = []
            for chunk in metaData.columns {
                columns.append(
                    try index(bytes, chunk.columnIndexOffset) { reader throws(ThriftFailure) in
                        try ParquetColumnIndex(from: &reader)
                    })
                offsets.append(
                    try index(bytes, chunk.offsetIndexOffset) { reader throws(ThriftFailure) in
                        try ParquetOffsetIndex(from: &reader)
                    })
            }
            groups.append(
                CopiedRowGroup(
                    group: .init(metaData: metaData, columnIndexes: columns, offsetIndexes: offsets),
                    range: Int(start)..<(Int(start) + Int(count))))
        }
        return groups
    }

    private static func index<R>(
        _ bytes: UnsafeRawBufferPointer, _ offset: Int64?,
        _ body: (inout ThriftReader) throws(ThriftFailure) -> R
    ) throws(ThriftFailure) -> R? {
        guard let offset else { return nil }
        return try ThriftReader.read(bytes, from: Int(offset), body).value
    }
}
