import Glibc

/// A failed call on a file: what was tried, on which path, what the system said, and what to do about it.
public struct IOFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was being done.
    public enum Operation: String, Sendable {
        case open, read, write, sync, truncate, close, rename, remove, list, lock
        case createDirectory = "create directory"
        case examine
    }

    public let operation: Operation
    public let path: String
    /// The system's `errno`.
    public let code: Int32

    /// A failure of `operation` on `path`; `code` is the `errno` it left.
    public init(_ operation: Operation, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// Whether the path, or a directory on the way, does not exist.
    public var isNotFound: Bool { code == ENOENT }

    /// Whether what was to be made is there already.
    public var exists: Bool { code == EEXIST }

    /// Whether a directory could not be removed because something is in it.
    public var isNotEmpty: Bool { code == ENOTEMPTY || code == EEXIST }

    /// Whether the file is a pipe or terminal, which has no positions.
    public var isNotSeekable: Bool { code == ESPIPE }

    /// Whether the reader of a pipe or socket has gone.
    public var isBrokenPipe: Bool { code == EPIPE }

    /// `cannot open out/a.jsonl: Permission denied; check owner and permissions`.
    public var description: String {
        "cannot \(operation.rawValue) \(path): \(String(cString: strerror(code)))\(advice.map { "; \($0)" } ?? "")"
    }

    /// What a user can do about it; nil where the system's text says it all.
    public var advice: String? {
        switch code {
        case ENOENT:
            switch operation {
            case .open, .examine, .list, .remove, .read: return "check the path"
            default: return "a directory on the way is missing"
            }
        case EACCES, EPERM: return "check owner and permissions"
        case EROFS: return "the file system is mounted read-only; choose another directory"
        case ENOSPC: return "the disk is full; free space on it or choose another directory"
        case EDQUOT: return "the quota is used up; free space or choose another directory"
        case EFBIG: return "the file would be larger than the file system or `ulimit -f` allows"
        case EISDIR: return "it is a directory where a file was expected"
        case ENOTDIR: return "a part of the path is a file, not a directory"
        case EEXIST: return "it exists already; remove it or choose another name"
        case EMFILE: return "too many open files; raise `ulimit -n`"
        case ENFILE: return "the machine has too many open files"
        case ENAMETOOLONG: return "a name in a path may have 255 bytes"
        case ENOTEMPTY: return "the directory is not empty"
        case EIO: return "the disk reports an error; look at the kernel's log"
        case ELOOP: return "its symbolic links go in a circle"
        case EXDEV: return "source and target are on different file systems"
        default: return nil
        }
    }
}

extension IOFailure {
    /// A name that is taken.
    static func exists(_ path: String) -> IOFailure { IOFailure(.rename, path: path, code: EEXIST) }

    /// A file larger than its reader is ready to take.
    static func tooLarge(_ path: String) -> IOFailure { IOFailure(.read, path: path, code: EFBIG) }
}
