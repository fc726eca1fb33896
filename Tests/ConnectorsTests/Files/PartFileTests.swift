import Platform
import Synchronization
import Testing

@testable import Connectors

/// The machine's file system; notes what of its files the system is asked to bring to the disk ahead of time.
private final class ObservedFileSystem: FileSystem {
    private let real = PosixFileSystem()
    let started = Mutex<[Range<Int64>]>([])

    func open(_ path: String, _ mode: OpenMode) throws(IOFailure) -> any File {
        ObservedFile(try real.open(path, mode), self)
    }

    func createDirectories(_ path: String) throws(IOFailure) { try real.createDirectories(path) }
    func list(_ directory: String) throws(IOFailure) -> [String] { try real.list(directory) }
    func status(_ path: String) throws(IOFailure) -> FileStatus? { try real.status(path) }
    func rename(_ source: String, to target: String) throws(IOFailure) { try real.rename(source, to: target) }
    func remove(_ path: String) throws(IOFailure) -> Bool { try real.remove(path) }
    func syncDirectory(_ directory: String) throws(IOFailure) { try real.syncDirectory(directory) }
}

private final class ObservedFile: File {
    private let real: any File
    private let observer: ObservedFileSystem

    init(_ real: any File, _ observer: ObservedFileSystem) {
        self.real = real
        self.observer = observer
    }

    var path: String { real.path }
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(IOFailure) -> Int { try real.read(into: buffer) }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(IOFailure) -> Int {
        try real.read(into: buffer, at: offset)
    }
    func writeAll(_ bytes: UnsafeRawBufferPointer) throws(IOFailure) { try real.writeAll(bytes) }
    func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(IOFailure) {
        try real.writeAll(bytes, at: offset)
    }
    func seek(to offset: Int64) throws(IOFailure) { try real.seek(to: offset) }
    func truncate(to size: Int64) throws(IOFailure) { try real.truncate(to: size) }
    func size() throws(IOFailure) -> Int64 { try real.size() }
    func startSync(_ range: Range<Int64>) {
        observer.started.withLock { $0.append(range) }
        real.startSync(range)
    }
    func sync() throws(IOFailure) { try real.sync() }
    func close() throws(IOFailure) { try real.close() }
}

@Suite struct PartFileTests {
    @Test func whatIsWrittenIsOnItsWayToTheDiskBeforeTheSync() throws {
        let directory = try TemporaryDirectory()
        let files = ObservedFileSystem()
        let part = try PartFile(name: "a", directory: directory.path, files: files, createdNs: 0)
        let piece = [UInt8](repeating: 7, count: 600_000)
        var marks = [part.mark]
        for _ in 0..<5 {
            try part.append([piece], rows: 1)
            marks.append(part.mark)
        }
        // A megabyte at a time, each byte once.
        #expect(files.started.withLock { $0 } == [0..<1_200_000, 1_200_000..<2_400_000])
        // What is cut off and written anew is asked for anew.
        try part.rewind(to: marks[3])
        try part.append([piece], rows: 1)
        #expect(files.started.withLock { $0.count } == 2)
        try part.append([piece], rows: 1)
        #expect(files.started.withLock { $0.last } == 1_800_000..<3_000_000)
        // What is synced is not asked for.
        try part.sync()
        try part.append([piece, piece], rows: 2)
        #expect(files.started.withLock { $0.last } == 3_000_000..<4_200_000)
        try part.putAside()
        let path = FilePath.join(directory.path, ManifestName.hidden("a"))
        #expect(try PosixFileSystem().status(path)?.size == 4_200_000)
    }
}
