import TestSupport
import Testing

@testable import Connectors

@Suite("Parquet metadata")
struct ParquetMetadataTests {
    static func footer() -> ParquetFileMetaData {
        var footer = ParquetFileMetaData()
        var root = ParquetSchemaElement(name: "schema")
        root.childCount = 3
        var time = ParquetSchemaElement(name: "window_start")
        time.type = .int64
        time.repetition = .required
        time.convertedType = .timestampMillis
        time.logicalType = .timestamp(isAdjustedToUTC: true, unit: .milliseconds)
        var text = ParquetSchemaElement(name: "näme")
        text.type = .byteArray
        text.repetition = .optional
        text.convertedType = .utf8
        text.logicalType = .string
        var count = ParquetSchemaElement(name: "n")
        count.type = .int64
        count.repetition = .optional
        count.logicalType = .integer(bitWidth: 64, isSigned: true)
        footer.schema = [root, time, text, count]
        footer.rowCount = 1 << 40
        for group in 0..<20 {
            var rowGroup = ParquetRowGroup()
            for name in ["window_start", "näme", "n"] {
                var column = ParquetColumnMetaData(type: name == "näme" ? .byteArray : .int64)
                column.encodings = [.plain, .rle, .rleDictionary]
                column.path = [name]
                column.codec = .zstd
                column.valueCount = 1000
                column.uncompressedBytes = 1 << 33
                column.compressedBytes = 12345
                column.dataPageOffset = Int64(group) << 20
                column.dictionaryPageOffset = 4
                var statistics = ParquetStatistics()
                statistics.nullCount = 7
                statistics.minValue = []
                statistics.maxValue = [255, 0, 1]
                statistics.isMaxExact = false
                statistics.isMinExact = true
                column.statistics = statistics
                column.encodingCounts = [.init(pageType: .data, encoding: .rleDictionary, count: 3)]
                var chunk = ParquetColumnChunk(column)
                chunk.offsetIndexOffset = 99
                chunk.offsetIndexBytes = 5
                rowGroup.columns.append(chunk)
            }
            rowGroup.rowCount = 1000
            rowGroup.uncompressedBytes = .max
            rowGroup.fileOffset = 4
            rowGroup.compressedBytes = 77
            rowGroup.ordinal = Int16(group)
            footer.rowGroups.append(rowGroup)
        }
        footer.keyValues = [.init(key: "job", value: "x"), .init(key: "flag", value: nil)]
        footer.createdBy = "somebody"
        footer.orderedColumns = 3
        return footer
    }

    static func read<R>(
        _ bytes: [UInt8], _ body: (inout ThriftReader) throws(ThriftFailure) -> R
    ) throws(ThriftFailure) -> (value: R, byteCount: Int) {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(ThriftFailure) in try ThriftReader.read(bytes, body) }
        }
        return try result.get()
    }

    @Test("a footer reads back as it was written")
    func footer() throws {
        let footer = Self.footer()
        let (read, count) = try Self.read(footer.encoded) { reader throws(ThriftFailure) in
            try ParquetFileMetaData(from: &reader)
        }
        #expect(read == footer)
        #expect(count == footer.encoded.count)
    }

    @Test("heads of pages read back as they were written")
    func pageHeads() throws {
        var data = ParquetDataPage(valueCount: 10, encoding: .deltaBinaryPacked)
        data.statistics = ParquetStatistics()
        data.statistics?.nullCount = 1
        var v2 = ParquetDataPageV2(
            valueCount: 9, nullCount: 2, rowCount: 9, encoding: .plain, definitionLevelBytes: 3)
        v2.isCompressed = false
        let kinds: [ParquetPageHeader.Kind] = [
            .data(data), .dataV2(v2), .dictionary(valueCount: 3, encoding: .plain, isSorted: true), .index,
        ]
        for kind in kinds {
            let header = ParquetPageHeader(kind, uncompressedBytes: .max, compressedBytes: 0, crc: .max)
            let read = try Self.read(header.encoded) { reader throws(ThriftFailure) in
                try ParquetPageHeader(from: &reader)
            }
            #expect(read.value == header)
        }
    }

    @Test("page indexes read back as they were written")
    func pageIndex() throws {
        var columns = ParquetColumnIndex()
        var offsets = ParquetOffsetIndex()
        for page in 0..<40 {
            columns.nullPages.append(page % 3 == 0)
            columns.minValues.append(page % 3 == 0 ? [] : [UInt8(page)])
            columns.maxValues.append(page % 3 == 0 ? [] : [UInt8(page), 0])
            columns.nullCounts.append(Int64(page))
            offsets.pages.append(.init(offset: Int64(page) << 35, compressedBytes: 9, firstRow: Int64(page) * 100))
        }
        columns.boundaryOrder = .ascending
        let readColumns = try Self.read(columns.encoded) { reader throws(ThriftFailure) in
            try ParquetColumnIndex(from: &reader)
        }
        #expect(readColumns.value == columns)
        let readOffsets = try Self.read(offsets.encoded) { reader throws(ThriftFailure) in
            try ParquetOffsetIndex(from: &reader)
        }
        #expect(readOffsets.value == offsets)
    }

    @Test("cut or damaged bytes are refused or read as something, and never crash")
    func damage() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let whole = Self.footer().encoded
        for length in 0..<whole.count {
            #expect(throws: ThriftFailure.self) {
                try Self.read(Array(whole[..<length])) { reader throws(ThriftFailure) in
                    try ParquetFileMetaData(from: &reader)
                }
            }
        }
        for _ in 0..<3000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? Self.read(bytes) { reader throws(ThriftFailure) in try ParquetFileMetaData(from: &reader) }
            _ = try? Self.read(bytes) { reader throws(ThriftFailure) in try ParquetPageHeader(from: &reader) }
            _ = try? Self.read(bytes) { reader throws(ThriftFailure) in try ParquetColumnIndex(from: &reader) }
        }
    }

    @Test("nesting without end and lists of more elements than bytes are refused")
    func bombs() {
        // Field 9 is unknown everywhere: a structure in a structure in a structure …
        let nested = [UInt8](repeating: 0x9c, count: 1_000_000)
        let lists = [0x99] + [UInt8](repeating: 0x19, count: 1_000_000)
        let long: [UInt8] = [0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]
        for (bytes, words) in [(nested, "nested"), (lists, "nested"), (long, "length")] {
            let failure = #expect(throws: ThriftFailure.self) {
                try Self.read(bytes) { reader throws(ThriftFailure) in try ParquetFileMetaData(from: &reader) }
            }
            #expect(failure?.description.contains(words) == true)
        }
    }
}
