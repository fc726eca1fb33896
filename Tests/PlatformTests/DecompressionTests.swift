import Platform
import TestSupport
import Testing

@Suite("Decompressing files")
struct DecompressionTests {
    let files = PosixFileSystem()

    private func readWhole(_ path: String, bufferBytes: Int = 4096, pieces: Int = 1000) throws(ReadFailure) -> [UInt8] {
        let reader = try DecompressingReader(opening: path, bufferBytes: bufferBytes)
        var out: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: pieces)
        while true {
            let result = buffer.withUnsafeMutableBytes { buffer in
                Result { () throws(ReadFailure) in try reader.read(into: buffer) }
            }
            let count = try result.get()
            out.append(contentsOf: buffer[..<count])
            if count < pieces { break }
        }
        #expect(reader.producedBytes == Int64(out.count))
        #expect(reader.consumedBytes == reader.totalBytes)
        try reader.close()
        return out
    }

    /// Text that compresses somewhat.
    private func text(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: 97 + Int(random.next() % 7)) }
    }

    @Test("one frame, many frames, empty frames", arguments: Compression.allCases)
    func roundTrip(_ compression: Compression) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("data.prom" + compression.fileExtension)
        for sizes in [[0], [1], [100_000], [0, 10, 0, 0, 70_000, 3], [1000, 1000, 1000]] {
            var archive: [UInt8] = []
            var expected: [UInt8] = []
            for (i, size) in sizes.enumerated() {
                let piece = text(size, seed: UInt64(i))
                expected += piece
                archive += try compression.frame(piece)
            }
            try files.writeAtomically(archive, to: path)
            for bufferBytes in [16, 17, 4096] {
                for pieces in [1, 7, 1000, 1 << 20] where pieces > 1 || expected.count < 5000 {
                    #expect(try readWhole(path, bufferBytes: bufferBytes, pieces: pieces) == expected)
                }
            }
        }
    }

    @Test("every truncation of an archive is found, named and placed", arguments: [Compression.gzip, .zstd, .lz4])
    func truncated(_ compression: Compression) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("data" + compression.fileExtension)
        let first = try compression.frame(text(300, seed: 1))
        let archive = first + (try compression.frame(text(500, seed: 2)))
        for length in 0..<archive.count where length != first.count {
            try files.writeAtomically(Array(archive[..<length]), to: path)
            #expect(
                throws: ReadFailure.truncated(path: path, compression: compression, offset: Int64(length)),
                "length \(length)"
            ) { try readWhole(path) }
        }
        try files.writeAtomically(first, to: path)
        #expect(try readWhole(path) == text(300, seed: 1))
    }

    @Test("a flipped bit is found", arguments: [Compression.gzip, .zstd, .lz4])
    func flipped(_ compression: Compression) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("data" + compression.fileExtension)
        let content = text(400, seed: 3)
        let archive = try compression.frame(content)
        for at in 0..<archive.count {
            var damaged = archive
            damaged[at] ^= 0x10
            try files.writeAtomically(damaged, to: path)
            do {
                // Header fields that nothing checks (gzip's time and system) may change without harm.
                #expect(try readWhole(path) == content, "byte \(at)")
            } catch {
                #expect(error.path == path)
                #expect(error.description.contains("at byte "))
            }
        }
    }

    @Test("reading starts anew at a frame", arguments: Compression.allCases)
    func restart(_ compression: Compression) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("data" + compression.fileExtension)
        let pieces = (0..<5).map { text(2000, seed: $0) }
        let content = pieces.flatMap { $0 }
        var archive: [UInt8] = []
        for piece in pieces { archive += try compression.frame(piece) }
        try files.writeAtomically(archive, to: path)
        for stop in stride(from: 0, through: content.count, by: 333) {
            let reader = try DecompressingReader(opening: path, bufferBytes: 64)
            try reader.skip(Int64(stop))
            let point = reader.restartPoint
            #expect(point.decompressedOffset <= Int64(stop))
            #expect(Int64(stop) - point.decompressedOffset <= 2000)
            let second = try DecompressingReader(opening: path, at: point)
            try second.skip(Int64(stop) - point.decompressedOffset)
            var rest = [UInt8](repeating: 0, count: content.count)
            let count = try rest.withUnsafeMutableBytes { try second.read(into: $0) }
            #expect(rest[..<count] == content[stop...])
        }
    }

    @Test("what a name promises is checked; what it does not is recognised")
    func names() throws {
        let directory = try TemporaryDirectory()
        let wrong = directory.file("plain.zst")
        try files.writeAtomically(Array("up 1 1000\n".utf8), to: wrong)
        #expect(throws: ReadFailure.notCompressed(path: wrong, compression: .zstd)) { try readWhole(wrong) }
        for compression in Compression.allCases {
            let unnamed = directory.file("capture-\(compression)")
            try files.writeAtomically(try compression.frame(text(1000, seed: 9)), to: unnamed)
            #expect(try readWhole(unnamed) == text(1000, seed: 9))
        }
        // zstd's skippable frame in front, as pzstd writes.
        let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]
        for compression in [Compression.zstd, .lz4] {
            let path = directory.file("skippable" + compression.fileExtension)
            try files.writeAtomically(skippable + (try compression.frame([65])), to: path)
            #expect(try readWhole(path) == [65])
        }
        // Padding after the last gzip member.
        let padded = directory.file("padded.gz")
        try files.writeAtomically(try Compression.gzip.frame([66]) + [0, 0, 0], to: padded)
        #expect(try readWhole(padded) == [66])
        #expect(throws: ReadFailure.self) { try readWhole(directory.file("missing")) }
        #expect(throws: ReadFailure.self) { try readWhole(directory.path) }
    }
}
