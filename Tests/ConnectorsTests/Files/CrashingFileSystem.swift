import Glibc
import Platform
import Synchronization

/// The machine's file system until the n-th call that changes something; from there on nothing works, as after a
/// `kill -9`. A write that meets the crash is cut in half. Counts calls, so that a test can crash at each, and notes what
/// the system is asked to bring to the disk ahead of time.
final class CrashingFileSystem: FileSystem {
    private let real = PosixFileSystem()
    private let steps: Steps

    final class Steps: Sendable {
        fileprivate let started = Mutex<[Range<Int64>]>([])
        private let left: Atomic<Int>
        private let code: Int32
        private let isOnce: Bool

        /// The call that fails first (0: the first one), with which `errno`, and whether later ones work again.
        init(failingAt step: Int, code: Int32, once: Bool) {
            left = Atomic(step)
            self.code = code
            isOnce = once
        }

        var met: Bool { left.load(ordering: .relaxed) < 0 }

        func take(_ operation: IOFailure.Operation, _ path: String) throws(IOFailure) {
            let before = left.wrappingSubtract(1, ordering: .relaxed).oldValue
            if before == 0 || (before < 0 && !isOnce) { throw IOFailure(operation, path: path, code: code) }
        }
    }

    init(failingAt step: Int, code: Int32 = EIO, once: Bool = false) {
        steps = Steps(failingAt: step, code: code, once: once)
    }

    /// One that never fails, and never waits for the disk.
    static var unfailing: CrashingFileSystem { CrashingFileSystem(failingAt: .max) }

    /// What of all files the disk was asked for ahead of time, in order.
    var startedSyncs: [Range<Int64>] { steps.started.withLock { $0 } }

    /// Whether the failing call was reached.
    var met: Bool { steps.met }

    func open(_ path: String, _ mode: OpenMode) throws(IOFailure) -> any File {
        if case .read = mode { return try real.open(path, mode) }
        try steps.take(.open, path)
        return CrashingFile(try real.open(path, mode), steps)
    }

    func createDirectories(_ path: String) throws(IOFailure) {
        try steps.take(.createDirectory, path)
        try real.createDirectories(path)
    }

    func list(_ directory: String) throws(IOFailure) -> [String] { try real.list(directory) }

    func status(_ path: String) throws(IOFailure) -> FileStatus? { try real.status(path) }

    func rename(_ source: String, to target: String) throws(IOFailure) {
        try steps.take(.rename, source)
        try real.rename(source, to: target)
    }

    func remove(_ path: String) throws(IOFailure) -> Bool {
        try steps.take(.remove, path)
        return try real.remove(path)
    }

    func syncDirectory(_ directory: String) throws(IOFailure) {
        // The machine goes on: what a sync would save is there anyway, and hundreds of crashes are tried.
        try steps.take(.sync, directory)
    }
}

private final class CrashingFile: File {
    private let real: any File
    private let steps: CrashingFileSystem.Steps

    init(_ real: any File, _ steps: CrashingFileSystem.Steps) {
        self.real = real
        self.steps = steps
    }

    var path: String { real.path }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(IOFailure) -> Int { try real.read(into: buffer) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(IOFailure) -> Int {
        try real.read(into: buffer, at: offset)
    }

    func writeAll(_ bytes: UnsafeRawBufferPointer) throws(IOFailure) {
        do throws(IOFailure) {
            try steps.take(.write, path)
        } catch {
            try real.writeAll(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)]))
            throw error
        }
        try real.writeAll(bytes)
    }

    func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(IOFailure) {
        try steps.take(.write, path)
        try real.writeAll(bytes, at: offset)
    }

    func seek(to offset: Int64) throws(IOFailure) { try real.seek(to: offset) }

    func truncate(to size: Int64) throws(IOFailure) {
        try steps.take(.truncate, path)
        try real.truncate(to: size)
    }

    func size() throws(IOFailure) -> Int64 { try real.size() }

    func startSync(_ range: Range<Int64>) {
        steps.started.withLock { $0.append(range) }
        real.startSync(range)
    }

    func sync() throws(IOFailure) {
        try steps.take(.sync, path)
    }

    func close() throws(IOFailure) { try real.close() }
}
