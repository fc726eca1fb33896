/// A file's footer: schema, row groups, and facts about the file.
struct ParquetFileMetaData: Sendable, Equatable {
    struct KeyValue: Sendable, Equatable {
        var key: String
        var value: String?
    }

    /// First and last bytes of a file; in front of the last ones stands the footer's length, 4 bytes, little-endian.
    static let magic = Array("PAR1".utf8)

    var version: Int32 = 2
    /// Depth first, the root first.
    var schema: [ParquetSchemaElement] = []
    var rowCount: Int64 = 0
    var rowGroups: [ParquetRowGroup] = []
    var keyValues: [KeyValue] = []
    var createdBy: String?
    /// How many columns have the order of their type; 0 where the file does not say, and bounds mean nothing.
    var orderedColumns = 0

    /// A file without columns.
    init() {}

    var encoded: [UInt8] {
        var writer = ThriftWriter()
        writer.structure { writer in
            writer.field(1, int32: version)
            writer.field(2, list: schema, of: .structure) { $1.write(to: &$0) }
            writer.field(3, int64: rowCount)
            writer.field(4, list: rowGroups, of: .structure) { $1.write(to: &$0) }
            if !keyValues.isEmpty {
                writer.field(5, list: keyValues, of: .structure) { writer, pair in
                    writer.structure { writer in
                        writer.field(1, text: pair.key)
                        writer.field(2, text: pair.value)
                    }
                }
            }
            writer.field(6, text: createdBy)
            if orderedColumns > 0 {
                // A union whose one member is TypeDefinedOrder, an empty structure.
                writer.field(7, list: 0..<orderedColumns, of: .structure) { writer, _ in
                    writer.structure { $0.field(1) { _ in } }
                }
            }
        }
        return writer.bytes
    }

    init(from reader: inout ThriftReader) throws(ThriftFailure) {
        self.init()
        var met: Set<Int16> = []
        try reader.structure { reader, field throws(ThriftFailure) in
            met.insert(field.id)
            switch field.id {
            case 1: version = try reader.int32(field)
            case 2:
                schema = try reader.list(field, of: .structure) { reader throws(ThriftFailure) in
                    try ParquetSchemaElement(from: &reader)
                }
            case 3: rowCount = try reader.int64(field)
            case 4:
                rowGroups = try reader.list(field, of: .structure) { reader throws(ThriftFailure) in
                    try ParquetRowGroup(from: &reader)
                }
            case 5:
                keyValues = try reader.list(field, of: .structure) { reader throws(ThriftFailure) in
                    try KeyValue(from: &reader)
                }
            case 6: createdBy = try reader.text(field)
            case 7:
                orderedColumns = try reader.list(field, of: .structure) { reader throws(ThriftFailure) in
                    try reader.structure { _, _ throws(ThriftFailure) in false }
                }.count
            default: return false
            }
            return true
        }
        guard met.isSuperset(of: [1, 2, 3, 4]) else { throw reader.failure("a footer without a required field") }
    }
}

extension ParquetFileMetaData.KeyValue {
    fileprivate init(from reader: inout ThriftReader) throws(ThriftFailure) {
        self.init(key: "", value: nil)
        try reader.structure { reader, field throws(ThriftFailure) in
            switch field.id {
            case 1: key = try reader.text(field)
            case 2: value = try reader.text(field)
            default: return false
            }
            return true
        }
    }
}
