import Synchronization
import Testing

@testable import Platform

@Suite struct WorkQueueTests {
    @Test func piecesAreDoneInTheirOrder() {
        let queue = WorkQueue(name: "test")
        let done = Monitor<[Int]>([])
        for piece in 0..<1000 { #expect(queue.add { done.withLock { $0.append(piece) } }) }
        queue.drain()
        #expect(done.withLock { $0 } == Array(0..<1000))
    }

    @Test func whatIsQueuedIsDoneBeforeTheThreadEnds() {
        let done = Atomic(0)
        do {
            let queue = WorkQueue(name: "test")
            for _ in 0..<100 { queue.add { done.add(1, ordering: .relaxed) } }
        }
        #expect(done.load(ordering: .relaxed) == 100)
    }

    @Test func stoppingGivesUpWhatIsQueued() throws {
        let queue = WorkQueue(name: "test")
        let hasBegun = Monitor(false)
        let mayEnd = Monitor(false)
        let done = Atomic(0)
        queue.add {
            hasBegun.withLock { $0 = true }
            _ = mayEnd.wait { $0 ? true : nil }
            done.add(1, ordering: .relaxed)
        }
        _ = hasBegun.wait { $0 ? true : nil }
        #expect(queue.add(limit: 1) { done.add(10, ordering: .relaxed) })
        #expect(!queue.add(limit: 1) { done.add(100, ordering: .relaxed) })
        let stopper = try Thread(name: "stopper") { queue.stop() }
        // Once the queue takes nothing any more, `stop` has given up what waited.
        while queue.add({ done.add(1000, ordering: .relaxed) }) {}
        mayEnd.withLock { $0 = true }
        stopper.join()
        queue.stop()
        #expect(done.load(ordering: .relaxed) == 1)
    }
}

@Suite struct WorkerPoolTests {
    /// Each index is done once, by the others beside the caller or by the caller at the end.
    @Test(arguments: [1, 2, 3])
    func eachPieceOnce(width: Int) {
        let pool = WorkerPool(width: width)
        defer { pool.stop() }
        for count in [0, 1, 2, 7, 100] {
            let done = Monitor([Int](repeating: 0, count: count))
            pool.begin(count) { index in done.withLock { $0[index] += 1 } }
            pool.end()
            pool.run(count) { index in done.withLock { $0[index] += 1 } }
            #expect(done.withLock { $0 } == [Int](repeating: 2, count: count))
        }
    }

    @Test func othersWorkBesideTheCaller() {
        let pool = WorkerPool(width: 2)
        defer { pool.stop() }
        let done = Monitor(0)
        pool.begin(3) { _ in done.withLock { $0 += 1 } }
        // The caller has not taken part.
        _ = done.wait { $0 == 3 ? true : nil }
        pool.end()
        #expect(done.withLock { $0 } == 3)
    }
}
