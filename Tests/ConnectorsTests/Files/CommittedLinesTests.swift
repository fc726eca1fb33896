import Platform
import StreamEngine
import Testing

@testable import Connectors

/// A folder of lines of ours as input: what its manifest names, each line once, whatever else lies there.
@Suite struct CommittedLinesTests {
    private let files = PosixFileSystem()

    private func settings(_ compression: Compression) -> JSONLSettings {
        var settings = JSONLSettings()
        settings.compression = compression
        settings.targetFileBytes = 300
        return settings
    }

    /// Epochs of three lines by one process; the last one is prepared and not published.
    private func write(_ directory: String, _ compression: Compression, _ incarnation: String, _ range: Range<Int>)
        throws
    {
        let sink = try JSONLSink(directory: directory, settings: settings(compression), encoder: nil)
        var first = range.lowerBound
        var number = 0
        while first < range.upperBound {
            number += 1
            let token = JSONLSinkTests.token(number, incarnation)
            let next = min(first + 3, range.upperBound)
            try sink.write(JSONLSinkTests.documents(first..<next), JSONLSinkTests.info(token))
            try sink.prepare(token)
            try sink.publish(token)
            first = next
        }
        let undecided = JSONLSinkTests.token(number + 1, incarnation)
        try sink.write(JSONLSinkTests.documents(900..<905), JSONLSinkTests.info(undecided))
        try sink.prepare(undecided)
        sink.abandon(undecided)
    }

    /// What readers of a path hand over, partition by partition, and the offsets of the first lines.
    private func read(_ path: String, maxBytes: Int = 64) throws -> (bytes: [[UInt8]], offsets: [[Int64]]) {
        var bytes: [[UInt8]] = []
        var offsets: [[Int64]] = []
        for reader in try FileInput.readers(source: "s", path: path) {
            var own: [UInt8] = []
            var starts: [Int64] = []
            while true {
                let outcome = try reader.read(maxBytes: maxBytes) { record in
                    #expect(record.linesAreRecords && record.offset == Int64(own.count { $0 == 10 }))
                    starts.append(record.offset)
                    own += record.bytes
                }
                reader.hibernate()
                if case .endOfInput = outcome { break }
            }
            #expect(reader.progress.map { $0.consumed == $0.total } == true)
            bytes.append(own)
            offsets.append(starts)
        }
        return (bytes, offsets)
    }

    @Test(arguments: [Compression.none, .zstd, .gzip, .lz4])
    func exactlyTheCommittedLines(_ compression: Compression) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("out")
        let (a, b) = (JSONLSinkTests.incarnation, String(JSONLSinkTests.incarnation.reversed()))
        try write(path, compression, a, 0..<100)
        try write(path, compression, b, 100..<151)
        try files.writeAtomically(Array("{\"n\":-1}\n".utf8), to: path + "/stranger.jsonl")
        let (bytes, _) = try read(path)
        #expect(bytes.reduce([], +) == JSONLSinkTests.lines(0..<151))
        #expect(try files.list(path).count > 4)
        // A reader of names alone would have read more.
        let everything = try files.list(path).filter { !$0.hasPrefix("_") && !$0.hasPrefix(".") }
        #expect(everything.contains("stranger.jsonl"))
    }

    @Test func damageIsTold() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("out")
        try write(path, .none, JSONLSinkTests.incarnation, 0..<30)
        let entry = try #require(ManifestReader(directory: path).entries().last)
        let file = FilePath.join(path, entry.path)
        let whole = try files.readAll(file)
        var flipped = whole
        flipped[3] ^= 1
        try files.writeAtomically(flipped, to: file)
        #expect(throws: ManifestError.checksum(path: file)) { try read(path) }
        try files.writeAtomically(Array(whole.prefix(5)), to: file)
        #expect(throws: ManifestError.short(path: file, bytes: 5, committed: entry.bytes)) { try read(path) }
        // A folder whose manifest names nothing has nothing to read.
        let empty = directory.file("empty")
        try files.createDirectories(empty + "/_manifest")
        #expect(throws: FileInputError.self) { try FileInput.readers(source: "s", path: empty) }
    }
}
