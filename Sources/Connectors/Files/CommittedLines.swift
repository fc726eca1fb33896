import Platform
import StreamEngine

/// A file of an output folder of ours: its committed bytes.
struct CommittedFile: Sendable {
    var path: String
    /// Bytes that count; what stands behind them belongs to an epoch that is not decided.
    var byteCount: Int64
    var checksum: UInt64

    /// Compares the bytes with what the manifest says of them, a piece at a time.
    func check(_ files: any FileSystem) throws {
        let file = try files.open(path, .read)
        var digest = XXH64()
        var chunk = [UInt8](repeating: 0, count: Int(min(max(byteCount, 1), 1 << 20)))
        var at: Int64 = 0
        while at < byteCount {
            let wanted = Int(min(Int64(chunk.count), byteCount - at))
            let got = try chunk.withUnsafeMutableBytes { room in
                let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: room[..<wanted]), at: at)
                digest.update(UnsafeRawBufferPointer(rebasing: room[..<count]))
                return count
            }
            guard got > 0 else { throw ManifestError.short(path: path, bytes: at, committed: byteCount) }
            at += Int64(got)
        }
        try file.close()
        guard digest.digest == checksum else { throw ManifestError.checksum(path: path) }
    }
}

/// Reads lines that this program wrote into a folder, exactly the committed ones, file after file in the manifest's order: what
/// one writer wrote is one partition. Each file's bytes are checked before the first line of it is handed over.
final class CommittedLinesReader: PartitionReader {
    let id: PartitionID
    private let inputs: [CommittedFile]
    private let files: any FileSystem
    private let maxLineBytes: Int
    private let totalBytes: Int64
    private var index = 0
    private var reader: FilePartitionReader?
    private var finishedBytes: Int64 = 0
    /// Lines of the files before.
    private var finishedLines: Int64 = 0
    private var isClosed = false

    init(id: PartitionID, inputs: [CommittedFile], files: any FileSystem, maxLineBytes: Int) {
        self.id = id
        self.inputs = inputs
        self.files = files
        self.maxLineBytes = maxLineBytes
        totalBytes = inputs.reduce(0) { $0 + $1.byteCount }
    }

    /// Readers for a folder with a manifest; nil for any other path.
    static func folder(
        source: String, path: String, files: any FileSystem, maxLineBytes: Int
    ) throws -> [any PartitionReader]? {
        guard try files.status(path)?.kind == .directory,
            try files.status(FilePath.join(path, ManifestName.directory)) != nil
        else { return nil }
        var writers: [(name: String, inputs: [CommittedFile])] = []
        for document in try ManifestReader(directory: path, files: files).documents() {
            let inputs = document.entries.filter { $0.rows > 0 }.map {
                CommittedFile(path: FilePath.join(path, $0.path), byteCount: $0.bytes, checksum: $0.checksum)
            }
            if let at = writers.firstIndex(where: { $0.name == document.writer }) {
                writers[at].inputs += inputs
            } else {
                writers.append((document.writer, inputs))
            }
        }
        return writers.filter { !$0.inputs.isEmpty }.enumerated().map { index, writer in
            CommittedLinesReader(
                id: PartitionID(source: source, topic: source, partition: Int32(index)), inputs: writer.inputs,
                files: files, maxLineBytes: maxLineBytes)
        }
    }

    var progress: (consumed: Int64, total: Int64)? {
        (min(finishedBytes + (reader?.progress?.consumed ?? 0), totalBytes), totalBytes)
    }

    func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        while !isClosed, index < inputs.count {
            let reader = try open()
            let outcome = try reader.read(maxBytes: maxBytes) { record in
                try body(
                    RawRecord(
                        bytes: record.bytes, offset: finishedLines + record.offset, timestampMs: nil,
                        linesAreRecords: true))
            }
            guard case .endOfInput = outcome else { return outcome }
            finishedBytes += inputs[index].byteCount
            finishedLines += reader.nextLine
            index += 1
            self.reader = nil
        }
        return .endOfInput
    }

    private func open() throws -> FilePartitionReader {
        if let reader { return reader }
        let input = inputs[index]
        try input.check(files)
        let new = FilePartitionReader(
            id: id, path: input.path, status: FileStatus(kind: .file, size: input.byteCount, modifiedMs: 0),
            files: FirstBytes(files, count: input.byteCount), maxLineBytes: maxLineBytes)
        reader = new
        return new
    }

    func hibernate() { reader?.hibernate() }

    func close() {
        isClosed = true
        reader?.close()
        reader = nil
    }
}

/// Files of which only the first bytes are there; for reading.
private struct FirstBytes: FileSystem {
    private let files: any FileSystem
    private let count: Int64

    init(_ files: any FileSystem, count: Int64) {
        self.files = files
        self.count = count
    }

    func open(_ path: String, _ mode: OpenMode) throws(IOFailure) -> any File {
        FirstBytesOfFile(try files.open(path, mode), count: count)
    }
    func createDirectories(_ path: String) throws(IOFailure) { try files.createDirectories(path) }
    func list(_ directory: String) throws(IOFailure) -> [String] { try files.list(directory) }
    func status(_ path: String) throws(IOFailure) -> FileStatus? { try files.status(path) }
    func rename(_ source: String, to target: String) throws(IOFailure) { try files.rename(source, to: target) }
    func remove(_ path: String) throws(IOFailure) -> Bool { try files.remove(path) }
    func syncDirectory(_ directory: String) throws(IOFailure) { try files.syncDirectory(directory) }
}

/// Unchecked: a reader of one partition is used by one thread at a time, and so is its file.
private final class FirstBytesOfFile: File, @unchecked Sendable {
    private let file: any File
    private let count: Int64
    private var position: Int64 = 0

    init(_ file: any File, count: Int64) {
        self.file = file
        self.count = count
    }

    var path: String { file.path }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(IOFailure) -> Int {
        let read = try read(into: buffer, at: position)
        position += Int64(read)
        return read
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(IOFailure) -> Int {
        let wanted = min(Int64(buffer.count), max(0, count - offset))
        guard wanted > 0 else { return 0 }
        return try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)]), at: offset)
    }

    func seek(to offset: Int64) throws(IOFailure) { position = offset }
    func size() throws(IOFailure) -> Int64 { min(try file.size(), count) }
    func writeAll(_ bytes: UnsafeRawBufferPointer) throws(IOFailure) { try file.writeAll(bytes) }
    func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(IOFailure) {
        try file.writeAll(bytes, at: offset)
    }
    func truncate(to size: Int64) throws(IOFailure) { try file.truncate(to: size) }
    func sync() throws(IOFailure) { try file.sync() }
    func close() throws(IOFailure) { try file.close() }
}
