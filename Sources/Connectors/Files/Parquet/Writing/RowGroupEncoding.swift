import Platform
import StreamEngine

/// A row group being encoded and compressed on a thread of its own, while rows of the next one are gathered.
///
/// Nothing is shared with that thread: it has the rows, and gives back column chunks whose places are counted from their own
/// first bytes. Writing them, and where they stand in the file, stays with the thread that owns the file, so that files are
/// the same bytes, and failures come in the same order, as without the thread.
final class RowGroupEncoding {
    private(set) var rows: ParquetRowBuffer
    private let result: Monitor<Result<[EncodedChunk], CompressionFailure>?>
    private let thread: Thread
    private var isJoined = false

    /// Begins at once.
    init(_ rows: ParquetRowBuffer, _ schema: ParquetSchema, _ settings: ParquetSettings) {
        let result = Monitor<Result<[EncodedChunk], CompressionFailure>?>(nil)
        self.rows = rows
        self.result = result
        thread = Thread(name: "row group") {
            // Compressors keep their tables and belong to one thread; what they give does not depend on it.
            let encoder = ParquetChunkEncoder(
                settings: settings, compressor: BlockCompressor(settings.compression))
            let outcome = Result { () throws(CompressionFailure) in try encoder.encode(rows, schema) }
            result.withLock { $0 = outcome }
        }
    }

    deinit { if !isJoined { thread.join() } }

    /// Waits for the column chunks.
    func wait() throws(CompressionFailure) -> [EncodedChunk] {
        guard let outcome = result.wait({ $0 }) else {
            preconditionFailure("a wait without a limit ends with a result")
        }
        // Then the rows are this object's alone.
        if !isJoined { thread.join() }
        isJoined = true
        return try outcome.get()
    }

    /// A buffer without rows, with the room of those that were encoded. Called when they are written.
    func takeRoom() -> ParquetRowBuffer {
        var room = ParquetRowBuffer(RowSchema(columns: []))
        swap(&room, &rows)
        room.removeAll()
        return room
    }
}
