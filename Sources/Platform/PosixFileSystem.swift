import Glibc

/// The machine's file system.
public struct PosixFileSystem: FileSystem {
    public init() {}

    public func open(_ path: String, _ mode: OpenMode) throws(IOFailure) -> any File {
        try FileDescriptor(opening: path, mode)
    }

    public func createDirectories(_ path: String) throws(IOFailure) {
        if path.isEmpty || mkdir(path, 0o755) == 0 { return }
        switch errno {
        case EEXIST, EISDIR:
            guard try status(path)?.kind == .directory else {
                throw IOFailure(.createDirectory, path: path, code: ENOTDIR)
            }
        case ENOENT:
            let parent = FilePath.directory(of: path)
            guard parent != path, parent != "." else { throw IOFailure(.createDirectory, path: path, code: ENOENT) }
            try createDirectories(parent)
            // Somebody else may have made it meanwhile.
            if mkdir(path, 0o755) != 0, errno != EEXIST {
                throw IOFailure(.createDirectory, path: path, code: errno)
            }
            try syncDirectory(parent)
        case let code:
            // A directory that exists on a read-only file system answers EROFS in some kernels.
            if code == EROFS || code == EACCES, let status = try? status(path), status.kind == .directory { return }
            throw IOFailure(.createDirectory, path: path, code: code)
        }
    }

    public func list(_ directory: String) throws(IOFailure) -> [String] {
        guard let stream = opendir(directory) else { throw IOFailure(.list, path: directory, code: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw IOFailure(.list, path: directory, code: errno) }
                break
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public func status(_ path: String) throws(IOFailure) -> FileStatus? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw IOFailure(.examine, path: path, code: errno)
        }
        let kind: FileKind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            default: .other
            }
        let modifiedMs = Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
        return FileStatus(kind: kind, size: Int64(status.st_size), modifiedMs: modifiedMs)
    }

    public func rename(_ source: String, to target: String) throws(IOFailure) {
        guard Glibc.rename(source, target) == 0 else { throw IOFailure(.rename, path: source, code: errno) }
    }

    public func renameNew(_ source: String, to target: String) throws(IOFailure) {
        // rename(2) replaces; a second name for the file does not.
        guard link(source, target) == 0 else { throw IOFailure(.rename, path: target, code: errno) }
        _ = try remove(source)
    }

    public func remove(_ path: String) throws(IOFailure) -> Bool {
        if Glibc.remove(path) == 0 { return true }
        if errno == ENOENT { return false }
        throw IOFailure(.remove, path: path, code: errno)
    }

    public func syncDirectory(_ directory: String) throws(IOFailure) {
        let descriptor = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw IOFailure(.sync, path: directory, code: errno) }
        defer { _ = Glibc.close(descriptor) }
        // File systems that cannot sync a directory say EINVAL; they have nothing to wait for.
        if fsync(descriptor) != 0, errno != EINVAL { throw IOFailure(.sync, path: directory, code: errno) }
    }
}
