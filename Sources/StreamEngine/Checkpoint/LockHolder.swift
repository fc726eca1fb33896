import Glibc
import Platform

/// Who holds a lock of a checkpoint, as its file says: for messages, never for decisions about state.
struct LockHolder: Equatable {
    var pid: Int32
    var host: String
    /// When it took the lock, ms since the Unix epoch.
    var sinceMs: Int64
    /// It holds the slot for a moment only, to end what a member that is gone left open.
    var isEnding = false

    /// This process.
    static func current(_ clock: any Clock, isEnding: Bool = false) -> LockHolder {
        LockHolder(pid: getpid(), host: hostName, sinceMs: clock.wallMs(), isEnding: isEnding)
    }

    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "?" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    init(pid: Int32, host: String, sinceMs: Int64, isEnding: Bool = false) {
        self.pid = pid
        self.host = host
        self.sinceMs = sinceMs
        self.isEnding = isEnding
    }

    /// `pid 4711 host node-1 since 1795244400000`, with ` ending` behind it.
    var note: String { "pid \(pid) host \(host) since \(sinceMs)\(isEnding ? " ending" : "")\n" }

    /// Nil for what is not a note (yet).
    init?(note: String) {
        let words = note.split(whereSeparator: \.isWhitespace)
        guard words.count >= 6, words[0] == "pid", words[2] == "host", words[4] == "since",
            let pid = Int32(words[1]), let sinceMs = Int64(words[5])
        else { return nil }
        self.init(pid: pid, host: String(words[3]), sinceMs: sinceMs, isEnding: words.count > 6 && words[6] == "ending")
    }

    /// `process 4711 (since 2026-11-21T12:00:00Z)`, with its host where that is another.
    var description: String {
        let place = host == LockHolder.hostName ? "" : " on \(host)"
        return "process \(pid)\(place) (since \(EventTime.rfc3339(sinceMs)))"
    }
}
