/// Actions at times of the monotonic clock, in order of time and then of insertion. Confined to the broker's loop.
final class Timers {
    /// A scheduled action, to cancel it.
    final class Timer {
        fileprivate let dueMs: Int64
        fileprivate let order: Int
        fileprivate var action: (() -> Void)?

        fileprivate init(dueMs: Int64, order: Int, action: @escaping () -> Void) {
            self.dueMs = dueMs
            self.order = order
            self.action = action
        }

        /// The action will not run.
        func cancel() { action = nil }
    }

    private var heap: [Timer] = []
    private var inserted = 0

    /// Runs `action` when the clock has reached `dueMs`. O(log timers).
    @discardableResult
    func schedule(atMs dueMs: Int64, _ action: @escaping () -> Void) -> Timer {
        inserted += 1
        let timer = Timer(dueMs: dueMs, order: inserted, action: action)
        heap.append(timer)
        var child = heap.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
        return timer
    }

    /// When the next action is due; nil: none is scheduled.
    var nextMs: Int64? {
        while let first = heap.first, first.action == nil { removeFirst() }
        return heap.first?.dueMs
    }

    /// Runs what is due.
    func run(nowMs: Int64) {
        while let first = heap.first, first.dueMs <= nowMs {
            removeFirst()
            first.action?()
        }
    }

    private func isBefore(_ a: Int, _ b: Int) -> Bool {
        (heap[a].dueMs, heap[a].order) < (heap[b].dueMs, heap[b].order)
    }

    private func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isBefore(child, least) {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
