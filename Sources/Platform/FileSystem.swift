/// What a path is.
public enum FileKind: Sendable {
    case file, directory, other
}

/// What a path is, and how large.
public struct FileStatus: Sendable {
    public let kind: FileKind
    /// Bytes; of no meaning for directories.
    public let size: Int64
    /// Time of the last change, ms since the epoch.
    public let modifiedMs: Int64

    /// Facts about a path.
    public init(kind: FileKind, size: Int64, modifiedMs: Int64) {
        self.kind = kind
        self.size = size
        self.modifiedMs = modifiedMs
    }
}

/// The file system as the engine sees it: passed in, so that tests replace it and faults enter through it.
///
/// Small on purpose: what can be composed from these calls is an extension, and so meets the same faults.
public protocol FileSystem: Sendable {
    func open(_ path: String, _ mode: OpenMode) throws(IOFailure) -> any File
    /// Makes a directory and its missing parents; one that exists is fine.
    func createDirectories(_ path: String) throws(IOFailure)
    /// Names in a directory, without `.` and `..`, sorted by their bytes.
    func list(_ directory: String) throws(IOFailure) -> [String]
    /// What is at `path`, following symbolic links; nil when nothing is.
    func status(_ path: String) throws(IOFailure) -> FileStatus?
    /// Renames, replacing a file at `target`.
    func rename(_ source: String, to target: String) throws(IOFailure)
    /// Renames a file; EEXIST where `target` exists. Of several processes that do so at once one succeeds.
    func renameNew(_ source: String, to target: String) throws(IOFailure)
    /// Removes a file or an empty directory; returns false when there was none.
    @discardableResult
    func remove(_ path: String) throws(IOFailure) -> Bool
    /// Returns when the names in a directory are on the disk.
    func syncDirectory(_ directory: String) throws(IOFailure)
}

extension FileSystem {
    /// For file systems of one process: looks, then renames.
    public func renameNew(_ source: String, to target: String) throws(IOFailure) {
        guard try !exists(target) else { throw IOFailure.exists(target) }
        try rename(source, to: target)
    }

    /// Whether anything is at `path`.
    public func exists(_ path: String) throws(IOFailure) -> Bool { try status(path) != nil }

    /// Writes a file that readers see whole or not at all, also after a crash: temporary name beside it, fsync, rename,
    /// fsync of the directory.
    public func writeAtomically(_ bytes: [UInt8], to path: String) throws(IOFailure) {
        // A name of its own: another process, perhaps on another machine, may be writing the same file at this moment.
        let own = String(UInt32.random(in: 0 ... .max), radix: 16)
        let temporary = FilePath.sibling(of: path, named: ".\(FilePath.name(of: path)).\(own).tmp")
        let file = try open(temporary, .replace)
        do throws(IOFailure) {
            try file.writeAll(bytes)
            try file.sync()
            try file.close()
            try rename(temporary, to: path)
        } catch {
            // The write's own failure is what matters; a left-over temporary file counts for nobody.
            _ = try? remove(temporary)
            throw error
        }
        try syncDirectory(FilePath.directory(of: path))
    }

    /// The bytes of a file of at most `limit` bytes; EFBIG for a larger one.
    public func readAll(_ path: String, limit: Int = 1 << 30) throws(IOFailure) -> [UInt8] {
        let file = try open(path, .read)
        var bytes: [UInt8] = []
        let size = try file.size()
        guard size <= Int64(limit) else { throw IOFailure.tooLarge(path) }
        var chunk = [UInt8](repeating: 0, count: min(max(Int(size), 4096), 1 << 20))
        bytes.reserveCapacity(Int(size))
        while true {
            let result = chunk.withUnsafeMutableBytes { buffer in
                Result { () throws(IOFailure) in try file.read(into: buffer) }
            }
            let count = try result.get()
            if count == 0 { break }
            guard bytes.count + count <= limit else { throw IOFailure.tooLarge(path) }
            bytes.append(contentsOf: chunk[..<count])
        }
        try file.close()
        return bytes
    }

    /// Removes a file, or a directory with everything in it; nothing when there is none. A symbolic link is taken away
    /// itself, never followed.
    public func removeTree(_ path: String) throws(IOFailure) {
        do throws(IOFailure) {
            try remove(path)
        } catch {
            guard error.isNotEmpty else { throw error }
            for name in try list(path) { try removeTree(FilePath.join(path, name)) }
            try remove(path)
        }
    }
}

/// Taking paths apart and putting them together.
public enum FilePath {
    /// `a/b` from `a` and `b`; `b` alone where it is absolute or `a` is empty.
    public static func join(_ directory: String, _ name: String) -> String {
        if directory.isEmpty || name.hasPrefix("/") { return name }
        return directory.hasSuffix("/") ? directory + name : directory + "/" + name
    }

    /// What stands after the last slash.
    public static func name(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return String(path[path.utf8.index(after: slash)...])
    }

    /// What stands before the last slash: `.` where there is none, `/` for a file in the root.
    public static func directory(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Another name in the same directory.
    public static func sibling(of path: String, named name: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return name }
        return String(path[...slash]) + name
    }
}
