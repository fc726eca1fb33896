import Connectors
import Glibc
import Platform
import StreamEngine
import TestSupport
import Testing

@Suite("JSONL sink")
struct JSONLSinkTests {
    let files = PosixFileSystem()
    static let incarnation = "0123456789abcdef0123456789abcdef"

    static func token(_ number: Int, _ incarnation: String = incarnation) -> EpochToken {
        EpochToken(incarnation: incarnation, number: number)
    }

    static func info(_ token: EpochToken) -> EmissionInfo {
        EmissionInfo(job: "j", query: "q", epoch: token, watermarkMs: 0)
    }

    /// Documents `{"n":first}` … `{"n":last - 1}`, of different lengths.
    static func documents(_ range: Range<Int>) -> DocumentBatch {
        DocumentBatch(
            documents: range.map { Array("{\"n\":\($0),\"pad\":\"\(String(repeating: "x", count: $0 % 17))\"}".utf8) })
    }

    static func lines(_ range: Range<Int>) -> [UInt8] {
        documents(range).documents.flatMap { $0 + [10] }
    }

    private func makeSink(
        _ directory: String, _ settings: JSONLSettings = JSONLSettings(), files: any FileSystem = PosixFileSystem()
    ) throws(SinkError) -> JSONLSink {
        try JSONLSink(directory: directory, settings: settings, encoder: nil, files: files)
    }

    /// Follows the manifest, checks every entry, and gives what it names, decompressed and concatenated.
    private func committed(_ directory: String, _ compression: Compression = .none) throws -> [UInt8] {
        let reader = ManifestReader(directory: directory)
        var out: [UInt8] = []
        var names: Set<String> = []
        for entry in try reader.entries() {
            #expect(names.insert(entry.path).inserted, "\(entry.path) is named twice")
            let bytes = try reader.committedBytes(of: entry)
            let plain: [UInt8]
            if compression == .none {
                plain = bytes
            } else {
                let copy = directory + ".copy" + compression.fileExtension
                try files.writeAtomically(bytes, to: copy)
                let archive = try DecompressingReader(opening: copy)
                var buffer = [UInt8](repeating: 0, count: 1 << 20)
                let count = try buffer.withUnsafeMutableBytes { try archive.read(into: $0) }
                plain = Array(buffer[..<count])
            }
            #expect(plain.reduce(0) { $0 + ($1 == 10 ? 1 : 0) } == entry.rows)
            out += plain
        }
        return out
    }

    @Test("any epochs, sizes and compressions give the same lines, each once, when they are published")
    func randomEpochs() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for round in 0..<40 {
            let directory = try TemporaryDirectory()
            var settings = JSONLSettings()
            settings.compression = Compression.allCases[round % 4]
            settings.targetFileBytes = Int64(random.next() % 3000 + 1)
            // No epoch is gathered, all until the end, or none (0 is the live case).
            settings.gatherMs = round % 3 == 0 ? 1_000_000 : 0
            let sink = try makeSink(directory.file("out"), settings)
            var written = 0
            var published = 0
            for number in 1...Int.random(in: 1...30, using: &random) {
                let token = Self.token(number)
                for _ in 0..<Int.random(in: 0...3, using: &random) {
                    let next = written + Int.random(in: 0...40, using: &random)
                    try sink.write(Self.documents(written..<next), Self.info(token))
                    written = next
                }
                if Int.random(in: 0...4, using: &random) == 0 {
                    if Bool.random(using: &random) { try sink.prepare(token) }
                    sink.discard(token)
                    written = published
                } else {
                    try sink.prepare(token)
                    if settings.gatherMs == 0 {
                        #expect(
                            try committed(directory.file("out"), settings.compression) == Self.lines(0..<published),
                            "seed \(seed)")
                    }
                    try sink.publish(token)
                    try sink.publish(token)
                    published = written
                }
                if settings.gatherMs == 0 {
                    #expect(
                        try committed(directory.file("out"), settings.compression) == Self.lines(0..<published),
                        "seed \(seed)")
                }
            }
            try sink.close()
            #expect(
                try committed(directory.file("out"), settings.compression) == Self.lines(0..<published), "seed \(seed)")
            // After a clean end the files themselves hold nothing else, and sort like the rows.
            let names = try files.list(directory.file("out")).filter { $0 != "_manifest" }
            let entries = try ManifestReader(directory: directory.file("out")).entries()
            #expect(names == entries.map(\.path), "seed \(seed)")
            for entry in entries {
                #expect(try files.status(directory.file("out/\(entry.path)"))?.size == entry.bytes, "seed \(seed)")
            }
            #expect(sink.written?.files == entries.count)
            #expect(sink.written?.bytes == entries.reduce(0) { $0 + $1.bytes })
        }
    }

    @Test("small epochs share a file; without compression file boundaries do not depend on epochs")
    func sameFiles() throws {
        let directory = try TemporaryDirectory()
        var settings = JSONLSettings()
        settings.targetFileBytes = 1000
        var seen: [[String: [UInt8]]] = []
        for (run, step) in [1, 7, 50, 1000].enumerated() {
            let path = directory.file("out-\(run)")
            let sink = try makeSink(path, settings)
            for (number, start) in stride(from: 0, to: 1000, by: step).enumerated() {
                try sink.write(Self.documents(start..<min(start + step, 1000)), Self.info(Self.token(number)))
                try sink.prepare(Self.token(number))
                try sink.publish(Self.token(number))
            }
            try sink.close()
            #expect(try committed(path) == Self.lines(0..<1000))
            var contents: [String: [UInt8]] = [:]
            for name in try files.list(path) where name != "_manifest" {
                contents[String(name.prefix(13))] = try files.readAll(path + "/" + name)
            }
            if step < 100 { seen.append(contents) }
        }
        // The first two differ in nothing but the epochs' numbers in the names, as long as no document is full.
        #expect(seen[0].count > 10)
        #expect(seen.allSatisfy { $0 == seen[0] })
    }

    @Test("documents of a manifest stay small, and there are as many as the files need")
    func documentsOfManifest() throws {
        let directory = try TemporaryDirectory()
        var settings = JSONLSettings()
        settings.targetFileBytes = 1
        let sink = try makeSink(directory.file("out"), settings)
        for number in 0..<300 {
            try sink.write(Self.documents(number..<(number + 1)), Self.info(Self.token(number)))
            try sink.prepare(Self.token(number))
            try sink.publish(Self.token(number))
        }
        try sink.close()
        #expect(try committed(directory.file("out")) == Self.lines(0..<300))
        #expect(try files.list(directory.file("out")).count == 301)
        let documents = try files.list(directory.file("out/_manifest")).filter { $0.hasSuffix(".json") }
        #expect(documents.count == 6)
        for name in documents {
            let document = try JSONValue(parsing: try files.readAll(directory.file("out/_manifest/" + name)))
            #expect((document["entries"]?.array?.count ?? 999) <= 64)
            #expect(document["version"] == .number(1))
            #expect(document["format"] == .text("stream-job-manifest"))
        }
    }

    @Test("an output without rows has a manifest; another writer goes on behind the first")
    func emptyAndAgain() throws {
        let directory = try TemporaryDirectory()
        for (run, range) in [0..<0, 0..<5, 5..<5, 5..<9].enumerated() {
            let token = Self.token(1, String(repeating: "\(9 - run)", count: 32))
            let sink = try makeSink(directory.file("a/b/out"))
            try sink.write(Self.documents(range), Self.info(token))
            try sink.prepare(token)
            try sink.publish(token)
            try sink.close()
            #expect(try committed(directory.file("a/b/out")) == Self.lines(0..<range.upperBound))
        }
        // The second writer went on with the first one's file and document; nobody is left that holds a lock.
        let incarnation = String(repeating: "8", count: 32)
        #expect(
            try files.list(directory.file("a/b/out/_manifest")) == [
                "00000000.json", "00000001-\(incarnation).json", "lock",
            ])
        #expect(try ManifestReader(directory: directory.file("a/b/out")).entries().map(\.rows) == [9])
    }

    @Test("killed at every step, with what was decided published by the next process: each row once")
    func crashes() throws {
        var crashes = 0
        for step in 0... {
            let directory = try TemporaryDirectory()
            let path = directory.file("out")
            var settings = JSONLSettings()
            settings.targetFileBytes = 300
            let faulty = CrashingFileSystem(failingAt: step)
            var decided = 0
            do {
                let sink = try makeSink(path, settings, files: faulty)
                for number in 1...6 {
                    let token = Self.token(number)
                    try sink.write(Self.documents((number * 10 - 10)..<(number * 10)), Self.info(token))
                    if number == 3 {
                        // An aborted attempt at the third epoch.
                        try sink.prepare(Self.token(99))
                        sink.discard(Self.token(99))
                        try sink.write(Self.documents(20..<30), Self.info(token))
                    }
                    try sink.prepare(token)
                    decided = number
                    try sink.publish(token)
                }
            } catch {
                crashes += 1
            }
            // The next process knows the last decided epoch, and publishes it, perhaps twice.
            let next = try makeSink(path, settings, files: CrashingFileSystem.unfailing)
            for _ in 0..<2 { if decided > 0 { try next.publishForeign(Self.token(decided)) } }
            #expect(try committed(path) == Self.lines(0..<(decided * 10)), "step \(step)")
            let token = Self.token(1, String(repeating: "e", count: 32))
            try next.write(Self.documents((decided * 10)..<70), Self.info(token))
            try next.prepare(token)
            try next.publish(token)
            try next.close()
            #expect(try committed(path) == Self.lines(0..<70), "step \(step)")
            if !faulty.met { break }
        }
        #expect(crashes > 50)
    }

    @Test("a call that fails once is taken back, and the epoch can be tried again")
    func failOnce() throws {
        var failures = 0
        for step in 0... {
            let directory = try TemporaryDirectory()
            let path = directory.file("out")
            var settings = JSONLSettings()
            settings.targetFileBytes = 200
            let faulty = CrashingFileSystem(failingAt: step, code: ENOSPC, once: true)
            guard let sink = try? makeSink(path, settings, files: faulty) else {
                failures += 1
                continue
            }
            var failure: SinkError?
            for number in 1...4 {
                var attempt = 0
                var isPrepared = false
                while true {
                    let token = Self.token(number * 10 + attempt)
                    do throws(SinkError) {
                        if !isPrepared {
                            try sink.write(Self.documents((number * 10 - 10)..<(number * 10)), Self.info(token))
                            try sink.prepare(token)
                            isPrepared = true
                        }
                        try sink.publish(token)
                        break
                    } catch {
                        failure = error
                        if !isPrepared {
                            sink.discard(token)
                            attempt += 1
                        }
                    }
                }
            }
            try sink.close()
            #expect(try committed(path) == Self.lines(0..<40), "step \(step)")
            if !faulty.met { break }
            failures += 1
            #expect(failure?.description.contains("the disk is full; free space on it") == true, "step \(step)")
        }
        #expect(failures > 20)
    }

    @Test("a file that is old is full")
    func age() throws {
        final class StepClock: Clock {
            func wallMs() -> Int64 { 0 }
            func sleep(ms: Int) {}
            private let time = Monitor<Int64>(0)
            func monotonicNs() -> Int64 {
                time.withLock {
                    $0 += 400_000_000
                    return $0
                }
            }
        }
        let directory = try TemporaryDirectory()
        var settings = JSONLSettings()
        settings.maxFileAgeMs = 2000
        let sink = try JSONLSink(directory: directory.file("out"), settings: settings, encoder: nil, clock: StepClock())
        for number in 0..<30 {
            try sink.write(Self.documents(number..<(number + 1)), Self.info(Self.token(number)))
            try sink.prepare(Self.token(number))
            try sink.publish(Self.token(number))
        }
        try sink.close()
        #expect(try committed(directory.file("out")) == Self.lines(0..<30))
        #expect((5...15).contains(try ManifestReader(directory: directory.file("out")).entries().count))
    }

    /// Batches of which the queue has room for one: what comes while it is written is encoded by the caller.
    @Test("rows written behind are the same bytes", arguments: RowFormats.all.map(\.name))
    func behind(_ format: String) throws {
        let schema = RowSchema(columns: [
            ColumnDescription(name: "window_start", type: .timestamp, role: .windowStart),
            ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
            ColumnDescription(name: "node", type: .text, role: .key),
            ColumnDescription(name: "idle", type: .double, role: .aggregate),
        ])
        let batches = (0..<8).map { window in
            let rows = 0..<(8000 + 500 * window)
            return RowBatch(
                schema: schema, rowCount: rows.count,
                columns: [
                    ColumnData(.timestamps(rows.map { _ in Int64(window) * 60_000 })),
                    ColumnData(.timestamps(rows.map { _ in Int64(window + 1) * 60_000 })),
                    ColumnData(.texts(TextColumn(dictionary: ["a", "b"], codes: rows.map { Int32($0 % 2) }))),
                    ColumnData(.doubles(rows.map { Double($0) / 7 })),
                ])
        }
        let directory = try TemporaryDirectory()
        func written(_ name: String, _ wrap: (JSONLSink) throws -> any Sink) throws -> [UInt8] {
            let encoder = try #require(RowFormats.named(format)).makeEncoder(query: "q")
            let sink = try wrap(
                try JSONLSink(directory: directory.file(name), settings: JSONLSettings(), encoder: encoder))
            for rows in batches { try sink.write(rows, Self.info(Self.token(1))) }
            try sink.prepare(Self.token(1))
            try sink.publish(Self.token(1))
            try sink.close()
            return try committed(directory.file(name))
        }
        let behind = try WriteBehind()
        let expected = try written("once") { $0 }
        #expect(!expected.isEmpty)
        #expect(try written("behind") { WriteBehindSink($0, behind: behind) } == expected)
    }

    @Test("documents beyond maxBytes are counted only")
    func limit() throws {
        let directory = try TemporaryDirectory()
        var settings = JSONLSettings()
        settings.maxBytes = 500
        for run in 0..<2 {
            let sink = try makeSink(directory.file("out"), settings)
            let token = Self.token(1, "run\(run)")
            try sink.write(Self.documents(0..<100), Self.info(token))
            try sink.prepare(token)
            try sink.publish(token)
            #expect(sink.droppedDocuments > (run == 0 ? 50 : 98))
            #expect((sink.written?.bytes ?? 0) <= 500)
            try sink.close()
        }
    }

    @Test("damage of data and manifest is found and named")
    func damage() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("out")
        let sink = try makeSink(path)
        try sink.write(Self.documents(0..<20), Self.info(Self.token(1)))
        try sink.prepare(Self.token(1))
        try sink.publish(Self.token(1))
        try sink.close()
        let reader = ManifestReader(directory: path)
        let entry = try #require(try reader.entries().first)
        let whole = try files.readAll(path + "/" + entry.path)
        // What follows the committed bytes does not count.
        try files.writeAtomically(whole + [1, 2, 3], to: path + "/" + entry.path)
        #expect(try reader.committedBytes(of: entry) == whole)
        var flipped = whole
        flipped[7] ^= 1
        try files.writeAtomically(flipped, to: path + "/" + entry.path)
        #expect(throws: ManifestError.checksum(path: path + "/" + entry.path)) { try reader.committedBytes(of: entry) }
        try files.writeAtomically(Array(whole.dropLast()), to: path + "/" + entry.path)
        #expect(throws: ManifestError.self) { try reader.committedBytes(of: entry) }
        let names = try files.list(path + "/_manifest")
        let document = path + "/_manifest/" + (try #require(names.last))
        let bytes = try files.readAll(document)
        for at in bytes.indices {
            var damaged = bytes
            damaged[at] ^= 1
            try files.writeAtomically(damaged, to: document)
            #expect(throws: ManifestError.self) { try reader.entries() }
            try files.writeAtomically(Array(bytes[..<at]), to: document)
            #expect(throws: ManifestError.self) { try reader.entries() }
        }
    }

    @Test("a place that cannot be written says what to do")
    func unwritable() {
        do throws(SinkError) {
            _ = try makeSink("/dev/null/out")
            Issue.record("made")
        } catch {
            #expect(
                error.description
                    == "jsonl /dev/null/out: cannot create directory /dev/null/out/_manifest: Not a directory; a part of the path is a file, not a directory"
            )
        }
    }

    @Test("two sinks of one process in one directory keep apart", arguments: [0, 1_000_000] as [Int64])
    func sharedDirectory(_ gatherMs: Int64) throws {
        let directory = try TemporaryDirectory()
        var settings = JSONLSettings()
        settings.gatherMs = gatherMs
        settings.targetFileBytes = 100
        let sinks = [try makeSink(directory.file("out"), settings), try makeSink(directory.file("out"), settings)]
        var expected: [[UInt8]] = []
        for number in 0..<200 {
            let token = Self.token(number)
            for (i, sink) in sinks.enumerated() where number % (i + 2) == 0 {
                let first = number + 1000 * i
                let documents = Self.documents(first..<(first + 1))
                expected += documents.documents
                try sink.write(documents, Self.info(token))
            }
            for sink in sinks { try sink.prepare(token) }
            for sink in sinks { try sink.publish(token) }
        }
        for sink in sinks { try sink.close() }
        let lines = try committed(directory.file("out")).split(separator: 10)
        #expect(lines.count == expected.count)
        #expect(Set(lines.map(Array.init)) == Set(expected))
    }

    @Test("sinks of one topic share its files in a replay")
    func topics() throws {
        let directory = try TemporaryDirectory()
        let topics = TopicFiles(root: try OutputRoot(directory.file("out"), overwrite: false), gatherMs: 1_000_000)
        let sinks = [
            try topics.sink(topic: "alerts", format: nil, query: "a"),
            try topics.sink(topic: "alerts", format: RowFormats.named("prometheus"), query: "b"),
        ]
        let rows = RowFormatTests.batch()
        for number in 0..<3 {
            let token = Self.token(number)
            try sinks[0].write(Self.documents(number..<(number + 1)), Self.info(token))
            try sinks[1].write(rows, Self.info(token))
            for sink in sinks { try sink.prepare(token) }
            for sink in sinks { try sink.publish(token) }
        }
        for sink in sinks { sink.discard(Self.token(3)) }
        for sink in sinks { try sink.close() }
        let lines = try committed(directory.file("out/alerts")).split(separator: 10).map {
            String(decoding: $0, as: UTF8.self)
        }
        #expect(lines.count == 3 * 11)
        #expect(lines.filter { $0.hasPrefix("{") }.count == 3)
        #expect(lines[11].hasPrefix("{\"n\":1"))
        #expect(sinks[0].description == sinks[1].description)
    }

    @Test("a replay's output directory")
    func outputRoot() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("bt/out")
        let root = try OutputRoot(path, overwrite: false)
        _ = try OutputRoot(path, overwrite: false)
        #expect(root.directory(topic: "cpu-5m") == path + "/cpu-5m")
        let sink = try makeSink(root.directory(topic: "cpu-5m"))
        try sink.write(Self.documents(0..<3), Self.info(Self.token(1)))
        try sink.prepare(Self.token(1))
        try sink.publish(Self.token(1))
        try sink.close()
        try files.writeAtomically([1], to: path + "/cpu-5m/notes.txt")
        #expect(throws: OutputRootError.self) { try OutputRoot(path, overwrite: false) }
        _ = try OutputRoot(path, overwrite: true)
        #expect(try files.list(path + "/cpu-5m") == ["notes.txt"])
        #expect(throws: OutputRootError.self) { try OutputRoot(path + "/cpu-5m/notes.txt", overwrite: true) }
    }
}
