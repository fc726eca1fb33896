import Glibc
import Platform
import StreamEngine
import Synchronization

/// SIGINT and SIGTERM ask for a clean stop; a second one ends the process at once.
///
/// The signals are blocked in every thread and taken by one that waits for them, so nothing runs in a signal handler.
enum Signals {
    private static let received = Atomic<Int32>(0)

    /// Begins to turn signals into `stop`. Call before any other thread is started. `note` is told once.
    static func watch(_ stop: StopRequest, note: @escaping @Sendable (String) -> Void) {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        sigaddset(&set, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let waited = set
        _ = Thread(name: "signals") {
            var set = waited
            while true {
                var signal: Int32 = 0
                guard sigwait(&set, &signal) == 0 else { return }
                if received.load(ordering: .relaxed) != 0 { _exit(128 + signal) }
                received.store(signal, ordering: .relaxed)
                stop.request()
                note("stopping after this epoch; once more stops at once\n")
            }
        }
    }

    /// 130 or 143 after a signal, else nil.
    static var exitCode: Int32? {
        let signal = received.load(ordering: .relaxed)
        return signal == 0 ? nil : 128 + signal
    }
}
