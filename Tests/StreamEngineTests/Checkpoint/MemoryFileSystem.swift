import Glibc
import Platform
import TestSupport

/// A disk in memory, with the fault model of the checkpoint tests:
/// - any call may fail (`failures`: by the call's number), a failing write having written half of its bytes;
/// - the process may die before any call (`diesAt`): that call and all later ones fail, and change nothing;
/// - `lose` is what a power failure leaves: of each directory's changes since it was last synced any subset, of each file's
///   bytes since it was last synced any prefix, or the right length with zeros. What was synced stays.
final class MemoryFileSystem: FileSystem {
    final class Node: @unchecked Sendable {
        // Unchecked: touched only under the file system's lock.
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
        var isDirectory = false
        var modifiedMs: Int64 = 0
    }

    private enum Change {
        case link(String, Node)
        case unlink(String)
        case rename(String, String, Node)
    }

    private struct State {
        var entries: [String: Node] = [:]
        var durable: [String: Node] = [:]
        var pending: [String: [Change]] = [:]
        var calls = 0
        var failures: [Int: Int32] = [:]
        var diesAt = Int.max
        var log: [String] = []
        var nowMs: Int64 = 1_000_000
    }

    private let state = Monitor(State())

    /// How many calls were made, and met failures.
    var calls: Int { state.withLock { $0.calls } }
    var log: [String] { state.withLock { $0.log } }
    var nowMs: Int64 {
        get { state.withLock { $0.nowMs } }
        set { state.withLock { $0.nowMs = newValue } }
    }

    /// From now on the call with this number (counted from the next one, 0) fails with this code.
    func fail(at call: Int, _ code: Int32) { state.withLock { $0.failures[$0.calls + call] = code } }
    /// From this call on (counted from the next one, 0) the process is dead.
    func die(at call: Int) { state.withLock { $0.diesAt = $0.calls + call } }
    /// No more faults.
    func heal() {
        state.withLock {
            $0.failures = [:]
            $0.diesAt = .max
        }
    }

    /// Power fails and comes back.
    func lose(_ random: inout SeededRandom) {
        var seeded = random
        state.withLock { state in
            for changes in state.pending.sorted(by: { $0.key < $1.key }).map(\.value) {
                for change in changes where Bool.random(using: &seeded) { Self.apply(change, to: &state.durable) }
            }
            state.pending = [:]
            // What hangs in a directory that is gone is gone.
            state.durable = state.durable.filter { path, _ in
                var parent = FilePath.directory(of: path)
                while parent != "/", parent != "." {
                    if state.durable[parent] == nil { return false }
                    parent = FilePath.directory(of: parent)
                }
                return true
            }
            for node in state.durable.sorted(by: { $0.key < $1.key }).map(\.value) where node.bytes != node.durable {
                switch Int.random(in: 0..<3, using: &seeded) {
                case 0: node.bytes = node.durable
                case 1: node.bytes = Array(node.bytes.prefix(Int.random(in: 0...node.bytes.count, using: &seeded)))
                default: node.bytes = [UInt8](repeating: 0, count: node.bytes.count)
                }
                node.durable = node.bytes
            }
            state.entries = state.durable
        }
        random = seeded
    }

    private static func apply(_ change: Change, to entries: inout [String: Node]) {
        switch change {
        case .link(let path, let node): entries[path] = node
        case .unlink(let path): entries[path] = nil
        case .rename(let source, let target, let node):
            entries[source] = nil
            entries[target] = node
        }
    }

    /// Every file with its bytes.
    var contents: [String: [UInt8]] {
        state.withLock { state in state.entries.filter { !$0.value.isDirectory }.mapValues(\.bytes) }
    }

    /// Puts bytes into a file, durable.
    func set(_ path: String, _ bytes: [UInt8]) {
        state.withLock { state in
            let node = state.entries[path] ?? Node()
            node.bytes = bytes
            node.durable = bytes
            node.modifiedMs = state.nowMs
            state.entries[path] = node
            state.durable[path] = node
        }
    }

    /// Takes a file away.
    func drop(_ path: String) {
        state.withLock { state in
            state.entries[path] = nil
            state.durable[path] = nil
        }
    }

    // MARK: Calls

    /// Counts a call, and makes it fail where a fault is due: at death before, at a failure after `partly` was done.
    private func call<R>(
        _ operation: IOFailure.Operation, _ path: String, partly: (inout State) -> Void = { _ in },
        _ body: (inout State) -> Result<R, IOFailure>
    ) throws(IOFailure) -> R {
        let result: Result<R, IOFailure> = state.withLock { state in
            let number = state.calls
            state.calls += 1
            state.log.append("\(operation.rawValue) \(path)")
            if number >= state.diesAt { return .failure(IOFailure(operation, path: path, code: EIO)) }
            if let code = state.failures[number] {
                partly(&state)
                return .failure(IOFailure(operation, path: path, code: code))
            }
            return body(&state)
        }
        return try result.get()
    }

    func open(_ path: String, _ mode: OpenMode) throws(IOFailure) -> any File {
        let node: Node = try call(.open, path) { state in
            func fail(_ code: Int32) -> Result<Node, IOFailure> { .failure(IOFailure(.open, path: path, code: code)) }
            if let node = state.entries[path] {
                if mode == .createNew { return fail(EEXIST) }
                if node.isDirectory { return fail(EISDIR) }
                if mode == .replace {
                    node.bytes = []
                    node.modifiedMs = state.nowMs
                }
                return .success(node)
            }
            guard mode != .read, state.entries[FilePath.directory(of: path)]?.isDirectory == true else {
                return fail(ENOENT)
            }
            let node = Node()
            node.modifiedMs = state.nowMs
            state.entries[path] = node
            state.pending[FilePath.directory(of: path), default: []].append(.link(path, node))
            return .success(node)
        }
        return MemoryFile(path: path, node: node, system: self, isAppending: mode == .append)
    }

    func createDirectories(_ path: String) throws(IOFailure) {
        try call(.createDirectory, path) { state -> Result<Void, IOFailure> in
            var missing: [String] = []
            var at = path
            while at != "/", at != ".", state.entries[at] == nil {
                missing.append(at)
                at = FilePath.directory(of: at)
            }
            if let node = state.entries[path], !node.isDirectory {
                return .failure(IOFailure(.createDirectory, path: path, code: ENOTDIR))
            }
            for path in missing.reversed() {
                let node = Node()
                node.isDirectory = true
                node.modifiedMs = state.nowMs
                state.entries[path] = node
                state.pending[FilePath.directory(of: path), default: []].append(.link(path, node))
            }
            return .success(())
        }
    }

    func list(_ directory: String) throws(IOFailure) -> [String] {
        try call(.list, directory) { state in
            guard state.entries[directory]?.isDirectory == true else {
                return .failure(IOFailure(.list, path: directory, code: ENOENT))
            }
            return .success(
                state.entries.keys.filter { FilePath.directory(of: $0) == directory }.map(FilePath.name).sorted())
        }
    }

    func status(_ path: String) throws(IOFailure) -> FileStatus? {
        try call(.examine, path) { state in
            .success(
                state.entries[path].map {
                    FileStatus(
                        kind: $0.isDirectory ? .directory : .file, size: Int64($0.bytes.count),
                        modifiedMs: $0.modifiedMs)
                })
        }
    }

    func rename(_ source: String, to target: String) throws(IOFailure) {
        try call(.rename, source) { state -> Result<Void, IOFailure> in
            guard let node = state.entries[source] else {
                return .failure(IOFailure(.rename, path: source, code: ENOENT))
            }
            let moved = state.entries.filter { $0.key.hasPrefix(source + "/") }
            for (path, child) in moved {
                state.entries[path] = nil
                state.entries[target + path.dropFirst(source.count)] = child
            }
            for (path, child) in state.durable.filter({ $0.key.hasPrefix(source + "/") }) {
                state.durable[path] = nil
                state.durable[target + path.dropFirst(source.count)] = child
            }
            state.entries[source] = nil
            state.entries[target] = node
            state.pending[FilePath.directory(of: target), default: []].append(.rename(source, target, node))
            return .success(())
        }
    }

    func remove(_ path: String) throws(IOFailure) -> Bool {
        try call(.remove, path) { state in
            guard let node = state.entries[path] else { return .success(false) }
            if node.isDirectory, state.entries.keys.contains(where: { FilePath.directory(of: $0) == path }) {
                return .failure(IOFailure(.remove, path: path, code: ENOTEMPTY))
            }
            state.entries[path] = nil
            state.pending[FilePath.directory(of: path), default: []].append(.unlink(path))
            return .success(true)
        }
    }

    func syncDirectory(_ directory: String) throws(IOFailure) {
        try call(.sync, directory) { state -> Result<Void, IOFailure> in
            guard state.entries[directory]?.isDirectory == true || directory == "/" || directory == "." else {
                return .failure(IOFailure(.sync, path: directory, code: ENOENT))
            }
            for change in state.pending.removeValue(forKey: directory) ?? [] { Self.apply(change, to: &state.durable) }
            return .success(())
        }
    }

    fileprivate func read(
        _ node: Node, _ path: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(IOFailure) -> Int {
        try call(.read, path) { _ in
            guard offset < node.bytes.count else { return .success(0) }
            let part = node.bytes[offset..<min(offset + buffer.count, node.bytes.count)]
            buffer.copyBytes(from: part)
            return .success(part.count)
        }
    }

    fileprivate func write(
        _ node: Node, _ path: String, _ bytes: [UInt8], at offset: Int
    ) throws(IOFailure) {
        func put(_ bytes: some Collection<UInt8>, _ state: inout State) {
            if node.bytes.count < offset + bytes.count {
                node.bytes.append(
                    contentsOf: repeatElement(0, count: offset + bytes.count - node.bytes.count))
            }
            node.bytes.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
            node.modifiedMs = state.nowMs
        }
        try call(.write, path, partly: { put(bytes.prefix(bytes.count / 2), &$0) }) { state in
            put(bytes, &state)
            return .success(())
        }
    }

    fileprivate func sync(_ node: Node, _ path: String) throws(IOFailure) {
        try call(.sync, path) { _ in
            node.durable = node.bytes
            return .success(())
        }
    }

    fileprivate func close(_ path: String) throws(IOFailure) { try call(.close, path) { _ in .success(()) } }

    fileprivate func count(_ node: Node, _ path: String) throws(IOFailure) -> Int64 {
        try call(.examine, path) { _ in .success(Int64(node.bytes.count)) }
    }

    fileprivate func truncate(_ node: Node, _ path: String, to size: Int) throws(IOFailure) {
        try call(.truncate, path) { _ in
            node.bytes = Array(node.bytes.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - node.bytes.count))
            return .success(())
        }
    }
}

private final class MemoryFile: File {
    let path: String
    private let node: MemoryFileSystem.Node
    private let system: MemoryFileSystem
    private let position: Monitor<Int>

    init(path: String, node: MemoryFileSystem.Node, system: MemoryFileSystem, isAppending: Bool) {
        self.path = path
        self.node = node
        self.system = system
        position = Monitor(isAppending ? node.bytes.count : 0)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(IOFailure) -> Int {
        let count = try system.read(node, path, into: buffer, at: position.withLock { $0 })
        position.withLock { $0 += count }
        return count
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(IOFailure) -> Int {
        try system.read(node, path, into: buffer, at: Int(offset))
    }

    func writeAll(_ bytes: UnsafeRawBufferPointer) throws(IOFailure) {
        try system.write(node, path, Array(bytes), at: position.withLock { $0 })
        position.withLock { $0 += bytes.count }
    }

    func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(IOFailure) {
        try system.write(node, path, Array(bytes), at: Int(offset))
    }

    func seek(to offset: Int64) throws(IOFailure) { position.withLock { $0 = Int(offset) } }
    func truncate(to size: Int64) throws(IOFailure) { try system.truncate(node, path, to: Int(size)) }
    func size() throws(IOFailure) -> Int64 { try system.count(node, path) }
    func sync() throws(IOFailure) { try system.sync(node, path) }
    func close() throws(IOFailure) { try system.close(path) }
}
