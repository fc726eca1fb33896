import Platform

/// Runs a test's body on a thread of its own: tests that wait for brokers and processes would hold up all others in the
/// pool. It stays in the test's task, so what it expects is the test's.
public func onOwnThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withTaskExecutorPreference(OwnThread()) { try body() }
}

/// Each piece of a task on a new thread.
private final class OwnThread: TaskExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let run: @Sendable () -> Void = { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        do { _ = try Thread(name: "test", run) } catch { run() }
    }
}
