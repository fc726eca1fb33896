/// A thread that does pieces of work one after another, in the order in which they were added. Where the system refuses the
/// thread, who adds a piece does it.
public final class WorkQueue: Sendable {
    private struct Queue {
        var work: [@Sendable () -> Void] = []
        var isWorking = false
        var isEnding = false
    }

    private let queue: Monitor<Queue>
    private let thread: Thread?

    /// Starts the thread. The name shows in `top -H` (15 bytes at most). `stackBytes` as of `Thread`.
    public init(name: String, stackBytes: Int? = nil) {
        let queue = Monitor(Queue())
        self.queue = queue
        do throws(ThreadFailure) {
            thread = try Thread(name: name, stackBytes: stackBytes) { Self.serve(queue) }
        } catch {
            thread = nil
        }
    }

    /// Does what is queued, then ends the thread.
    deinit {
        let isFirst = queue.withLock { queue in
            defer { queue.isEnding = true }
            return !queue.isEnding
        }
        if isFirst { thread?.join() }
    }

    /// Queues a piece of work; false, and nothing is queued, where `limit` pieces wait already or the queue was stopped.
    @discardableResult
    public func add(limit: Int = .max, _ work: @escaping @Sendable () -> Void) -> Bool {
        guard thread != nil else {
            if queue.withLock({ $0.isEnding }) { return false }
            work()
            return true
        }
        return queue.withLock {
            guard !$0.isEnding, $0.work.count < limit else { return false }
            $0.work.append(work)
            return true
        }
    }

    /// Returns when nothing is queued or at work.
    public func drain() { _ = queue.wait { $0.work.isEmpty && !$0.isWorking ? true : nil } }

    /// Gives up what is queued, waits for the piece at work, and ends the thread. A second call does nothing.
    public func stop() {
        let isFirst = queue.withLock { queue in
            defer { queue.isEnding = true }
            queue.work = []
            return !queue.isEnding
        }
        if isFirst { thread?.join() }
    }

    private static func serve(_ queue: Monitor<Queue>) {
        while true {
            let work: (@Sendable () -> Void)?? = queue.wait {
                guard !$0.work.isEmpty else { return $0.isEnding ? .some(nil) : nil }
                $0.isWorking = true
                return $0.work.removeFirst()
            }
            guard let work, let work else { return }
            work()
            queue.withLock { $0.isWorking = false }
        }
    }
}
