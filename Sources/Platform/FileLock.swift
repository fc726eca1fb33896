import Glibc

/// A lock on a file that another process respects: held until `release`, or until its process is gone, however it ended
/// (`flock`: the kernel lets go of it, also after `kill -9`). A second lock on the file in the same process is another
/// holder.
///
/// The file is made where it is missing and never removed: a lock on a removed file would lock nobody out.
public final class FileLock: Sendable {
    /// Who may hold it at the same time.
    public enum Mode: Sendable {
        /// Any number of holders.
        case shared
        /// One.
        case exclusive
    }

    public var path: String { file.path }
    let file: FileDescriptor

    private init(_ file: FileDescriptor) { self.file = file }

    deinit { release() }

    /// Takes the lock if nobody holds it against `mode`, else returns nil. Does not wait.
    public static func take(_ path: String, _ mode: Mode) throws(IOFailure) -> FileLock? {
        let file = try FileDescriptor(opening: path, .readWrite)
        let operation = (mode == .exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB
        while flock(file.raw, operation) != 0 {
            if errno == EWOULDBLOCK { return nil }
            if errno != EINTR { throw IOFailure(.lock, path: path, code: errno) }
        }
        return FileLock(file)
    }

    /// Writes what others read with `note(at:)`, in place of what stood there. For an exclusive holder.
    public func write(note: String) throws(IOFailure) {
        try file.truncate(to: 0)
        let bytes = Array(note.utf8)
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(IOFailure) in try file.writeAll(buffer, at: 0) }
        }
        try result.get()
    }

    /// What a holder wrote, now or earlier; empty where there is nothing. For messages: a holder may be writing it.
    public static func note(at path: String) -> String {
        guard let bytes = try? PosixFileSystem().readAll(path, limit: 4096) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Makes a shared lock one's own; false where others share it.
    public func becomeExclusive() throws(IOFailure) -> Bool {
        while flock(file.raw, LOCK_EX | LOCK_NB) != 0 {
            if errno == EWOULDBLOCK { return false }
            if errno != EINTR { throw IOFailure(.lock, path: path, code: errno) }
        }
        return true
    }

    /// Takes the file away: only for a lock whose name is never used again.
    public func removeFile() throws(IOFailure) {
        if unlink(path) != 0, errno != ENOENT { throw IOFailure(.remove, path: path, code: errno) }
    }

    /// Lets go. A second call does nothing.
    public func release() {
        let descriptor = file.raw
        guard descriptor >= 0 else { return }
        // Closing alone lets go when the last copy is closed, and a child between fork and exec has one.
        _ = flock(descriptor, LOCK_UN)
        do throws(IOFailure) { try file.close() } catch { return }
    }
}
