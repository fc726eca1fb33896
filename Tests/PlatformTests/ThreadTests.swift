import Glibc
import Synchronization
import Testing

@testable import Platform

/// The system refuses a thread: here for a stack that no address space holds, at a user's by the limits on processes.
@Suite struct ThreadTests {
    static let tooMuch = 1 << 47

    @Test func aRefusedThreadIsATypedFailure() {
        let failure = #expect(throws: ThreadFailure.self) { try Thread(name: "data-1", stackBytes: Self.tooMuch) {} }
        #expect(failure == ThreadFailure(name: "data-1", code: EAGAIN) || failure?.code == ENOMEM)
        #expect(
            ThreadFailure(name: "data-1", code: EAGAIN).description
                == "the system refused a thread (data-1): Resource temporarily unavailable; raise the limit on processes and "
                + "threads (`ulimit -u`, a container's pids limit, TasksMax of systemd) or on memory (`ulimit -v`, and "
                + "`ulimit -s`, which each thread takes for its stack), or use fewer (--workers)")
    }

    @Test func aPoolSaysSoAndWorksWithTheThreadsThereAre() {
        let pool = WorkerPool(width: 4, stackBytes: Self.tooMuch)
        defer { pool.stop() }
        #expect(pool.width == 4 && pool.failure?.name == "data-1")
        let done = Atomic(0)
        pool.run(100) { _ in done.add(1, ordering: .relaxed) }
        pool.begin(100) { _ in done.add(1, ordering: .relaxed) }
        pool.end()
        #expect(done.load(ordering: .relaxed) == 200)
    }

    @Test func whoAddsToAQueueWithoutAThreadDoesTheWork() {
        let queue = WorkQueue(name: "test", stackBytes: Self.tooMuch)
        var order: [Int] = []
        let done = Monitor<[Int]>([])
        for piece in 0..<10 {
            #expect(queue.add(limit: 1) { done.withLock { $0.append(piece) } })
            order.append(piece)
        }
        queue.drain()
        #expect(done.withLock { $0 } == order)
        queue.stop()
        #expect(!queue.add { done.withLock { $0.append(-1) } })
        #expect(done.withLock { $0 } == order)
    }
}
