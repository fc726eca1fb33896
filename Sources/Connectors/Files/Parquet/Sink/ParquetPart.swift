import Glibc
import Platform
import StreamEngine

/// A file being written: row groups that are in it, and rows that wait to become the next one. Rows of the present epoch
/// are kept apart from those of published ones (a replay gathers them), so that an epoch can be taken back.
final class ParquetPart {
    let folder: String
    /// When it was begun, ms since the epoch.
    let createdMs: Int64
    private let schema: RowSchema
    private let settings: ParquetSettings
    private var encoder: ParquetFileEncoder
    /// nil until the first row group.
    private(set) var file: PartFile?
    /// Rows of published epochs that are in no row group yet.
    private var gathered: ParquetRowBuffer
    /// Rows of the present epoch that are in no row group yet.
    private(set) var pending: ParquetRowBuffer
    /// Where the present epoch began in the file.
    private var epochStart: (file: PartMark, encoder: ParquetFileEncoder.Mark)

    init(
        folder: String, schema: RowSchema, settings: ParquetSettings, compressor: BlockCompressor, createdMs: Int64
    ) {
        self.folder = folder
        self.schema = schema
        self.settings = settings
        self.createdMs = createdMs
        encoder = ParquetFileEncoder(ParquetSchema(schema.columns), settings: settings, compressor: compressor)
        gathered = ParquetRowBuffer(schema)
        pending = ParquetRowBuffer(schema)
        epochStart = (PartMark(), encoder.mark)
    }

    /// Bytes of rows that are in no row group yet.
    var bufferedBytes: Int { gathered.byteCount + pending.byteCount }

    /// Whether it holds nothing of any epoch.
    var isEmpty: Bool { file == nil && gathered.rowCount == 0 && pending.rowCount == 0 }

    /// Bytes in the file so far.
    var fileBytes: Int64 { file?.mark.bytes ?? 0 }

    func append(_ rows: RowBatch, columns: [Int]) { pending.append(rows, columns: columns) }

    /// Writes all rows that wait, as row groups; `makeFile` is called for the first one.
    func flush(_ makeFile: () throws(IOFailure) -> PartFile) throws(IOFailure) {
        if gathered.rowCount > 0 {
            try write(gathered, makeFile)
            gathered = ParquetRowBuffer(schema)
            markEpochStart()
        }
        guard pending.rowCount > 0 else { return }
        try write(pending, makeFile)
        pending = ParquetRowBuffer(schema)
    }

    /// Ends the present epoch: its rows join those gathered, which are written where they are many.
    func gather(_ makeFile: () throws(IOFailure) -> PartFile) throws(IOFailure) {
        if gathered.rowCount == 0 { swap(&gathered, &pending) } else { gathered.append(pending) }
        pending = ParquetRowBuffer(schema)
        if gathered.byteCount >= settings.rowGroupBytes {
            try write(gathered, makeFile)
            gathered = ParquetRowBuffer(schema)
        }
        markEpochStart()
    }

    private func markEpochStart() { epochStart = (file?.mark ?? PartMark(), encoder.mark) }

    private func write(
        _ rows: ParquetRowBuffer, _ makeFile: () throws(IOFailure) -> PartFile
    ) throws(IOFailure) {
        let file: PartFile
        if let known = self.file { file = known } else { file = try makeFile() }
        self.file = file
        let before = encoder.mark
        let bytes: [UInt8]
        do throws(CompressionFailure) {
            bytes = try encoder.encode(rows)
        } catch {
            throw IOFailure(.write, path: file.name, code: ENOMEM)
        }
        do throws(IOFailure) {
            try file.append(bytes, rows: Int64(rows.rowCount))
        } catch {
            encoder.rewind(to: before)
            throw error
        }
    }

    /// Writes the rest and the footer, durably. Nothing may be added afterwards.
    func finish(
        keyValues: [ParquetFileMetaData.KeyValue], _ makeFile: () throws(IOFailure) -> PartFile
    ) throws(IOFailure) -> PartFile {
        try flush(makeFile)
        guard let file else { preconditionFailure("a file without rows is not begun") }
        try file.append(encoder.end(keyValues: keyValues), rows: 0)
        try file.putAside()
        return file
    }

    /// Takes the present epoch back. Returns whether nothing is left.
    func discard() throws(IOFailure) -> Bool {
        pending = ParquetRowBuffer(schema)
        encoder.rewind(to: epochStart.encoder)
        if let file {
            if epochStart.file.bytes == 0 {
                try file.remove()
                self.file = nil
            } else {
                try file.rewind(to: epochStart.file)
            }
        }
        return isEmpty
    }
}
