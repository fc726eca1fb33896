import Glibc
import Platform
import StreamEngine

/// A file being written: row groups that are in it, one at most that is being encoded (on a thread of its own), and rows
/// that wait to become the next one. Rows of the present epoch are kept apart from those of published ones (a replay
/// gathers them), so that an epoch can be taken back.
final class ParquetPart {
    let folder: String
    /// When it was begun, ms since the epoch.
    let createdMs: Int64
    private let schema: RowSchema
    private let settings: ParquetSettings
    private let thread: ParquetEncodingThread
    private var encoder: ParquetFileEncoder
    /// nil until the first row group is written.
    private(set) var file: PartFile?
    /// The file's next row group, and whether it has rows of the present epoch (else of published ones).
    private var encoding: (group: RowGroupEncoding, isOfPresentEpoch: Bool)?
    /// Rows of published epochs that are in no row group yet.
    private var gathered: ParquetRowBuffer
    /// Rows of the present epoch that are in no row group yet.
    private(set) var pending: ParquetRowBuffer
    /// Whether `pending` has room for a row group.
    private var hasRoom = false
    /// Room for rows that a row group left behind.
    private var spare: ParquetRowBuffer?
    /// Where the present epoch began in the file.
    private var epochStart: (file: PartMark, encoder: ParquetFileEncoder.Mark)

    init(
        folder: String, schema: RowSchema, settings: ParquetSettings, compressor: BlockCompressor,
        thread: ParquetEncodingThread, createdMs: Int64
    ) {
        self.folder = folder
        self.schema = schema
        self.settings = settings
        self.createdMs = createdMs
        self.thread = thread
        encoder = ParquetFileEncoder(ParquetSchema(schema.columns), settings: settings, compressor: compressor)
        gathered = ParquetRowBuffer(schema)
        pending = ParquetRowBuffer(schema)
        epochStart = (PartMark(), encoder.mark)
    }

    /// Bytes of rows that are in no row group yet.
    var bufferedBytes: Int { gathered.byteCount + pending.byteCount }

    /// Whether it holds nothing of any epoch.
    var isEmpty: Bool { !hasRowGroups && gathered.rowCount == 0 && pending.rowCount == 0 }

    /// Whether there is a row group, written or being encoded.
    var hasRowGroups: Bool { file != nil || encoding != nil }

    /// Bytes in the file so far; the row group that is being encoded does not count.
    var fileBytes: Int64 { file?.mark.bytes ?? 0 }

    func append(_ rows: RowBatch, columns: [Int]) {
        pending.append(rows, columns: columns)
        // What has come so far will be a row group: with room for all of it, cells move once more at most. Room that was
        // never used is not memory yet.
        if !hasRoom, pending.byteCount > settings.rowGroupBytes / 8 {
            let rowBytes = max(pending.byteCount / pending.rowCount, 1)
            pending.reserve(rows: settings.rowGroupBytes / rowBytes * 9 / 8)
            hasRoom = true
        }
    }

    /// Makes row groups of all rows that wait; the last one is encoded beside the caller and written by the next call.
    /// `makeFile` is called for the first one that is written.
    func flush(_ makeFile: () throws(IOFailure) -> PartFile) throws(IOFailure) {
        if gathered.rowCount > 0 {
            try begin(gathered, isOfPresentEpoch: false, makeFile)
            gathered = ParquetRowBuffer(schema)
        }
        guard pending.rowCount > 0 else { return }
        try begin(pending, isOfPresentEpoch: true, makeFile)
        // The next one will be about as large.
        hasRoom = true
        pending = spare ?? ParquetRowBuffer(schema, room: pending.rowCount * 9 / 8)
        spare = nil
    }

    /// Ends the present epoch: its rows join those gathered, which become a row group where they are many.
    func gather(_ makeFile: () throws(IOFailure) -> PartFile) throws(IOFailure) {
        if encoding?.isOfPresentEpoch == false { try writeEncoded(makeFile) }
        encoding?.isOfPresentEpoch = false
        if gathered.rowCount == 0 { swap(&gathered, &pending) } else { gathered.append(pending) }
        dropPending()
        markEpochStart()
        if gathered.byteCount >= settings.rowGroupBytes {
            try begin(gathered, isOfPresentEpoch: false, makeFile)
            gathered = ParquetRowBuffer(schema)
        }
    }

    private func dropPending() {
        pending = ParquetRowBuffer(schema)
        hasRoom = false
    }

    private func markEpochStart() { epochStart = (file?.mark ?? PartMark(), encoder.mark) }

    private func begin(
        _ rows: ParquetRowBuffer, isOfPresentEpoch: Bool, _ makeFile: () throws(IOFailure) -> PartFile
    ) throws(IOFailure) {
        try writeEncoded(makeFile)
        encoding = (RowGroupEncoding(rows, ParquetSchema(schema.columns), on: thread), isOfPresentEpoch)
    }

    /// Waits for the row group that is being encoded and writes it. After a failure it is still to be written.
    func writeEncoded(_ makeFile: () throws(IOFailure) -> PartFile) throws(IOFailure) {
        guard let (group, isOfPresentEpoch) = encoding else { return }
        try write(group.rows.rowCount, makeFile) { encoder throws(CompressionFailure) in
            encoder.place(try group.wait(encoder.chunks), rowCount: group.rows.rowCount)
        }
        encoding = nil
        spare = group.takeRoom()
        if !isOfPresentEpoch { markEpochStart() }
    }

    private func write(
        _ rowCount: Int, _ makeFile: () throws(IOFailure) -> PartFile,
        _ encode: (inout ParquetFileEncoder) throws(CompressionFailure) -> [[UInt8]]
    ) throws(IOFailure) {
        let file: PartFile
        if let known = self.file { file = known } else { file = try makeFile() }
        self.file = file
        let before = encoder.mark
        let pieces: [[UInt8]]
        do throws(CompressionFailure) {
            pieces = try encode(&encoder)
        } catch {
            throw IOFailure(.write, path: file.name, code: ENOMEM)
        }
        do throws(IOFailure) {
            try file.append(pieces, rows: Int64(rowCount))
        } catch {
            encoder.rewind(to: before)
            throw error
        }
    }

    /// Writes all rows that wait.
    private func writeAll(_ makeFile: () throws(IOFailure) -> PartFile) throws(IOFailure) {
        try writeEncoded(makeFile)
        for isOfPresentEpoch in [false, true] {
            let rows = isOfPresentEpoch ? pending : gathered
            guard rows.rowCount > 0 else { continue }
            if rows.byteCount >= settings.rowGroupBytes / 8 {
                // Somebody waits: both threads are worth their while.
                try begin(rows, isOfPresentEpoch: isOfPresentEpoch, makeFile)
            } else {
                try write(rows.rowCount, makeFile) { encoder throws(CompressionFailure) in try encoder.encode(rows) }
            }
            if isOfPresentEpoch { dropPending() } else { gathered = ParquetRowBuffer(schema) }
            try writeEncoded(makeFile)
            if !isOfPresentEpoch { markEpochStart() }
        }
    }

    /// Writes the rest and the footer, durably. Nothing may be added afterwards.
    func finish(
        keyValues: [ParquetFileMetaData.KeyValue], _ makeFile: () throws(IOFailure) -> PartFile
    ) throws(IOFailure) -> PartFile {
        try writeAll(makeFile)
        // A part is made for rows that come, and let go by who discards them where none are left.
        guard let file else { preconditionFailure("a file without rows is not begun") }
        try file.append([encoder.end(keyValues: keyValues)], rows: 0)
        try file.putAside()
        return file
    }

    /// Takes the present epoch back. Returns whether nothing is left.
    func discard() throws(IOFailure) -> Bool {
        dropPending()
        if encoding?.isOfPresentEpoch == true { encoding = nil }
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
