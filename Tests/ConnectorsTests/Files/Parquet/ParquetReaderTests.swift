import Platform
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// Reading Parquet: files of other writers, our own, and damaged ones.
@Suite struct ParquetReaderTests {
    static let fixtures = FilePath.join(FilePath.directory(of: #filePath), "Fixtures")
    static let names = [
        "plain-v1", "plain-v2", "dictionary-snappy-v1", "dictionary-zstd-v2", "gzip", "lz4-raw", "deltas",
        "split-streams", "checksums", "many-groups",
    ]

    static func fixture(_ name: String) -> String { "\(fixtures)/\(name).parquet" }

    /// Every cell of a file, column by column, as values that compare.
    static func cells(_ path: String, batch: Int = 4096) throws -> [String: [JSONValue]] {
        let file = try ParquetFile(path)
        defer { file.close() }
        let rows = ParquetRows(file)
        var cells: [String: [JSONValue]] = [:]
        for column in file.columns { cells[column.name] = [] }
        while let read = try rows.next(batch) {
            for (column, data) in zip(file.columns, read.columns) {
                cells[column.name, default: []] += (0..<read.rowCount).map { value(data, $0) }
            }
        }
        return cells
    }

    static func value(_ data: ColumnData, _ row: Int) -> JSONValue {
        guard !data.isNull(row) else { return .null }
        switch data.values {
        case .timestamps(let times): return .number(Double(times[row]))
        case .integers(let values): return .number(Double(values[row]))
        case .doubles(let values): return values[row] == .infinity ? .text("+Inf") : .number(values[row])
        case .booleans(let values): return .boolean(values[row])
        case .texts(let texts): return .text(texts.text(at: row)?.description ?? "")
        }
    }

    static func expected() throws -> [String: [JSONValue]] {
        let bytes = try PosixFileSystem().readAll("\(fixtures)/cells.json")
        guard case .object(let members) = try JSONValue(parsing: bytes) else { return [:] }
        return members.compactMapValues { if case .array(let cells) = $0 { cells } else { nil } }
    }

    @Test(arguments: names, [1, 7, 4096])
    func readsWhatPyarrowWrote(_ name: String, _ batch: Int) throws {
        let expected = try Self.expected()
        let read = try Self.cells(Self.fixture(name), batch: batch)
        #expect(read.keys.sorted() == expected.keys.sorted())
        for (column, cells) in read { #expect(cells == expected[column], "\(column)") }
        #expect(read["busy"]?.contains(.number(-0.0)) == true)
    }

    @Test(arguments: names)
    func skippingGivesTheRest(_ name: String) throws {
        let whole = try Self.cells(Self.fixture(name))
        for skipped in [0, 1, 6, 7, 33, 59, 60] {
            let file = try ParquetFile(Self.fixture(name))
            let rows = ParquetRows(file)
            try rows.skip(Int64(skipped))
            #expect(rows.position == Int64(skipped))
            var rest: [JSONValue] = []
            while let read = try rows.next(10) { rest += (0..<read.rowCount).map { Self.value(read.columns[4], $0) } }
            #expect(rest == Array(whole["count"]?.dropFirst(skipped) ?? []))
        }
    }

    /// Reads all of a file, or fails in words.
    private func readAll(_ bytes: [UInt8], _ directory: TemporaryDirectory) throws -> ParquetFailure? {
        let path = directory.file("fuzzed.parquet")
        let file = try FileDescriptor(opening: path, .replace)
        try file.writeAll(bytes)
        try file.close()
        do {
            _ = try Self.cells(path)
            return nil
        } catch let failure as ParquetFailure {
            #expect(failure.description.hasPrefix(path))
            return failure
        }
    }

    @Test(arguments: names) func everyTruncationIsAFailure(_ name: String) throws {
        let directory = try TemporaryDirectory()
        let bytes = try PosixFileSystem().readAll(Self.fixture(name))
        for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 150)) {
            #expect(try readAll(Array(bytes[..<count]), directory) != nil, "\(count) bytes")
        }
    }

    /// No flipped byte crashes the reader or makes it take memory that the file does not fill. Some are not noticed: only
    /// pages with a checksum can tell all of them.
    @Test(arguments: names) func flippedBytesNeverCrash(_ name: String) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let directory = try TemporaryDirectory()
        let bytes = try PosixFileSystem().readAll(Self.fixture(name))
        let before = ProcessMemory.peakRSSBytes()
        var noticed = 0
        for round in 0..<200 {
            var damaged = bytes
            for _ in 0..<(round % 3 + 1) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                damaged[at] = UInt8.random(in: 0...255, using: &random)
            }
            if try readAll(damaged, directory) != nil { noticed += 1 }
        }
        #expect(noticed > 30, "seed \(seed)")
        #expect(ProcessMemory.peakRSSBytes() - before < 600 << 20, "seed \(seed)")
    }

    /// Hostile footers: lengths, offsets and counts replaced by extremes, one after another.
    @Test(arguments: names) func hostileFootersNeverCrash(_ name: String) throws {
        let directory = try TemporaryDirectory()
        let bytes = try PosixFileSystem().readAll(Self.fixture(name))
        let file = try ParquetFile(Self.fixture(name))
        let extremes: [Int64] = [-1, 0, 1, 3, Int64(Int32.max), Int64.max, Int64.min, Int64(bytes.count)]
        for extreme in extremes {
            var changes: [(inout ParquetFileMetaData) -> Void] = [
                { $0.rowCount = extreme }, { $0.rowGroups[0].rowCount = extreme },
                { $0.schema[0].childCount = Int32(clamping: extreme) },
                { $0.schema.removeLast() }, { $0.rowGroups[0].columns.removeLast() },
            ]
            for column in file.columns.indices {
                changes.append { $0.rowGroups[0].columns[column].metaData.dataPageOffset = extreme }
                changes.append { $0.rowGroups[0].columns[column].metaData.dictionaryPageOffset = extreme }
                changes.append { $0.rowGroups[0].columns[column].metaData.compressedBytes = extreme }
                changes.append { $0.rowGroups[0].columns[column].metaData.valueCount = extreme }
                changes.append { $0.rowGroups[0].columns[column].metaData.type = .int96 }
                changes.append { $0.rowGroups[0].columns[column].metaData.codec = .brotli }
                changes.append {
                    $0.rowGroups[0].rowCount = extreme
                    $0.rowCount = extreme
                    for other in $0.rowGroups[0].columns.indices {
                        $0.rowGroups[0].columns[other].metaData.valueCount = extreme
                    }
                }
            }
            for change in changes {
                var footer = file.metaData
                change(&footer)
                let encoded = footer.encoded
                var hostile = bytes + encoded
                withUnsafeBytes(of: UInt32(encoded.count).littleEndian) { hostile.append(contentsOf: $0) }
                _ = try readAll(hostile + ParquetFileMetaData.magic, directory)
            }
        }
        // The length of the footer itself.
        for length in [UInt32(0), 1, UInt32(bytes.count - 12), UInt32(bytes.count), .max] {
            var hostile = Array(bytes.dropLast(8))
            withUnsafeBytes(of: length.littleEndian) { hostile.append(contentsOf: $0) }
            _ = try readAll(hostile + ParquetFileMetaData.magic, directory)
        }
    }
}
