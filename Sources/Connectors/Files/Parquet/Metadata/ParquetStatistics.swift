/// Bounds and counts of a page or column chunk. The deprecated `min` and `max` of parquet.thrift are neither read nor
/// written: their order was never defined for text.
struct ParquetStatistics: Sendable, Equatable {
    var nullCount: Int64?
    var distinctCount: Int64?
    /// PLAIN bytes, for text without the length.
    var maxValue: [UInt8]?
    var minValue: [UInt8]?
    /// Whether the bound occurs, or only bounds.
    var isMaxExact: Bool?
    var isMinExact: Bool?

    /// Nothing known.
    init() {}

    func write(to writer: inout ThriftWriter) {
        writer.structure { writeFields(to: &$0) }
    }

    /// The fields, inside a structure already begun.
    func writeFields(to writer: inout ThriftWriter) {
        writer.field(3, int64: nullCount)
        writer.field(4, int64: distinctCount)
        writer.field(5, binary: maxValue)
        writer.field(6, binary: minValue)
        writer.field(7, bool: isMaxExact)
        writer.field(8, bool: isMinExact)
    }

    init(from reader: inout ThriftReader, _ field: ThriftReader.Field) throws(ThriftFailure) {
        self.init()
        try reader.structure(field) { reader, field throws(ThriftFailure) in
            switch field.id {
            case 3: nullCount = try reader.int64(field)
            case 4: distinctCount = try reader.int64(field)
            case 5: maxValue = try reader.binary(field)
            case 6: minValue = try reader.binary(field)
            case 7: isMaxExact = try reader.bool(field)
            case 8: isMinExact = try reader.bool(field)
            default: return false
            }
            return true
        }
    }
}
