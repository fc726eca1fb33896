import Platform
import StreamEngine

/// Walks the pages of one column chunk and hands out its cells. Holds one page and the dictionary.
final class ColumnPages {
    private let file: ParquetFile
    private let column: ParquetColumn
    private let codec: ParquetCodec
    private var position: Int64
    private let end: Int64
    private var dictionary: PageDictionary?
    /// Cells of the present page not taken yet.
    private(set) var left = 0
    private var values: (any PageValues)?
    /// Which cells are not null; nil where all are.
    private var levels: RunValues?
    private var pageOffset: Int64 = 0

    /// Largest page taken out of its compression, bytes.
    private static let pageBytesMax = 256 << 20
    /// Bytes read for a page's head at first, and at most (statistics stand in it).
    private static let headBytes = 1024
    private static let headBytesMax = 1 << 20

    init(_ file: ParquetFile, _ column: ParquetColumn, _ chunk: ParquetColumnMetaData) {
        self.file = file
        self.column = column
        codec = chunk.codec
        position = chunk.start
        end = chunk.start + chunk.compressedBytes
    }

    /// Makes sure that a page with cells is at hand.
    func load() throws {
        while left == 0 {
            guard position < end else {
                throw ParquetFailure(file.path, at: position, "column \(column.name) ends before its rows")
            }
            try nextPage()
        }
    }

    private func nextPage() throws {
        let (head, headBytes) = try head()
        pageOffset = position
        let first = position + Int64(headBytes)
        guard Int64(head.compressedBytes) <= end - first else {
            throw ParquetFailure(file.path, at: position, "a page of column \(column.name) is longer than its column")
        }
        guard head.uncompressedBytes <= Self.pageBytesMax else {
            throw ParquetFailure(file.path, at: position, "a page of \(head.uncompressedBytes) bytes")
        }
        let bytes = try file.read(at: first, count: Int(head.compressedBytes))
        if let crc = head.crc, crc != bytes.withUnsafeBytes({ CRC32.hash($0) }) {
            throw ParquetFailure(file.path, at: position, "a page of column \(column.name) has another checksum")
        }
        position = first + Int64(head.compressedBytes)
        do throws(PageFailure) {
            try take(head, bytes)
        } catch {
            throw failure(error)
        }
    }

    private func failure(_ failure: PageFailure) -> ParquetFailure {
        ParquetFailure(file.path, at: pageOffset, "column \(column.name): \(failure.detail)")
    }

    private func head() throws -> (head: ParquetPageHeader, bytes: Int) {
        var count = Self.headBytes
        while true {
            let room = Int(min(Int64(count), end - position))
            let bytes = try file.read(at: position, count: room)
            let parsed = ThriftReader.parse(bytes) { reader throws(ThriftFailure) in
                try ParquetPageHeader(from: &reader)
            }
            switch parsed {
            case .success(let read): return (read.value, read.byteCount)
            case .failure(let failure):
                guard room == count, count < Self.headBytesMax else {
                    throw ParquetFailure(file.path, at: position + Int64(failure.offset), failure.detail)
                }
                count *= 8
            }
        }
    }

    private func take(_ head: ParquetPageHeader, _ bytes: [UInt8]) throws(PageFailure) {
        let count = Int(head.uncompressedBytes)
        switch head.kind {
        case .index: return
        case .dictionary(let valueCount, let encoding, _):
            guard encoding == .plain || encoding == .plainDictionary, dictionary == nil else {
                throw PageFailure("a dictionary in encoding \(encoding), or a second one")
            }
            let plain = try PageCodec.decompress(bytes, codec, count: count)
            dictionary = try PageDictionary(PageBytes(plain), count: Int(valueCount), type: column.physicalType)
        case .data(let page):
            var plain = PageBytes(try PageCodec.decompress(bytes, codec, count: count))
            levels = nil
            if column.isNullable {
                guard page.definitionLevelEncoding == .rle else { throw PageFailure("levels in the old bit packing") }
                let length = Int(try plain.little(4))
                levels = try RunValues(try plain.take(length), width: 1)
            }
            values = try decoder(plain, page.encoding)
            left = Int(page.valueCount)
        case .dataV2(let page):
            guard page.repetitionLevelBytes == 0, Int(page.definitionLevelBytes) <= min(count, bytes.count) else {
                throw PageFailure("levels that are longer than their page")
            }
            let levelCount = Int(page.definitionLevelBytes)
            levels = column.isNullable ? try RunValues(PageBytes(Array(bytes[..<levelCount])), width: 1) : nil
            let rest = Array(bytes[levelCount...])
            let plain =
                page.isCompressed
                ? try PageCodec.decompress(rest, codec, count: count - levelCount)
                : try PageCodec.decompress(rest, .uncompressed, count: count - levelCount)
            values = try decoder(PageBytes(plain), page.encoding)
            left = Int(page.valueCount)
        }
    }

    private func decoder(_ bytes: PageBytes, _ encoding: ParquetEncoding) throws(PageFailure) -> any PageValues {
        switch encoding {
        case .plain: return PlainValues(bytes, type: column.physicalType)
        case .rleDictionary, .plainDictionary:
            guard let dictionary else { throw PageFailure("codes of a dictionary that is not there") }
            return try DictionaryValues(bytes, dictionary)
        case .rle:
            guard column.physicalType == .boolean else { throw PageFailure("runs of type \(column.physicalType)") }
            return try RunBooleans(bytes)
        case .deltaBinaryPacked: return try DeltaIntegers(bytes, type: column.physicalType)
        case .deltaLengthByteArray, .deltaByteArray: return try DeltaTexts(bytes, encoding)
        case .byteStreamSplit: return try SplitValues(bytes, type: column.physicalType)
        case .bitPacked: throw PageFailure("values in encoding \(encoding)")
        }
    }

    /// The next `count` cells, at most `left`.
    func take(_ count: Int) throws(ParquetFailure) -> ColumnData {
        do throws(PageFailure) {
            return try cells(count)
        } catch {
            throw failure(error)
        }
    }

    private func cells(_ count: Int) throws(PageFailure) -> ColumnData {
        guard let values, count <= left else { throw PageFailure("more cells are wanted than the page has") }
        var valid: [Bool]?
        var present = count
        if levels != nil {
            var flags: [Bool] = []
            flags.reserveCapacity(count)
            present = 0
            for _ in 0..<count {
                let isPresent = try (levels?.next() ?? 1) == 1
                flags.append(isPresent)
                if isPresent { present += 1 }
            }
            if present < count { valid = flags }
        }
        left -= count
        switch column.type {
        case .timestamp:
            let perMs = column.unitsPerMs
            let times = try values.integers(present).map { EventTime.floorDivide($0, perMs) }
            return ColumnData(.timestamps(Self.spread(times, valid, 0)), valid: valid)
        case .int64: return ColumnData(.integers(Self.spread(try values.integers(present), valid, 0)), valid: valid)
        case .boolean:
            let flags = try values.integers(present).map { $0 != 0 }
            return ColumnData(.booleans(Self.spread(flags, valid, false)), valid: valid)
        case .double: return ColumnData(.doubles(Self.spread(try values.doubles(present), valid, 0)), valid: valid)
        case .text:
            var column = try values.texts(present)
            column.codes = Self.spread(column.codes, valid, TextColumn.null)
            return ColumnData(.texts(column))
        }
    }

    /// Puts values in the places of the cells that are not null.
    private static func spread<T>(_ values: [T], _ valid: [Bool]?, _ null: T) -> [T] {
        guard let valid else { return values }
        var next = values.makeIterator()
        return valid.map { $0 ? next.next() ?? null : null }
    }
}
