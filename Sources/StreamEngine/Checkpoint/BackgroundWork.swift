import Platform

/// A thread that does one piece of work after the other, behind the epochs.
final class BackgroundWork: Sendable {
    private struct Queue {
        var work: [@Sendable () -> Void] = []
        var isWorking = false
        var isStopping = false
    }

    private let queue: Monitor<Queue>
    private let thread: Thread

    /// Starts the thread.
    init(name: String) {
        let queue = Monitor(Queue())
        self.queue = queue
        thread = Thread(name: name) { Self.serve(queue) }
    }

    /// Queues a piece of work; false, and nothing is queued, where `limit` pieces wait already or the thread is ending.
    func add(limit: Int, _ work: @escaping @Sendable () -> Void) -> Bool {
        queue.withLock {
            guard !$0.isStopping, $0.work.count < limit else { return false }
            $0.work.append(work)
            return true
        }
    }

    /// Returns when nothing is queued or at work.
    func drain() { _ = queue.wait { $0.work.isEmpty && !$0.isWorking ? true : nil } }

    /// Gives up what is queued, waits for the piece at work, and ends the thread. A second call does nothing.
    func stop() {
        let isFirst = queue.withLock { queue in
            let isFirst = !queue.isStopping
            queue.isStopping = true
            queue.work = []
            return isFirst
        }
        if isFirst { thread.join() }
    }

    private static func serve(_ queue: Monitor<Queue>) {
        while true {
            let work: (@Sendable () -> Void)?? = queue.wait {
                if $0.isStopping { return .some(nil) }
                guard !$0.work.isEmpty else { return nil }
                $0.isWorking = true
                return $0.work.removeFirst()
            }
            guard let work, let work else { return }
            work()
            queue.withLock { $0.isWorking = false }
        }
    }
}
