import Connectors
import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@Suite("Reading files as partitions")
struct FilePartitionReaderTests {
    let files = PosixFileSystem()

    private struct Chunks {
        var bytes: [UInt8] = []
        /// The number each line should have, from the offsets handed over.
        var lineNumbers: [Int64] = []
        var largest = 0
    }

    private func makeReader(_ path: String, maxLineBytes: Int = 64 * 1024, chunkBytes: Int = 4096) throws
        -> FilePartitionReader
    {
        let status = try #require(try files.status(path))
        return FilePartitionReader(
            id: PartitionID(source: "s", topic: "s", partition: 0), path: path, status: status,
            maxLineBytes: maxLineBytes, chunkBytes: chunkBytes)
    }

    /// Reads everything; `between` runs before each read.
    private func readAll(
        _ reader: FilePartitionReader, maxBytes: Int = .max, between: (Int) -> Void = { _ in }
    ) throws -> Chunks {
        var chunks = Chunks()
        var reads = 0
        while true {
            between(reads)
            reads += 1
            let outcome = try reader.read(maxBytes: maxBytes) { record in
                #expect(record.linesAreRecords)
                #expect(record.timestampMs == nil)
                #expect(!record.bytes.isEmpty)
                chunks.largest = max(chunks.largest, record.bytes.count)
                chunks.bytes += record.bytes
                let lines = record.bytes.split(separator: 10, omittingEmptySubsequences: false)
                let count = record.bytes.last == 10 ? lines.count - 1 : lines.count
                for i in 0..<count { chunks.lineNumbers.append(record.offset + Int64(i)) }
            }
            if outcome == .endOfInput { return chunks }
        }
    }

    @Test("any cut gives the same bytes and line numbers", arguments: Compression.allCases)
    func cuts(_ compression: Compression) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("input" + compression.fileExtension)
        for text in ["", "\n", "a", "a\n", "\n\n\nx", "one\r\ntwo\n\nthree three three\nend"] {
            let bytes = Array(text.utf8)
            let half = bytes.count / 2
            try files.writeAtomically(
                try compression.frame(Array(bytes[..<half])) + compression.frame(Array(bytes[half...])), to: path)
            let lines = bytes.split(separator: 10, omittingEmptySubsequences: false).count - (bytes.last == 10 ? 1 : 0)
            for maxBytes in [1, 2, 3, 5, 8, 1000] {
                for sleepsEvery in [0, 1, 2] {
                    let reader = try makeReader(path)
                    let chunks = try readAll(reader, maxBytes: maxBytes) {
                        if sleepsEvery > 0, $0 % sleepsEvery == 0 { reader.hibernate() }
                    }
                    #expect(chunks.bytes == bytes)
                    #expect(chunks.lineNumbers == (0..<Int64(bytes.isEmpty ? 0 : lines)).map { $0 })
                    let progress = try #require(reader.progress)
                    #expect(progress.consumed == progress.total)
                }
            }
        }
    }

    @Test("random files, cuts and naps give the same bytes", arguments: Compression.allCases)
    func random(_ compression: Compression) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let directory = try TemporaryDirectory()
        let path = directory.file("input" + compression.fileExtension)
        for _ in 0..<15 {
            var bytes: [UInt8] = []
            var archive: [UInt8] = []
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                let piece = (0..<Int.random(in: 0...3000, using: &random)).map { _ in
                    UInt8.random(in: 0...40, using: &random)
                }
                bytes += piece
                archive += try compression.frame(piece)
            }
            if archive.isEmpty { archive = try compression.frame([]) }
            try files.writeAtomically(archive, to: path)
            let reader = try makeReader(path, chunkBytes: Int.random(in: 1...3000, using: &random))
            var naps = random
            let chunks = try readAll(reader, maxBytes: Int.random(in: 1...5000, using: &random)) { _ in
                if UInt8.random(in: 0...4, using: &naps) == 0 { reader.hibernate() }
            }
            #expect(chunks.bytes == bytes, "seed \(seed)")
            #expect(chunks.lineNumbers == chunks.lineNumbers.indices.map(Int64.init), "seed \(seed)")
        }
    }

    @Test("a line too long to keep is one line, its memory bounded", arguments: [0, 1, 7])
    func longLine(_ napEvery: Int) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("input")
        let kept = 2 * 64 * 1024 + 2
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 1_000_000)
        try files.writeAtomically(Array("first\n".utf8) + long + Array("\nlast\n".utf8) + long, to: path)
        let reader = try makeReader(path)
        let chunks = try readAll(reader) { if napEvery > 0, $0 % napEvery == 0 { reader.hibernate() } }
        let lines = chunks.bytes.split(separator: 10)
        #expect(lines.map(\.count) == [5, kept, 4, kept])
        #expect(lines[2] == ArraySlice("last".utf8))
        #expect(chunks.lineNumbers == [0, 1, 2, 3])
        #expect(chunks.largest <= kept + 1)
    }

    @Test("a truncated archive fails with its name and byte, after what came before it")
    func truncated() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("input.zst")
        let whole = try Compression.zstd.frame(Array("a 1 1\n".utf8))
        let cut = try Compression.zstd.frame(Array("b 1 1\n".utf8)).dropLast(3)
        try files.writeAtomically(whole + cut, to: path)
        let reader = try makeReader(path, chunkBytes: 6)
        var seen: [UInt8] = []
        #expect(
            throws: ReadFailure.truncated(
                path: path, compression: .zstd, offset: Int64(whole.count + cut.count))
        ) {
            while try reader.read(maxBytes: 6, { seen += $0.bytes }) == .more {}
        }
        #expect(seen.starts(with: Array("a 1 1\n".utf8)))
    }

    @Test("a plain file that is cut while it is read fails where it ends now", arguments: [0, 6, 7, 9, 12, 13])
    func cutWhileRead(_ length: Int) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("input.prom")
        let whole = Array("a 1 1\nb 2 2\nc 3 34567\n".utf8)
        try files.writeAtomically(whole, to: path)
        let reader = try makeReader(path, chunkBytes: 6)
        var seen: [UInt8] = []
        #expect(try reader.read(maxBytes: 6) { seen += $0.bytes } == .more)
        #expect(truncate(path, off_t(length)) == 0)
        #expect(throws: ReadFailure.truncated(path: path, compression: .none, offset: Int64(max(length, 6)))) {
            while try reader.read(maxBytes: 6, { seen += $0.bytes }) == .more {}
        }
        #expect(whole.starts(with: seen) && seen.last == 10, "no line that is not whole")
    }

    @Test("a pipe is read, and not given up for a nap")
    func pipe() throws {
        var ends: [Int32] = [0, 0]
        #expect(Glibc.pipe(&ends) == 0)
        let writer = FileDescriptor(adopting: ends[1], path: "pipe")
        try writer.writeAll(Array("a 1 1\nb 2 2\n".utf8))
        try writer.close()
        let reader = try makeReader("/dev/fd/\(ends[0])", chunkBytes: 6)
        let chunks = try readAll(reader, maxBytes: 6) { _ in reader.hibernate() }
        #expect(chunks.bytes == Array("a 1 1\nb 2 2\n".utf8))
        #expect(reader.progress == nil)
        close(ends[0])
    }

    @Test("a directory's files are partitions by name")
    func directory() throws {
        let directory = try TemporaryDirectory()
        for name in ["b.prom", "a.prom.zst", "Z", ".hidden", "_SUCCESS", "é"] {
            try files.writeAtomically([], to: directory.file(name))
        }
        try files.createDirectories(directory.file("_manifest"))
        let readers = try FileInput.partitions(source: "metrics", path: directory.path)
        #expect(readers.map { FilePath.name(of: $0.path) } == ["Z", "a.prom.zst", "b.prom", "é"])
        #expect(readers.map(\.id.description) == ["metrics/0", "metrics/1", "metrics/2", "metrics/3"])
        let one = try FileInput.partitions(source: "metrics", path: directory.file("Z"))
        #expect(one.map(\.id.description) == ["metrics/0"])
    }

    @Test("inputs that cannot be say so")
    func errors() throws {
        let directory = try TemporaryDirectory()
        func message(_ path: String) -> String {
            do throws(FileInputError) {
                _ = try FileInput.partitions(source: "metrics", path: path)
                return "none"
            } catch {
                #expect(error.isUsage)
                return error.description
            }
        }
        let missing = directory.file("none")
        #expect(
            message(missing)
                == "input of source metrics: nothing is at \(missing); check the path of --input metrics=…")
        #expect(
            message(directory.path)
                == "input of source metrics: the directory \(directory.path) has no files; its files are the partitions, by name"
        )
        try files.createDirectories(directory.file("2026-01-01"))
        #expect(message(directory.path).contains("has a directory 2026-01-01 in it"))
    }
}
