import Glibc
import Platform
import StreamEngine
import Synchronization

/// SIGINT and SIGTERM ask for a clean stop; a second one ends the process at once.
///
/// While a command works, the signals are blocked in every thread and taken by one that waits for them, so nothing runs in a
/// signal handler. Before that there is nothing to finish, and a handler ends the process.
enum Signals {
    private static let received = Atomic<Int32>(0)

    /// Until `watch`, a signal ends the process at once with 130 or 143, also one that came before `main`, and also where the
    /// process that started this one had it blocked. The program's first call.
    static func endEarly(_ format: LogFormat = .text) {
        switch format {
        case .text: handle { Signals.end(128 + $0, "stopped before it began\n") }
        case .json: handle { Signals.end(128 + $0, "{\"level\":\"info\",\"message\":\"stopped before it began\"}\n") }
        }
        var set = stopping
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// Only what may be called in a handler: two system calls.
    private static func end(_ code: Int32, _ text: StaticString) {
        _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
        _exit(code)
    }

    private static var stopping: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        sigaddset(&set, SIGTERM)
        return set
    }

    /// What the system does by default, for a command that has nothing to finish: a shell's loop over such commands ends on
    /// Ctrl-C only where the signal is seen to have ended one.
    static func leaveToSystem() { handle(SIG_DFL) }

    private static func handle(_ handler: __sighandler_t?) {
        for number in [SIGINT, SIGTERM] { signal(number, handler) }
    }

    /// Begins to turn signals into `stop`. Call before any other thread is started. `note` is told once.
    static func watch(_ stop: StopRequest, note: @escaping @Sendable (String) -> Void) throws(ThreadFailure) {
        let waited = stopping
        var set = waited
        pthread_sigmask(SIG_BLOCK, &set, nil)
        _ = try Thread(name: "signals") {
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
