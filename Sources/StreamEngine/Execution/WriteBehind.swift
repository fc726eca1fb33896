import Platform

/// A thread that encodes and writes rows behind the coordinator, which goes on emitting: with two cores a replay that
/// shows many rows takes about half the time. Where it falls behind, the coordinator encodes rows itself instead of waiting.
///
/// All sinks of a run share one, so that what they share among themselves (two queries with one topic) is still used by
/// one thread at a time, and each sees its calls in their order: the same bytes as without.
public final class WriteBehind: Sendable {
    private struct Piece {
        let rows: Int
        let bytes: Int
        let work: @Sendable () throws(SinkError) -> Void
    }

    private struct Queue {
        var pieces: [Piece] = []
        /// Rows and bytes of these and of those at work.
        var rows = 0
        var bytes = 0
        var isWorking = false
        /// Somebody waits for what is queued, however little it is.
        var isAwaited = false
        /// The coordinator waits for room.
        var isRoomAwaited = false
        var isStopping = false
        /// What went wrong first; nothing is written any more.
        var failure: SinkError?

        /// Whether the thread is to work.
        var isDue: Bool { rows >= WriteBehind.rowsEnough || isAwaited || isStopping }
    }

    /// Bytes that wait at most; one emission may be larger.
    private static let bytesMax = 2 << 20
    /// Where the coordinator can encode rows: bytes that wait at most, and those up to which it leaves encoding to the thread.
    static let encodedBytesMax = 3 << 19
    static let plainBytesMax = 1 << 19
    /// About what a row takes before it is encoded.
    static let plainRowBytes = 64
    /// So many are worth waking the thread for: a window of few groups alone costs less to write than that.
    private static let rowsEnough = 1 << 12

    private let queue: Monitor<Queue>
    private let thread: Thread

    /// Starts the thread.
    public init() throws(ThreadFailure) {
        let queue = Monitor(Queue())
        self.queue = queue
        thread = try Thread(name: "write") { Self.serve(queue) }
    }

    deinit {
        queue.withLock { $0.isStopping = true }
        thread.join()
    }

    /// Queues a piece of work on `rows` rows; waits while more than `limit` bytes would be queued. `bytes`: what they take in
    /// memory, where that is known. Throws what an earlier piece failed with.
    func add(
        rows: Int, bytes: Int? = nil, upTo limit: Int = bytesMax,
        _ work: @escaping @Sendable () throws(SinkError) -> Void
    ) throws(SinkError) {
        let bytes = bytes ?? rows * Self.plainRowBytes
        if try offer(rows: rows, bytes: bytes, upTo: limit, work) { return }
        let piece = Piece(rows: rows, bytes: bytes, work: work)
        let failure: SinkError?? = queue.wait {
            let added = Self.add(piece, to: &$0, upTo: limit)
            $0.isRoomAwaited = added == nil
            return added
        }
        if let failure, let failure { throw failure }
    }

    /// As `add`, but gives false instead of waiting.
    func offer(
        rows: Int, bytes: Int, upTo limit: Int, _ work: @escaping @Sendable () throws(SinkError) -> Void
    ) throws(SinkError) -> Bool {
        let piece = Piece(rows: rows, bytes: bytes, work: work)
        let failure: SinkError?? = queue.withLock(wakingIf: { queue in
            let added = Self.add(piece, to: &queue, upTo: limit)
            if added == nil { queue.isAwaited = true }
            return (added, isOfUse: queue.isDue)
        })
        guard let failure else { return false }
        if let failure { throw failure }
        return true
    }

    /// Queues a piece, or gives what failed before; nil where there is no room for it.
    private static func add(_ piece: Piece, to queue: inout Queue, upTo limit: Int) -> SinkError?? {
        if let failure = queue.failure { return .some(failure) }
        guard queue.bytes == 0 || queue.bytes + piece.bytes <= limit else { return nil }
        queue.pieces.append(piece)
        queue.rows += piece.rows
        queue.bytes += piece.bytes
        return .some(nil)
    }

    /// Returns when everything queued is done. Throws what a piece failed with.
    func drain() throws(SinkError) {
        settle()
        if let failure = queue.withLock({ $0.failure }) { throw failure }
    }

    /// Returns when everything queued is done, well or not.
    func settle() {
        queue.withLock { $0.isAwaited = true }
        _ = queue.wait { $0.pieces.isEmpty && !$0.isWorking ? true : nil }
    }

    private static func serve(_ queue: Monitor<Queue>) {
        while true {
            let taken: [Piece]? = queue.wait {
                guard $0.isDue else { return nil }
                if $0.pieces.isEmpty {
                    $0.isAwaited = false
                    return $0.isStopping ? [] : nil
                }
                var pieces: [Piece] = []
                swap(&pieces, &$0.pieces)
                $0.isWorking = true
                return pieces
            }
            guard let taken, !taken.isEmpty else { return }
            var failure = queue.withLock { $0.failure }
            for piece in taken {
                if failure == nil {
                    do throws(SinkError) { try piece.work() } catch { failure = error }
                }
                // Room for the next one at once: who waits for it has encoded it meanwhile.
                queue.withLock(wakingIf: {
                    $0.rows -= piece.rows
                    $0.bytes -= piece.bytes
                    $0.failure = failure
                    return ((), isOfUse: $0.isRoomAwaited)
                })
            }
            queue.withLock { $0.isWorking = false }
        }
    }
}

/// A sink whose rows are written behind. Every other call waits until what was written before is done, and runs on the
/// caller's thread.
public final class WriteBehindSink: Sink {
    /// Unchecked: the sink is used by the thread of `WriteBehind` while pieces are queued or at work, and by the
    /// coordinator only after `drain` or `settle`, which return when there are none; the coordinator alone queues.
    private struct Handed<S>: @unchecked Sendable {
        let sink: S
    }

    private let handed: Handed<any Sink>
    private let behind: WriteBehind
    /// Where the sink takes bytes in place of rows: the same sink, and the coordinator's own encoder of its rows.
    private let encoded: (handed: Handed<any EncodedRowSink>, encoder: any RowEncoder)?
    /// Room for a row, by what those of the last batch took.
    private var rowBytes = 0

    /// `sink`, written to by the thread of `behind`; nobody else uses it from now on.
    public init(_ sink: any Sink, behind: WriteBehind) {
        handed = Handed(sink: sink)
        if let sink = sink as? any EncodedRowSink, let encoder = sink.makeEncoder() {
            encoded = (Handed(sink: sink), encoder)
        } else {
            encoded = nil
        }
        self.behind = behind
    }

    private var settled: any Sink {
        behind.settle()
        return handed.sink
    }

    public var description: String { settled.description }
    public var findingForm: FindingForm { settled.findingForm }
    public var isTransactional: Bool { settled.isTransactional }
    public var written: (files: Int, bytes: Int64)? { settled.written }

    public func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        let handed = handed
        let write: @Sendable () throws(SinkError) -> Void = { () throws(SinkError) in
            try handed.sink.write(rows, info)
        }
        guard let (handed, encoder) = encoded else { return try behind.add(rows: rows.rowCount, write) }
        let plainBytes = rows.rowCount * WriteBehind.plainRowBytes
        if try behind.offer(rows: rows.rowCount, bytes: plainBytes, upTo: WriteBehind.plainBytesMax, write) { return }
        var made = EncodedRows()
        made.bytes.reserveCapacity(min(rows.rowCount * rowBytes, WriteBehind.encodedBytesMax))
        encoder.encode(rows, into: &made)
        rowBytes = made.bytes.count / max(rows.rowCount, 1) * 9 / 8
        let bytes = made
        try behind.add(rows: rows.rowCount, bytes: bytes.bytes.count, upTo: WriteBehind.encodedBytesMax) {
            () throws(SinkError) in try handed.sink.write(bytes, info)
        }
    }

    public func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {
        let handed = handed
        try behind.add(rows: documents.documents.count) { () throws(SinkError) in
            try handed.sink.write(documents, info)
        }
    }

    public func prepare(_ epoch: EpochToken) throws(SinkError) {
        try behind.drain()
        try handed.sink.prepare(epoch)
    }

    public func publish(_ epoch: EpochToken) throws(SinkError) {
        try behind.drain()
        try handed.sink.publish(epoch)
    }

    public func publishForeign(_ epoch: EpochToken) throws(SinkError) { try settled.publishForeign(epoch) }
    public func discard(_ epoch: EpochToken) { settled.discard(epoch) }
    public func abandon(_ epoch: EpochToken) { settled.abandon(epoch) }

    public func close() throws(SinkError) {
        try behind.drain()
        try handed.sink.close()
    }
}
