/// Bounds of each page of a column chunk (PageIndex.md), so that readers pass over pages.
struct ParquetColumnIndex: Sendable, Equatable {
    /// Pages of nulls only; their bounds are empty and mean nothing.
    var nullPages: [Bool] = []
    var minValues: [[UInt8]] = []
    var maxValues: [[UInt8]] = []
    var boundaryOrder = ParquetBoundaryOrder.unordered
    var nullCounts: [Int64] = []

    /// An index of no pages.
    init() {}

    var encoded: [UInt8] {
        var writer = ThriftWriter()
        writer.structure { writer in
            writer.field(1, list: nullPages, of: .yes) { $0.element(bool: $1) }
            writer.field(2, list: minValues, of: .binary) { $0.element(binary: $1) }
            writer.field(3, list: maxValues, of: .binary) { $0.element(binary: $1) }
            writer.field(4, int32: boundaryOrder.rawValue)
            if !nullCounts.isEmpty { writer.field(5, list: nullCounts, of: .int64) { $0.element(int64: $1) } }
        }
        return writer.bytes
    }

    init(from reader: inout ThriftReader) throws(ThriftFailure) {
        self.init()
        try reader.structure { reader, field throws(ThriftFailure) in
            switch field.id {
            case 1:
                nullPages = try reader.list(field, of: .yes) { reader throws(ThriftFailure) in try reader.boolElement()
                }
            case 2:
                minValues = try reader.list(field, of: .binary) { reader throws(ThriftFailure) in
                    try reader.binaryElement()
                }
            case 3:
                maxValues = try reader.list(field, of: .binary) { reader throws(ThriftFailure) in
                    try reader.binaryElement()
                }
            case 4: boundaryOrder = try reader.word(field, "boundary order")
            case 5:
                nullCounts = try reader.list(field, of: .int64) { reader throws(ThriftFailure) in
                    try reader.int64Element()
                }
            default: return false
            }
            return true
        }
        guard minValues.count == nullPages.count, maxValues.count == nullPages.count,
            nullCounts.isEmpty || nullCounts.count == nullPages.count
        else { throw reader.failure("a column index whose lists differ in length") }
    }
}

/// Where each page of a column chunk lies.
struct ParquetOffsetIndex: Sendable, Equatable {
    struct Page: Sendable, Equatable {
        /// Of the page's head.
        var offset: Int64
        /// With the head.
        var compressedBytes: Int32
        /// Within the row group.
        var firstRow: Int64
    }

    var pages: [Page] = []

    /// An index of no pages.
    init() {}

    var encoded: [UInt8] {
        var writer = ThriftWriter()
        writer.structure { writer in
            writer.field(1, list: pages, of: .structure) { writer, page in
                writer.structure { writer in
                    writer.field(1, int64: page.offset)
                    writer.field(2, int32: page.compressedBytes)
                    writer.field(3, int64: page.firstRow)
                }
            }
        }
        return writer.bytes
    }

    init(from reader: inout ThriftReader) throws(ThriftFailure) {
        self.init()
        try reader.structure { reader, field throws(ThriftFailure) in
            guard field.id == 1 else { return false }
            pages = try reader.list(field, of: .structure) { reader throws(ThriftFailure) in
                try Page(from: &reader)
            }
            return true
        }
    }
}

extension ParquetOffsetIndex.Page {
    fileprivate init(from reader: inout ThriftReader) throws(ThriftFailure) {
        self.init(offset: -1, compressedBytes: -1, firstRow: -1)
        try reader.structure { reader, field throws(ThriftFailure) in
            switch field.id {
            case 1: offset = try reader.int64(field)
            case 2: compressedBytes = try reader.int32(field)
            case 3: firstRow = try reader.int64(field)
            default: return false
            }
            return true
        }
        guard offset >= 0, compressedBytes >= 0, firstRow >= 0 else {
            throw reader.failure("a page location without a place")
        }
    }
}
