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
        var rows = 0
        var isWorking = false
        var isStopping = false
        /// What went wrong first; nothing is written any more.
        var failure: SinkError?
    }

    /// Rows that wait at most, about a megabyte; one emission may be larger.
    private static let rowsMax = 1 << 13

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
        let failure: SinkError?? = queue.wait {
            if let failure = $0.failure { return .some(failure) }
            guard $0.rows == 0 || $0.rows + rows <= Self.rowsMax else { return nil }
            $0.pieces.append(Piece(rows: rows, work: work))
            $0.rows += rows
            return .some(nil)
        }
        if let failure, let failure { throw failure }
    }

    /// Returns when everything queued is done. Throws what a piece failed with.
    func drain() throws(SinkError) {
        let failure: SinkError?? = queue.wait {
            $0.pieces.isEmpty && !$0.isWorking ? .some($0.failure) : nil
        }
        if let failure, let failure { throw failure }
    }

    /// Returns when everything queued is done, well or not.
    func settle() { _ = queue.wait { $0.pieces.isEmpty && !$0.isWorking ? true : nil } }

    private static func serve(_ queue: Monitor<Queue>) {
        while true {
            let piece: Piece?? = queue.wait {
                guard let first = $0.pieces.first else { return $0.isStopping ? .some(nil) : nil }
                $0.pieces.removeFirst()
                $0.isWorking = true
                return first
            }
            guard let piece, let piece else { return }
            let failure = queue.withLock { $0.failure }
            var own: SinkError?
            if failure == nil {
                do throws(SinkError) { try piece.work() } catch { own = error }
            }
            queue.withLock {
                $0.isWorking = false
                $0.rows -= piece.rows
                $0.failure = $0.failure ?? own
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
