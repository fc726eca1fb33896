import Platform

/// A thread that encodes and writes rows behind the coordinator, which goes on emitting: with two cores a replay that
/// shows many rows takes about half the time.
///
/// All sinks of a run share one, so that what they share among themselves (two queries with one topic) is still used by
/// one thread at a time, and each sees its calls in their order: the same bytes as without.
public final class WriteBehind: Sendable {
    private struct Piece {
        let rows: Int
        let work: @Sendable () throws(SinkError) -> Void
    }

    private struct Queue {
        var pieces: [Piece] = []
        /// Rows of these and of those at work.
        var rows = 0
        var isWorking = false
        /// Somebody waits for what is queued, however little it is.
        var isAwaited = false
        var isStopping = false
        /// What went wrong first; nothing is written any more.
        var failure: SinkError?

        /// Whether the thread is to work.
        var isDue: Bool { rows >= WriteBehind.rowsEnough || isAwaited || isStopping }
    }

    /// Rows that wait at most, about two megabytes; one emission may be larger.
    private static let rowsMax = 1 << 15
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

    /// Queues a piece of work on `rows` rows; waits while too many are queued. Throws what an earlier piece failed with.
    func add(rows: Int, _ work: @escaping @Sendable () throws(SinkError) -> Void) throws(SinkError) {
        let piece = Piece(rows: rows, work: work)
        let failure: SinkError?? = queue.withLock(wakingIf: { queue in
            let added = Self.add(piece, to: &queue)
            if added == nil { queue.isAwaited = true }
            return (added, isOfUse: queue.isDue)
        })
        if let failure {
            if let failure { throw failure }
            return
        }
        let late: SinkError?? = queue.wait { Self.add(piece, to: &$0) }
        if let late, let late { throw late }
    }

    /// Queues a piece, or gives what failed before; nil where there is no room for it.
    private static func add(_ piece: Piece, to queue: inout Queue) -> SinkError?? {
        if let failure = queue.failure { return .some(failure) }
        guard queue.rows == 0 || queue.rows + piece.rows <= rowsMax else { return nil }
        queue.pieces.append(piece)
        queue.rows += piece.rows
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
            for piece in taken where failure == nil {
                do throws(SinkError) { try piece.work() } catch { failure = error }
            }
            let rows = taken.reduce(0) { $0 + $1.rows }
            queue.withLock {
                $0.isWorking = false
                $0.rows -= rows
                $0.failure = failure
            }
        }
    }
}

/// A sink whose rows are written behind. Every other call waits until what was written before is done, and runs on the
/// caller's thread.
public final class WriteBehindSink: Sink {
    /// Unchecked: the sink is used by the thread of `WriteBehind` while pieces are queued or at work, and by the
    /// coordinator only after `drain` or `settle`, which return when there are none; the coordinator alone queues.
    private struct Handed: @unchecked Sendable {
        let sink: any Sink
    }

    private let handed: Handed
    private let behind: WriteBehind

    /// `sink`, written to by the thread of `behind`; nobody else uses it from now on.
    public init(_ sink: any Sink, behind: WriteBehind) {
        handed = Handed(sink: sink)
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
        try behind.add(rows: rows.rowCount) { () throws(SinkError) in try handed.sink.write(rows, info) }
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
