import Glibc
import Synchronization

/// The system did not give a thread.
public struct ThreadFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The thread's name.
    public let name: String
    /// The `errno` of `pthread_create`.
    public let code: Int32

    /// `the system refused a thread (data-1): Resource temporarily unavailable; …`, with what to do.
    public var description: String {
        let head = "the system refused a thread (\(name)): \(String(cString: strerror(code)))"
        guard code == EAGAIN || code == ENOMEM else { return head }
        return
            "\(head); raise the limit on processes and threads (`ulimit -u`, a container's pids limit, TasksMax of systemd) "
            + "or on memory (`ulimit -v`, and `ulimit -s`, which each thread takes for its stack), or use fewer (--workers)"
    }
}

/// A POSIX thread. Swift concurrency stays at the edges (CLI, HTTP); the data plane runs on these.
public final class Thread: Sendable {
    private let handle: pthread_t

    private final class Start {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Starts a thread that runs `body`. The name shows in `top -H` (15 bytes at most). `stackBytes`: of its stack; nil: what
    /// the system gives (`ulimit -s`).
    public init(
        name: String, stackBytes: Int? = nil, _ body: @escaping @Sendable () -> Void
    ) throws(ThreadFailure) {
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        if let stackBytes, case let code = pthread_attr_setstacksize(&attributes, stackBytes), code != 0 {
            throw ThreadFailure(name: name, code: code)
        }
        let start = Unmanaged.passRetained(
            Start {
                Thread.nameCurrent(name)
                body()
            })
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw ThreadFailure(name: name, code: code)
        }
        handle = thread
    }

    // glibc's pthread_setname_np is hidden from Swift (it needs _GNU_SOURCE); the kernel's file does the same.
    private static func nameCurrent(_ name: String) {
        guard let file = fopen("/proc/thread-self/comm", "w") else { return }
        fputs(String(decoding: name.utf8.prefix(15), as: UTF8.self), file)
        fclose(file)
    }

    /// Waits until the thread has ended. Call once.
    public func join() { pthread_join(handle, nil) }
}

/// A mutex with a condition variable, guarding one value.
public final class Monitor<Value>: @unchecked Sendable {
    // Unchecked: `value` is touched only between lock and unlock of `mutex`, by `withLock` and `wait`.
    private var value: Value
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// Guards `value`.
    public init(_ value: sending Value) {
        self.value = value
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` with the value locked, then wakes every waiter.
    public func withLock<R>(_ body: (inout Value) throws -> R) rethrows -> R {
        pthread_mutex_lock(mutex)
        // Who is woken while the mutex is held would run into it.
        defer {
            pthread_mutex_unlock(mutex)
            pthread_cond_broadcast(condition)
        }
        return try body(&value)
    }

    /// Runs `body` with the value locked, then wakes every waiter if it says so: where most changes are of no use to any, waking
    /// them each time costs two changes of threads.
    public func withLock<R>(wakingIf body: (inout Value) -> (result: R, isOfUse: Bool)) -> R {
        pthread_mutex_lock(mutex)
        let (result, isOfUse) = body(&value)
        pthread_mutex_unlock(mutex)
        if isOfUse { pthread_cond_broadcast(condition) }
        return result
    }

    /// Waits until `body` gives a result, or `deadlineNs` (monotonic clock; nil: no limit) has passed; then nil. Then wakes every
    /// other waiter, if what `body` changed may be of use to one (`isOfUse`).
    public func wait<R>(untilNs deadlineNs: Int64? = nil, isOfUse: Bool = true, _ body: (inout Value) -> R?) -> R? {
        pthread_mutex_lock(mutex)
        var result = body(&value)
        var isOver = false
        while result == nil, !isOver {
            if let deadlineNs {
                var time = timespec(tv_sec: Int(deadlineNs / 1_000_000_000), tv_nsec: Int(deadlineNs % 1_000_000_000))
                isOver = pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT
            } else {
                pthread_cond_wait(condition, mutex)
            }
            result = body(&value)
        }
        pthread_mutex_unlock(mutex)
        if isOfUse, result != nil { pthread_cond_broadcast(condition) }
        return result
    }
}

/// The two clocks the engine reads, passed in so that tests can replace them.
public protocol Clock: Sendable {
    /// Milliseconds since the Unix epoch.
    func wallMs() -> Int64
    /// Nanoseconds of a clock that never goes back.
    func monotonicNs() -> Int64
    /// Waits that long, or less when a signal comes.
    func sleep(ms: Int)
}

/// The machine's clocks.
public struct SystemClock: Clock {
    public init() {}

    public func wallMs() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    public func monotonicNs() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    public func sleep(ms: Int) {
        var time = timespec(tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000)
        nanosleep(&time, nil)
    }
}

/// A fixed set of long-lived threads that run indexed pieces of work together (one data-plane thread a core).
public final class WorkerPool: Sendable {
    private struct State {
        var work: (@Sendable (Int) -> Void)?
        var next = 0
        var count = 0
        var unfinished = 0
        var stopping = false

        mutating func take() -> (work: @Sendable (Int) -> Void, index: Int)? {
            guard let work, next < count else { return nil }
            next += 1
            return (work, next - 1)
        }
    }

    private let monitor = Monitor(State())
    private let threads: [Thread]
    /// How many threads were asked for, the caller's own included.
    public let width: Int
    /// Why there are fewer; the work is then done by those there are. nil where all were started.
    public let failure: ThreadFailure?

    /// `width` >= 1; the calling thread of `run` is one of them. `stackBytes` as of `Thread`.
    public init(width: Int, stackBytes: Int? = nil) {
        self.width = max(width, 1)
        let monitor = self.monitor
        var threads: [Thread] = []
        var failure: ThreadFailure?
        do throws(ThreadFailure) {
            for index in 1..<max(width, 1) {
                threads.append(
                    try Thread(name: "data-\(index)", stackBytes: stackBytes) { WorkerPool.serve(monitor) })
            }
        } catch {
            failure = error
        }
        self.threads = threads
        self.failure = failure
    }

    /// Runs `work(0)` … `work(count - 1)` on all threads, each index once, and returns when all are done.
    public func run(_ count: Int, _ work: @escaping @Sendable (Int) -> Void) {
        if threads.isEmpty || count == 1 {
            for index in 0..<count { work(index) }
            return
        }
        begin(count, work)
        end()
    }

    /// Lets the other threads begin `work(0)` … `work(count - 1)`, each index once, while the caller does something else.
    /// `end` follows, also after a failure.
    public func begin(_ count: Int, _ work: @escaping @Sendable (Int) -> Void) {
        monitor.withLock {
            // A pool has one user, the coordinator, which calls `begin` and `end` in turn.
            precondition($0.work == nil, "the work before has ended")
            $0.work = work
            $0.next = 0
            $0.count = count
            $0.unfinished = count
        }
    }

    /// Takes part in what was begun, and returns when all of it is done.
    public func end() {
        while let (work, index) = monitor.withLock(wakingIf: { ($0.take(), isOfUse: false) }) {
            work(index)
            WorkerPool.finish(monitor)
        }
        _ = monitor.wait(isOfUse: false) { state -> Bool? in
            guard state.unfinished == 0 else { return nil }
            state.work = nil
            return true
        }
    }

    /// A piece is done: of use to who waits for the last one only.
    private static func finish(_ monitor: Monitor<State>) {
        monitor.withLock(wakingIf: { state in
            state.unfinished -= 1
            return ((), isOfUse: state.unfinished == 0)
        })
    }

    private static func serve(_ monitor: Monitor<State>) {
        while true {
            let taken: (work: @Sendable (Int) -> Void, index: Int)?? = monitor.wait(isOfUse: false) {
                $0.stopping ? .some(nil) : $0.take().map { .some($0) }
            }
            guard let taken, let taken else { return }
            taken.work(taken.index)
            finish(monitor)
        }
    }

    /// Ends the threads and waits for them. The pool is not used afterwards.
    public func stop() {
        monitor.withLock { $0.stopping = true }
        for thread in threads { thread.join() }
    }
}
