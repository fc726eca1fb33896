/// What a column chunk is and where its pages lie.
struct ParquetColumnMetaData: Sendable, Equatable {
    /// How many pages of a kind have an encoding.
    struct EncodingCount: Sendable, Equatable {
        var pageType: ParquetPageType
        var encoding: ParquetEncoding
        var count: Int32
    }

    var type: ParquetPhysicalType
    var encodings: [ParquetEncoding] = []
    var path: [String] = []
    var codec = ParquetCodec.uncompressed
    /// Nulls included.
    var valueCount: Int64 = 0
    /// Pages with their heads, before compression.
    var uncompressedBytes: Int64 = 0
    /// Pages with their heads, as in the file.
    var compressedBytes: Int64 = 0
    var dataPageOffset: Int64 = 0
    var dictionaryPageOffset: Int64?
    var statistics: ParquetStatistics?
    var encodingCounts: [EncodingCount] = []

    /// A chunk of values of `type`.
    init(type: ParquetPhysicalType) { self.type = type }

    /// The fields, inside a structure already begun.
    func writeFields(to writer: inout ThriftWriter) {
        writer.field(1, int32: type.rawValue)
        writer.field(2, list: encodings, of: .int32) { $0.element(int32: $1.rawValue) }
        writer.field(3, list: path, of: .binary) { $0.element(binary: Array($1.utf8)) }
        writer.field(4, int32: codec.rawValue)
        writer.field(5, int64: valueCount)
        writer.field(6, int64: uncompressedBytes)
        writer.field(7, int64: compressedBytes)
        writer.field(9, int64: dataPageOffset)
        writer.field(11, int64: dictionaryPageOffset)
        if let statistics { writer.field(12) { statistics.writeFields(to: &$0) } }
        if !encodingCounts.isEmpty {
            writer.field(13, list: encodingCounts, of: .structure) { writer, count in
                writer.structure { writer in
                    writer.field(1, int32: count.pageType.rawValue)
                    writer.field(2, int32: count.encoding.rawValue)
                    writer.field(3, int32: count.count)
                }
            }
        }
    }

    init(from reader: inout ThriftReader, _ field: ThriftReader.Field) throws(ThriftFailure) {
        self.init(type: .boolean)
        var met: Set<Int16> = []
        try reader.structure(field) { reader, field throws(ThriftFailure) in
            met.insert(field.id)
            switch field.id {
            case 1: type = try reader.word(field, "physical type")
            case 2:
                encodings = try reader.list(field, of: .int32) { reader throws(ThriftFailure) in
                    try reader.wordElement("encoding")
                }
            case 3:
                path = try reader.list(field, of: .binary) { reader throws(ThriftFailure) in try reader.textElement() }
            case 4: codec = try reader.word(field, "compression codec")
            case 5: valueCount = try reader.int64(field)
            case 6: uncompressedBytes = try reader.int64(field)
            case 7: compressedBytes = try reader.int64(field)
            case 9: dataPageOffset = try reader.int64(field)
            case 11: dictionaryPageOffset = try reader.int64(field)
            case 12: statistics = try ParquetStatistics(from: &reader, field)
            case 13:
                encodingCounts = try reader.list(field, of: .structure) { reader throws(ThriftFailure) in
                    try EncodingCount(from: &reader)
                }
            default: return false
            }
            return true
        }
        guard met.isSuperset(of: [1, 2, 3, 4, 5, 6, 7, 9]) else {
            throw reader.failure("column metadata without a required field")
        }
    }
}

extension ParquetColumnMetaData.EncodingCount {
    fileprivate init(from reader: inout ThriftReader) throws(ThriftFailure) {
        self.init(pageType: .data, encoding: .plain, count: 0)
        try reader.structure { reader, field throws(ThriftFailure) in
            switch field.id {
            case 1: pageType = try reader.word(field, "page type")
            case 2: encoding = try reader.word(field, "encoding")
            case 3: count = try reader.int32(field)
            default: return false
            }
            return true
        }
    }
}
