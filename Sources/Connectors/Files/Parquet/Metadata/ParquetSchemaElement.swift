/// A node of a file's schema tree, in depth-first order; the root first.
struct ParquetSchemaElement: Sendable, Equatable {
    /// nil for a group.
    var type: ParquetPhysicalType?
    var typeLength: Int32?
    /// nil for the root.
    var repetition: ParquetRepetition?
    var name: String
    /// nil for a leaf.
    var childCount: Int32?
    var convertedType: ParquetConvertedType?
    var scale: Int32?
    var precision: Int32?
    var fieldID: Int32?
    var logicalType: ParquetLogicalType?

    /// An element of this name.
    init(name: String) { self.name = name }

    func write(to writer: inout ThriftWriter) {
        writer.structure { writer in
            writer.field(1, int32: type?.rawValue)
            writer.field(2, int32: typeLength)
            writer.field(3, int32: repetition?.rawValue)
            writer.field(4, text: name)
            writer.field(5, int32: childCount)
            writer.field(6, int32: convertedType?.rawValue)
            writer.field(7, int32: scale)
            writer.field(8, int32: precision)
            writer.field(9, int32: fieldID)
            if let logicalType { writer.field(10) { logicalType.write(to: &$0) } }
        }
    }

    init(from reader: inout ThriftReader) throws(ThriftFailure) {
        self.init(name: "")
        var hasName = false
        try reader.structure { reader, field throws(ThriftFailure) in
            switch field.id {
            case 1: type = try reader.word(field, "physical type")
            case 2: typeLength = try reader.int32(field)
            case 3: repetition = try reader.word(field, "repetition")
            case 4:
                name = try reader.text(field)
                hasName = true
            case 5: childCount = try reader.int32(field)
            case 6: convertedType = try reader.word(field, "converted type")
            case 7: scale = try reader.int32(field)
            case 8: precision = try reader.int32(field)
            case 9: fieldID = try reader.int32(field)
            case 10: logicalType = try ParquetLogicalType(from: &reader, field)
            default: return false
            }
            return true
        }
        guard hasName else { throw reader.failure("a schema element without a name") }
    }
}

extension ParquetLogicalType {
    /// The members of the union, inside a structure already begun.
    fileprivate func write(to writer: inout ThriftWriter) {
        switch self {
        case .string: writer.field(1) { _ in }
        case .timestamp(let isAdjustedToUTC, let unit):
            writer.field(8) { writer in
                writer.field(1, bool: isAdjustedToUTC)
                writer.field(2) { $0.field(unit.rawValue) { _ in } }
            }
        case .integer(let bitWidth, let isSigned):
            writer.field(10) { writer in
                writer.field(1, int8: bitWidth)
                writer.field(2, bool: isSigned)
            }
        case .other(let id): writer.field(id) { _ in }
        }
    }

    fileprivate init?(from reader: inout ThriftReader, _ field: ThriftReader.Field) throws(ThriftFailure) {
        var result: ParquetLogicalType?
        try reader.structure(field) { reader, member throws(ThriftFailure) in
            switch member.id {
            case 1:
                result = .string
                return false
            case 8:
                var isAdjusted = false
                var unit: TimeUnit?
                try reader.structure(member) { reader, field throws(ThriftFailure) in
                    switch field.id {
                    case 1: isAdjusted = try reader.bool(field)
                    case 2:
                        try reader.structure(field) { _, field throws(ThriftFailure) in
                            unit = TimeUnit(rawValue: field.id)
                            return false
                        }
                    default: return false
                    }
                    return true
                }
                guard let unit else { throw reader.failure("a timestamp of an unknown unit") }
                result = .timestamp(isAdjustedToUTC: isAdjusted, unit: unit)
            case 10:
                var bitWidth: Int8 = 0
                var isSigned = false
                try reader.structure(member) { reader, field throws(ThriftFailure) in
                    switch field.id {
                    case 1: bitWidth = try reader.int8(field)
                    case 2: isSigned = try reader.bool(field)
                    default: return false
                    }
                    return true
                }
                result = .integer(bitWidth: bitWidth, isSigned: isSigned)
            default:
                result = .other(member.id)
                return false
            }
            return true
        }
        guard let result else { return nil }
        self = result
    }
}
