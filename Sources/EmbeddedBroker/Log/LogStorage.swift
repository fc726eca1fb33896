import CLinux
import Glibc

/// The disk refused something the broker needs.
struct StorageError: Error, CustomStringConvertible {
    let description: String

    /// `what` failed with the current `errno`.
    init(_ what: String) { description = "\(what): \(String(cString: strerror(errno)))" }
}

/// Where segments live: files of a folder, or anonymous memory with the same calls.
enum LogStorage {
    case directory(String)
    case memory

    /// Opens or makes a file to append to.
    func open(_ name: String) throws(StorageError) -> LogFile {
        let descriptor: Int32
        switch self {
        case .directory(let path):
            descriptor = Glibc.open("\(path)/\(name)", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        case .memory:
            descriptor = linux_memfd_create(name)
        }
        guard descriptor >= 0 else { throw StorageError("cannot open \(self.path(name))") }
        return LogFile(descriptor: descriptor)
    }

    /// Removes a file; one that is not there is fine.
    func remove(_ name: String) {
        if case .directory(let path) = self { unlink("\(path)/\(name)") }
    }

    /// The name for messages.
    func path(_ name: String) -> String {
        switch self {
        case .directory(let path): "\(path)/\(name)"
        case .memory: "memory:\(name)"
        }
    }

    /// The storage of a folder below, made when missing.
    func folder(_ name: String) throws(StorageError) -> LogStorage {
        guard case .directory(let path) = self else { return .memory }
        let below = "\(path)/\(name)"
        try Self.makeFolder(below)
        return .directory(below)
    }

    /// Makes a folder and its parents.
    static func makeFolder(_ path: String) throws(StorageError) {
        if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
        let parent = path.split(separator: "/").dropLast()
        if errno == ENOENT && !parent.isEmpty {
            try makeFolder((path.hasPrefix("/") ? "/" : "") + parent.joined(separator: "/"))
            if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
        }
        throw StorageError("cannot make the folder \(path)")
    }

    /// The names in the folder, sorted; none in memory.
    func names() -> [String] {
        guard case .directory(let path) = self, let handle = opendir(path) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes the folder with everything in it.
    func removeAll() {
        guard case .directory(let path) = self else { return }
        for name in names() {
            if unlink("\(path)/\(name)") != 0 { LogStorage.directory("\(path)/\(name)").removeAll() }
        }
        rmdir(path)
    }

    /// Replaces a file's content whole or not at all.
    func replace(_ name: String, with bytes: [UInt8], gate: WriteGate) throws(StorageError) {
        guard case .directory(let path) = self, !gate.isShut else { return }
        let temporary = try open(name + ".tmp")
        ftruncate(temporary.descriptor, 0)
        let written = bytes.withUnsafeBytes { gate.write([$0], to: temporary, at: 0) }
        guard written != nil else { throw StorageError("cannot write \(self.path(name))") }
        if gate.isShut { return }
        guard rename("\(path)/\(name).tmp", "\(path)/\(name)") == 0 else {
            throw StorageError("cannot rename to \(self.path(name))")
        }
    }
}

extension LogFile {
    /// The file's length in bytes.
    var length: Int {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    /// The file's bytes in a range; fewer when it ends earlier.
    func read(at position: Int, count: Int) -> [UInt8] {
        guard count > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                guard let base = buffer.baseAddress else { return }
                let got = pread(descriptor, base + filled, count - filled, off_t(position + filled))
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else { return }
                filled += got
            }
        }
    }

    /// Lets `body` see the whole file mapped, so that a scan copies nothing.
    func withMapped<R>(count: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        guard count > 0, let base = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED else {
            return body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        defer { munmap(base, count) }
        return body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Cuts the file.
    func truncate(to length: Int) { ftruncate(descriptor, off_t(length)) }
}
