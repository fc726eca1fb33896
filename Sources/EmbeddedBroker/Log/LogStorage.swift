import CLinux
import Glibc

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
        guard descriptor >= 0 else { throw StorageError(.open, self.path(name)) }
        return LogFile(descriptor: descriptor, path: self.path(name))
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
        throw StorageError(.createDirectory, path)
    }

    /// The names in the folder, sorted; none in memory.
    func names() throws(StorageError) -> [String] {
        guard case .directory(let path) = self else { return [] }
        // A folder that cannot be listed must not look empty: what is in it would be written over.
        guard let handle = opendir(path) else { throw StorageError(.list, path) }
        defer { closedir(handle) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(handle) else {
                guard errno == 0 else { throw StorageError(.list, path) }
                break
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether there is a file or folder of this name.
    func contains(_ name: String) -> Bool {
        guard case .directory(let path) = self else { return false }
        return access("\(path)/\(name)", F_OK) == 0
    }

    /// Removes the folder with everything in it.
    func removeAll() throws(StorageError) {
        guard case .directory(let path) = self else { return }
        for name in try names() {
            let below = "\(path)/\(name)"
            guard unlink(below) != 0 else { continue }
            guard errno == EISDIR || errno == EPERM else { throw StorageError(.remove, below) }
            try LogStorage.directory(below).removeAll()
        }
        guard rmdir(path) == 0 else { throw StorageError(.remove, path) }
    }

    /// Replaces a file's content whole or not at all; the new file, nil in memory and when the broker is killed on the
    /// way.
    @discardableResult
    func replace(_ name: String, with bytes: [UInt8], gate: WriteGate) throws(StorageError) -> LogFile? {
        guard case .directory(let path) = self, !gate.isShut else { return nil }
        let temporary = try open(name + ".tmp")
        try temporary.truncate(to: 0)
        do throws(StorageError) {
            _ = try temporary.write(bytes, at: 0, through: gate)
        } catch {
            unlink("\(path)/\(name).tmp")
            throw error
        }
        if gate.isShut { return nil }
        guard rename("\(path)/\(name).tmp", "\(path)/\(name)") == 0 else {
            throw StorageError(.rename, self.path(name))
        }
        temporary.path = self.path(name)
        return temporary
    }
}

extension LogFile {
    /// The file's length in bytes.
    func length() throws(StorageError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw StorageError(.examine, path) }
        return Int(status.st_size)
    }

    /// Writes all bytes at a position through the gate; their number.
    func write(_ bytes: [UInt8], at position: Int, through gate: WriteGate) throws(StorageError) -> Int {
        let result = bytes.withUnsafeBytes { all in
            Result { () throws(StorageError) in try gate.write([all], to: self, at: position) }
        }
        return try result.get()
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

    /// Lets `body` see the file's first `count` bytes mapped, so that a scan copies nothing.
    func withMapped<R>(count: Int, _ body: (UnsafeRawBufferPointer) -> R) throws(StorageError) -> R {
        guard count > 0 else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        guard let base = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED else {
            throw StorageError(.read, path)
        }
        defer { munmap(base, count) }
        return body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Cuts the file.
    func truncate(to length: Int) throws(StorageError) {
        guard ftruncate(descriptor, off_t(length)) == 0 else { throw StorageError(.truncate, path) }
    }
}
