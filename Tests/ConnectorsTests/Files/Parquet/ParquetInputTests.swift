import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// Result files of ours as input: the samples that the same rows give as `sample-json`.
@Suite struct ParquetInputTests {
    static let schema = RowSchema(columns: [
        ColumnDescription(name: "window_start", type: .timestamp, role: .windowStart),
        ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
        ColumnDescription(name: "node", type: .text, role: .key),
        ColumnDescription(name: "shard", type: .int64, role: .key),
        ColumnDescription(name: "busy", type: .double, role: .aggregate),
        ColumnDescription(name: "n", type: .int64, role: .aggregate),
        ColumnDescription(name: "over", type: .boolean, role: .derived),
        ColumnDescription(name: "word", type: .text, role: .aggregate),
    ])

    /// Rows with nulls, odd numbers and texts.
    static func rows(_ count: Int, _ random: inout SeededRandom, from firstMs: Int64 = 0) -> RowBatch {
        func some<T>(_ body: (inout SeededRandom) -> T) -> [T] { (0..<count).map { _ in body(&random) } }
        let starts = (0..<count).map { firstMs + Int64($0 / 3) * 1000 }
        let doubles = some { random -> Double in
            switch Int.random(in: 0..<8, using: &random) {
            case 0: .nan
            case 1: .infinity
            case 2: -0.0
            case 3: Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &random))
            case 4: .leastNonzeroMagnitude
            default: Double.random(in: -1e6...1e6, using: &random)
            }
        }
        let dictionary = ["", "a", "ü\"\\", String(repeating: "x", count: 300), "node-1:9100"].map { ByteString($0) }
        return RowBatch(
            schema: schema, rowCount: count,
            columns: [
                ColumnData(.timestamps(starts)), ColumnData(.timestamps(starts.map { $0 + 1000 })),
                ColumnData(
                    .texts(
                        TextColumn(dictionary: dictionary, codes: some { Int32.random(in: -1..<5, using: &$0) }))),
                ColumnData(
                    .integers(some { Int64.random(in: Int64.min...Int64.max, using: &$0) }),
                    valid: some { Bool.random(using: &$0) }),
                ColumnData(.doubles(doubles), valid: some { Int.random(in: 0..<5, using: &$0) > 0 }),
                ColumnData(.integers(some { Int64.random(in: -5...5, using: &$0) })),
                ColumnData(.booleans(some { Bool.random(using: &$0) }), valid: some { Bool.random(using: &$0) }),
                ColumnData(
                    .texts(
                        TextColumn(dictionary: dictionary, codes: some { Int32.random(in: -1..<5, using: &$0) }))),
            ])
    }

    static func parquet(_ batches: [RowBatch], _ settings: ParquetSettings = ParquetSettings()) throws -> [UInt8] {
        var table = ParquetTable(schema, settings: settings)
        for batch in batches { try table.append(batch) }
        return try table.finish(keyValues: ["query": "cpu-5m", "roles": ParquetFact.roles(of: schema.columns)])
    }

    /// What `sample-json` makes of the same rows, a line each.
    static func lines(_ batches: [RowBatch]) -> [UInt8] {
        let encoder = SampleJSONRows().makeEncoder(query: "cpu-5m")
        var lines: [UInt8] = []
        for batch in batches {
            var out = EncodedRows()
            encoder.encode(batch, into: &out)
            for row in 0..<out.count where !out.range(of: row).isEmpty { lines += out.bytes[out.range(of: row)] + [10] }
        }
        return lines
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        try PosixFileSystem().createDirectories(FilePath.directory(of: path))
        try PosixFileSystem().writeAtomically(bytes, to: path)
    }

    /// Reads a partition to its end, pausing now and then.
    static func read(_ reader: any PartitionReader, maxBytes: Int, pauseEvery: Int = 3) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var slices = 0
        var offset: Int64 = 0
        while true {
            let outcome = try reader.read(maxBytes: maxBytes) { record in
                #expect(record.offset == offset && record.linesAreRecords && record.timestampMs == nil)
                offset += Int64(record.bytes.count { $0 == 10 })
                bytes += record.bytes
            }
            if case .endOfInput = outcome { break }
            slices += 1
            if slices % pauseEvery == 0 { reader.hibernate() }
        }
        reader.close()
        return bytes
    }

    @Test func ourFilesGiveTheSamplesOfTheirRows() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let directory = try TemporaryDirectory()
        for round in 0..<24 {
            var settings = ParquetSettings()
            settings.compression = [.none, .snappy, .lz4, .zstd(level: 3)][round % 4]
            settings.rowGroupBytes = [200, 5000, 1 << 20][round % 3]
            settings.pageBytes = [64, 1000, 1 << 20][round / 2 % 3]
            settings.dictionaryBytesMax = [0, 100, 1 << 20][round / 3 % 3]
            let batches = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                Self.rows(Int.random(in: 0...300, using: &random), &random)
            }
            let path = directory.file("\(round).parquet")
            try Self.write(try Self.parquet(batches, settings), to: path)
            let readers = try FileInput.readers(source: "s", path: path)
            try #require(readers.count == 1)
            #expect(readers[0].recordFormat?.name == "sample-json")
            let read = try Self.read(readers[0], maxBytes: [1, 5000, 1 << 20][round % 3])
            #expect(read == Self.lines(batches), "seed \(seed), round \(round)")
        }
    }

    @Test func aFolderIsReadAsItsManifestSays() throws {
        var random = SeededRandom(seed: 1)
        let directory = try TemporaryDirectory()
        let root = directory.file("out")
        let batches = (0..<5).map { Self.rows(20, &random, from: Int64($0) * 100_000) }
        let paths = [
            "a.parquet", "b.parquet", "zone=x%2Fy/c.parquet", "zone=__HIVE_DEFAULT_PARTITION__/d.parquet", "e.parquet",
        ]
        var entries: [ManifestEntry] = []
        for (path, batch) in zip(paths, batches) {
            let bytes = try Self.parquet([batch])
            try Self.write(bytes, to: "\(root)/\(path)")
            entries.append(
                ManifestEntry(path: path, rows: 20, bytes: Int64(bytes.count), checksum: XXH64.hash(bytes)))
        }
        // Prepared, never published: not output.
        try Self.write(try Self.parquet([batches[0]]), to: "\(root)/stray.parquet")
        let documents = [("00000001-w1", "w1", Array(entries[..<4])), ("00000002-w2", "w2", [entries[4]])]
        for (name, writer, entries) in documents {
            let document = ManifestDocument(writer: writer, epoch: 1, entries: entries)
            try Self.write(document.json, to: "\(root)/_manifest/\(name).json")
        }
        let readers = try FileInput.readers(source: "s", path: root)
        // One for each writer and folder.
        try #require(readers.count == 4)
        #expect(readers.map(\.id.partition) == [0, 1, 2, 3])
        #expect(try Self.read(readers[0], maxBytes: 1 << 20) == Self.lines(Array(batches[..<2])))
        let zone = String(decoding: try Self.read(readers[1], maxBytes: 1 << 20), as: UTF8.self)
        #expect(zone.split(separator: "\n").allSatisfy { $0.contains(#""zone":"x/y""#) } && !zone.isEmpty)
        #expect(try Self.read(readers[2], maxBytes: 1 << 20) == Self.lines([batches[3]]))
        #expect(try Self.read(readers[3], maxBytes: 1 << 20) == Self.lines([batches[4]]))

        // A flipped byte is told by the manifest's checksum before anything is computed on it.
        var damaged = try PosixFileSystem().readAll("\(root)/b.parquet")
        damaged[damaged.count / 2] ^= 1
        try Self.write(damaged, to: "\(root)/b.parquet")
        let reader = try FileInput.readers(source: "s", path: root)[0]
        #expect(throws: ManifestError.checksum(path: "\(root)/b.parquet")) {
            _ = try Self.read(reader, maxBytes: 1 << 20)
        }
    }

    @Test func parquetOfOthersIsRefusedWithTheWayOn() throws {
        let directory = try TemporaryDirectory()
        var table = ParquetTable(Self.schema)
        var random = SeededRandom(seed: 1)
        try table.append(Self.rows(3, &random))
        try Self.write(try table.finish(), to: directory.file("other.parquet"))
        do {
            _ = try FileInput.readers(source: "s", path: directory.file("other.parquet"))
            Issue.record("it was taken")
        } catch let failure as ParquetFailure {
            #expect(failure.isForeign && failure.description.contains("not written by this program"))
        }
    }
}
