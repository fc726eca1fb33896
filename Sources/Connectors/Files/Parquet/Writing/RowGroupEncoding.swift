import Platform
import StreamEngine

/// A row group being encoded and compressed beside the thread that gathers rows: column by column, by a thread of the sink
/// and, once it waits for the result, by the waiting thread too.
///
/// What comes of a column does not depend on who encodes it. Writing column chunks, and where they stand in the file, stays
/// with the thread that owns the file, so that files are the same bytes, and failures come in the same order, as with one
/// thread.
///
/// Unchecked: `rows` is read only while columns are left to encode, and changed by `takeRoom` only, when all are encoded;
/// the rest never changes, or is kept under the monitor.
final class RowGroupEncoding: @unchecked Sendable {
    private struct Progress {
        var chunks: [EncodedChunk?]
        var next = 0
        var unfinished: Int
        var failure: CompressionFailure?
    }

    private(set) var rows: ParquetRowBuffer
    private let schema: ParquetSchema
    private let progress: Monitor<Progress>

    /// Begins as soon as `thread` is free.
    init(_ rows: ParquetRowBuffer, _ schema: ParquetSchema, on thread: ParquetEncodingThread) {
        self.rows = rows
        self.schema = schema
        let count = rows.columns.count
        progress = Monitor(Progress(chunks: Array(repeating: nil, count: count), unfinished: count))
        thread.encode(self)
    }

    /// Encodes columns until none is left to begin.
    fileprivate func work(_ encoder: ParquetChunkEncoder) {
        while let index = takeColumn() {
            let outcome = encode(index, encoder)
            progress.withLock {
                $0.unfinished -= 1
                switch outcome {
                case .success(let chunk): $0.chunks[index] = chunk
                case .failure(let failure): $0.failure = $0.failure ?? failure
                }
            }
        }
    }

    private func takeColumn() -> Int? {
        progress.withLock {
            guard $0.next < $0.chunks.count else { return nil }
            $0.next += 1
            return $0.next - 1
        }
    }

    private func encode(_ index: Int, _ encoder: ParquetChunkEncoder) -> Result<EncodedChunk, CompressionFailure> {
        Result { () throws(CompressionFailure) in
            try encoder.encode(
                rows.columns[index], name: schema.columns[index].name, isOptional: schema.isOptional(index))
        }
    }

    /// The column chunks. Until they are there, the caller's `encoder` takes part in the work.
    func wait(_ encoder: ParquetChunkEncoder) throws(CompressionFailure) -> [EncodedChunk] {
        work(encoder)
        let done: Progress? = progress.wait { $0.unfinished == 0 ? $0 : nil }
        // `Monitor.wait` gives nil only where a deadline has passed.
        guard let done else { preconditionFailure("a wait without a limit ends with a result") }
        if let failure = done.failure { throw failure }
        return done.chunks.compactMap { $0 }
    }

    /// A buffer without rows, with the room of those that were encoded. Called when they are written.
    func takeRoom() -> ParquetRowBuffer {
        var room = ParquetRowBuffer(RowSchema(columns: []))
        swap(&room, &rows)
        room.removeAll()
        return room
    }
}

/// The thread of a sink that encodes row groups, one after another. It starts with the first one.
///
/// Unchecked: the sink's thread alone makes and uses this object and `queue`; `encoder`, whose compressor keeps its tables
/// and belongs to one thread, is used by the queue's pieces only.
final class ParquetEncodingThread: @unchecked Sendable {
    private let encoder: ParquetChunkEncoder
    private lazy var queue = WorkQueue(name: "row groups")

    init(_ settings: ParquetSettings) {
        encoder = ParquetChunkEncoder(settings: settings, compressor: BlockCompressor(settings.compression))
    }

    fileprivate func encode(_ group: RowGroupEncoding) {
        let encoder = Handed(encoder: encoder)
        queue.add { group.work(encoder.encoder) }
    }

    /// Unchecked: see `ParquetEncodingThread`.
    private struct Handed: @unchecked Sendable {
        let encoder: ParquetChunkEncoder
    }
}
