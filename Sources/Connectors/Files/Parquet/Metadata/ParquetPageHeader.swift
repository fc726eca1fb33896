/// What stands in front of a page's bytes.
struct ParquetPageHeader: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case data(ParquetDataPage)
        case dataV2(ParquetDataPageV2)
        case dictionary(valueCount: Int32, encoding: ParquetEncoding, isSorted: Bool)
        case index
    }

    var kind: Kind
    /// Bytes of the page before compression, without this head.
    var uncompressedBytes: Int32
    /// Bytes of the page as in the file, without this head.
    var compressedBytes: Int32
    /// CRC-32 (of gzip) of the page's bytes in the file.
    var crc: UInt32?

    /// The head of a page.
    init(_ kind: Kind, uncompressedBytes: Int32, compressedBytes: Int32, crc: UInt32? = nil) {
        self.kind = kind
        self.uncompressedBytes = uncompressedBytes
        self.compressedBytes = compressedBytes
        self.crc = crc
    }

    private var type: ParquetPageType {
        switch kind {
        case .data: .data
        case .dataV2: .dataV2
        case .dictionary: .dictionary
        case .index: .index
        }
    }

    var encoded: [UInt8] {
        var writer = ThriftWriter()
        writer.structure { writer in
            writer.field(1, int32: type.rawValue)
            writer.field(2, int32: uncompressedBytes)
            writer.field(3, int32: compressedBytes)
            writer.field(4, int32: crc.map { Int32(bitPattern: $0) })
            switch kind {
            case .data(let page): writer.field(5) { page.writeFields(to: &$0) }
            case .index: writer.field(6) { _ in }
            case .dictionary(let valueCount, let encoding, let isSorted):
                writer.field(7) { writer in
                    writer.field(1, int32: valueCount)
                    writer.field(2, int32: encoding.rawValue)
                    writer.field(3, bool: isSorted)
                }
            case .dataV2(let page): writer.field(8) { page.writeFields(to: &$0) }
            }
        }
        return writer.bytes
    }

    init(from reader: inout ThriftReader) throws(ThriftFailure) {
        var type: ParquetPageType?
        var data: ParquetDataPage?
        var dataV2: ParquetDataPageV2?
        var dictionary: Kind?
        var uncompressed: Int32 = -1
        var compressed: Int32 = -1
        var checksum: UInt32?
        try reader.structure { reader, field throws(ThriftFailure) in
            switch field.id {
            case 1: type = try reader.word(field, "page type")
            case 2: uncompressed = try reader.int32(field)
            case 3: compressed = try reader.int32(field)
            case 4: checksum = UInt32(bitPattern: try reader.int32(field))
            case 5: data = try ParquetDataPage(from: &reader, field)
            case 7: dictionary = try Self.dictionary(from: &reader, field)
            case 8: dataV2 = try ParquetDataPageV2(from: &reader, field)
            default: return false
            }
            return true
        }
        guard uncompressed >= 0, compressed >= 0 else { throw reader.failure("a page without a size") }
        let kind: Kind? =
            switch type {
            case .data: data.map { .data($0) }
            case .dataV2: dataV2.map { .dataV2($0) }
            case .dictionary: dictionary
            case .index: .index
            case nil: nil
            }
        guard let kind else { throw reader.failure("a page without the head of its type") }
        self.init(kind, uncompressedBytes: uncompressed, compressedBytes: compressed, crc: checksum)
    }

    private static func dictionary(
        from reader: inout ThriftReader, _ field: ThriftReader.Field
    ) throws(ThriftFailure) -> Kind {
        var valueCount: Int32 = -1
        var encoding = ParquetEncoding.plain
        var isSorted = false
        try reader.structure(field) { reader, field throws(ThriftFailure) in
            switch field.id {
            case 1: valueCount = try reader.int32(field)
            case 2: encoding = try reader.word(field, "encoding")
            case 3: isSorted = try reader.bool(field)
            default: return false
            }
            return true
        }
        guard valueCount >= 0 else { throw reader.failure("a dictionary page without a count") }
        return .dictionary(valueCount: valueCount, encoding: encoding, isSorted: isSorted)
    }
}

/// The head of a data page of the first kind: levels and values are compressed together.
struct ParquetDataPage: Sendable, Equatable {
    /// Nulls included.
    var valueCount: Int32
    var encoding: ParquetEncoding
    var definitionLevelEncoding = ParquetEncoding.rle
    var repetitionLevelEncoding = ParquetEncoding.rle
    var statistics: ParquetStatistics?

    fileprivate func writeFields(to writer: inout ThriftWriter) {
        writer.field(1, int32: valueCount)
        writer.field(2, int32: encoding.rawValue)
        writer.field(3, int32: definitionLevelEncoding.rawValue)
        writer.field(4, int32: repetitionLevelEncoding.rawValue)
        if let statistics { writer.field(5) { statistics.writeFields(to: &$0) } }
    }

    /// A page of values in `encoding`.
    init(valueCount: Int32, encoding: ParquetEncoding) {
        self.valueCount = valueCount
        self.encoding = encoding
    }

    fileprivate init(from reader: inout ThriftReader, _ field: ThriftReader.Field) throws(ThriftFailure) {
        self.init(valueCount: -1, encoding: .plain)
        try reader.structure(field) { reader, field throws(ThriftFailure) in
            switch field.id {
            case 1: valueCount = try reader.int32(field)
            case 2: encoding = try reader.word(field, "encoding")
            case 3: definitionLevelEncoding = try reader.word(field, "encoding")
            case 4: repetitionLevelEncoding = try reader.word(field, "encoding")
            case 5: statistics = try ParquetStatistics(from: &reader, field)
            default: return false
            }
            return true
        }
        guard valueCount >= 0 else { throw reader.failure("a data page without a count") }
    }
}

/// The head of a data page of the second kind: levels stand uncompressed in front of the values.
struct ParquetDataPageV2: Sendable, Equatable {
    /// Nulls included.
    var valueCount: Int32
    var nullCount: Int32
    var rowCount: Int32
    var encoding: ParquetEncoding
    var definitionLevelBytes: Int32
    var repetitionLevelBytes: Int32
    /// Whether the values are compressed; true where the head does not say.
    var isCompressed = true
    var statistics: ParquetStatistics?

    fileprivate func writeFields(to writer: inout ThriftWriter) {
        writer.field(1, int32: valueCount)
        writer.field(2, int32: nullCount)
        writer.field(3, int32: rowCount)
        writer.field(4, int32: encoding.rawValue)
        writer.field(5, int32: definitionLevelBytes)
        writer.field(6, int32: repetitionLevelBytes)
        writer.field(7, bool: isCompressed)
        if let statistics { writer.field(8) { statistics.writeFields(to: &$0) } }
    }

    /// A page of values in `encoding`.
    init(
        valueCount: Int32, nullCount: Int32, rowCount: Int32, encoding: ParquetEncoding, definitionLevelBytes: Int32
    ) {
        self.valueCount = valueCount
        self.nullCount = nullCount
        self.rowCount = rowCount
        self.encoding = encoding
        self.definitionLevelBytes = definitionLevelBytes
        repetitionLevelBytes = 0
    }

    fileprivate init(from reader: inout ThriftReader, _ field: ThriftReader.Field) throws(ThriftFailure) {
        self.init(valueCount: -1, nullCount: -1, rowCount: -1, encoding: .plain, definitionLevelBytes: -1)
        try reader.structure(field) { reader, field throws(ThriftFailure) in
            switch field.id {
            case 1: valueCount = try reader.int32(field)
            case 2: nullCount = try reader.int32(field)
            case 3: rowCount = try reader.int32(field)
            case 4: encoding = try reader.word(field, "encoding")
            case 5: definitionLevelBytes = try reader.int32(field)
            case 6: repetitionLevelBytes = try reader.int32(field)
            case 7: isCompressed = try reader.bool(field)
            case 8: statistics = try ParquetStatistics(from: &reader, field)
            default: return false
            }
            return true
        }
        guard valueCount >= 0, nullCount >= 0, nullCount <= valueCount, rowCount >= 0, definitionLevelBytes >= 0,
            repetitionLevelBytes >= 0
        else { throw reader.failure("a data page whose counts cannot be") }
    }
}
