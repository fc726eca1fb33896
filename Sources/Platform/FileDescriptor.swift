import CLinux
import Glibc
import Synchronization

/// How a file is opened.
public enum OpenMode: Sendable {
    /// An existing file, to read.
    case read
    /// A new file, to write; one that exists is an error (EEXIST).
    case createNew
    /// To write from the start: made if missing, emptied if not.
    case replace
    /// To write at the end: made if missing.
    case append
    /// To read and write anywhere: made if missing.
    case readWrite

    fileprivate var flags: Int32 {
        switch self {
        case .read: O_RDONLY
        case .createNew: O_WRONLY | O_CREAT | O_EXCL
        case .replace: O_WRONLY | O_CREAT | O_TRUNC
        case .append: O_WRONLY | O_CREAT | O_APPEND
        case .readWrite: O_RDWR | O_CREAT
        }
    }
}

/// An open file: the seam at which tests let a disk tear, fill up or forget. `FileDescriptor` is the real one.
///
/// Calls are whole or throw, and are retried when a signal interrupts them.
public protocol File: AnyObject, Sendable {
    var path: String { get }
    /// Reads at the file's position, at most `buffer.count` bytes; 0 at the end (or for an empty buffer).
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(IOFailure) -> Int
    /// Reads at `offset` without moving the position, at most `buffer.count` bytes; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(IOFailure) -> Int
    /// Writes all bytes at the position.
    func writeAll(_ bytes: UnsafeRawBufferPointer) throws(IOFailure)
    /// Writes all bytes at `offset` without moving the position.
    func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(IOFailure)
    /// Moves the position to `offset` bytes from the start.
    func seek(to offset: Int64) throws(IOFailure)
    /// Cuts or extends the file to `size` bytes.
    func truncate(to size: Int64) throws(IOFailure)
    /// Bytes in the file.
    func size() throws(IOFailure) -> Int64
    /// Returns when everything written is on the disk (fsync).
    func sync() throws(IOFailure)
    /// Lets the system begin to bring these bytes to the disk, so that a later `sync` has less to wait for. Promises nothing:
    /// what goes wrong is told by that `sync`.
    func startSync(_ range: Range<Int64>)
    /// Closes the file; a second call does nothing.
    func close() throws(IOFailure)
}

extension File {
    /// Does nothing, which is right for files without a disk.
    public func startSync(_ range: Range<Int64>) {}

    /// Writes all bytes at the position.
    public func writeAll(_ bytes: [UInt8]) throws(IOFailure) {
        // The closure form of withUnsafeBytes does not carry typed errors everywhere; a result does.
        let result = bytes.withUnsafeBytes { buffer in Result { () throws(IOFailure) in try writeAll(buffer) } }
        try result.get()
    }
}

/// Owns a POSIX file descriptor: closed once, at the latest when the last reference goes.
public final class FileDescriptor: File {
    public let path: String
    private let number: Atomic<Int32>

    /// Opens `path`; new files get mode 0644 (less the umask). Close-on-exec.
    public init(opening path: String, _ mode: OpenMode) throws(IOFailure) {
        var descriptor: Int32
        repeat {
            descriptor = Glibc.open(path, mode.flags | O_CLOEXEC, 0o644)
        } while descriptor < 0 && errno == EINTR
        guard descriptor >= 0 else { throw IOFailure(.open, path: path, code: errno) }
        self.path = path
        number = Atomic(descriptor)
    }

    /// Takes ownership of an open descriptor; `path` is only for messages.
    public init(adopting descriptor: Int32, path: String) {
        self.path = path
        number = Atomic(descriptor)
    }

    /// Standard output under a descriptor of its own, so that closing it closes nobody else's. Writes go past `stdio`'s
    /// buffers. Where standard output is closed, writes fail (EBADF).
    public static func standardOutput() -> FileDescriptor {
        FileDescriptor(adopting: fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0), path: "standard output")
    }

    deinit {
        let descriptor = number.load(ordering: .relaxed)
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
    }

    /// The descriptor's number, -1 when closed: for system calls not wrapped here. It stays owned by this object.
    public var raw: Int32 { number.load(ordering: .relaxed) }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(IOFailure) -> Int {
        while true {
            let count = Glibc.read(raw, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            if errno != EINTR { throw IOFailure(.read, path: path, code: errno) }
        }
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(IOFailure) -> Int {
        while true {
            let count = pread(raw, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            if errno != EINTR { throw IOFailure(.read, path: path, code: errno) }
        }
    }

    public func writeAll(_ bytes: UnsafeRawBufferPointer) throws(IOFailure) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(raw, rest.baseAddress, rest.count)
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            } else if errno == EAGAIN {
                // A terminal or pipe that somebody else set to non-blocking.
                var ready = pollfd(fd: raw, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, -1)
            } else if errno != EINTR {
                throw IOFailure(.write, path: path, code: errno)
            }
        }
    }

    public func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(IOFailure) {
        var rest = bytes
        var offset = offset
        while !rest.isEmpty {
            let count = pwrite(raw, rest.baseAddress, rest.count, off_t(offset))
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
                offset += Int64(count)
            } else if errno != EINTR {
                throw IOFailure(.write, path: path, code: errno)
            }
        }
    }

    public func seek(to offset: Int64) throws(IOFailure) {
        guard lseek(raw, off_t(offset), SEEK_SET) >= 0 else { throw IOFailure(.read, path: path, code: errno) }
    }

    public func truncate(to size: Int64) throws(IOFailure) {
        while ftruncate(raw, off_t(size)) != 0 {
            if errno != EINTR { throw IOFailure(.truncate, path: path, code: errno) }
        }
    }

    public func size() throws(IOFailure) -> Int64 {
        var status = stat()
        guard fstat(raw, &status) == 0 else { throw IOFailure(.examine, path: path, code: errno) }
        return Int64(status.st_size)
    }

    public func startSync(_ range: Range<Int64>) {
        _ = linux_start_sync(raw, off_t(range.lowerBound), off_t(range.count))
    }

    public func sync() throws(IOFailure) {
        while fsync(raw) != 0 {
            if errno != EINTR { throw IOFailure(.sync, path: path, code: errno) }
        }
    }

    public func close() throws(IOFailure) {
        let descriptor = number.exchange(-1, ordering: .relaxed)
        guard descriptor >= 0 else { return }
        // Linux frees the descriptor even when close is interrupted; retrying could close somebody else's.
        if Glibc.close(descriptor) != 0, errno != EINTR { throw IOFailure(.close, path: path, code: errno) }
    }
}
