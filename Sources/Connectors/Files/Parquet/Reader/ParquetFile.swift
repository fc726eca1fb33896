import Platform
import StreamEngine

/// A column of a Parquet file: a leaf without structure above it.
struct ParquetColumn: Sendable, Equatable {
    let name: String
    let physicalType: ParquetPhysicalType
    /// What its cells are here.
    let type: ColumnType
    let isNullable: Bool
    /// By how much a stored time is divided to give milliseconds; 1 for all else.
    let unitsPerMs: Int64
}

/// A Parquet file, open for reading: its footer, checked against the file before anything relies on it.
///
/// Reads tables without nested columns: booleans, integers, floating-point numbers, text, and timestamps in ms, µs or ns.
final class ParquetFile {
    let path: String
    /// Bytes of the file that count.
    let byteCount: Int64
    let columns: [ParquetColumn]
    let metaData: ParquetFileMetaData
    private let file: any File

    /// Opens a file of `byteCount` bytes (nil: all there are).
    init(_ path: String, byteCount: Int64? = nil, files: any FileSystem = PosixFileSystem()) throws {
        self.path = path
        file = try files.open(path, .read)
        let size = try file.size()
        self.byteCount = byteCount ?? size
        guard self.byteCount <= size else {
            throw ParquetFailure(path, "it has \(size) bytes of \(self.byteCount) committed ones")
        }
        metaData = try Self.footer(of: file, path, self.byteCount)
        columns = try Self.columns(of: metaData.schema, path)
        try Self.check(metaData, columns, path, dataEnd: self.byteCount - 8)
    }

    /// Whether the bytes of a file begin as Parquet does.
    static func begins(_ head: some Sequence<UInt8>) -> Bool { head.prefix(4).elementsEqual(ParquetFileMetaData.magic) }

    private static func footer(
        of file: any File, _ path: String, _ byteCount: Int64
    ) throws -> ParquetFileMetaData {
        let magic = ParquetFileMetaData.magic
        guard byteCount >= 12 else { throw ParquetFailure(path, "not a Parquet file: it has \(byteCount) bytes") }
        let tail = try read(file, path, at: byteCount - 8, count: 8)
        guard Array(tail[4...]) == magic, try read(file, path, at: 0, count: 4) == magic else {
            throw ParquetFailure(path, "not a whole Parquet file: it does not begin and end with PAR1")
        }
        let length = Int64(tail[..<4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        guard length <= byteCount - 12 else {
            throw ParquetFailure(path, at: byteCount - 8, "a footer of \(length) bytes in \(byteCount)")
        }
        let bytes = try read(file, path, at: byteCount - 8 - length, count: Int(length))
        let parsed = ThriftReader.parse(bytes) { reader throws(ThriftFailure) in
            try ParquetFileMetaData(from: &reader)
        }
        switch parsed {
        case .success(let read): return read.value
        case .failure(let failure):
            throw ParquetFailure(path, at: byteCount - 8 - length + Int64(failure.offset), failure.detail)
        }
    }

    private static func columns(of schema: [ParquetSchemaElement], _ path: String) throws(ParquetFailure)
        -> [ParquetColumn]
    {
        guard let root = schema.first, Int(root.childCount ?? 0) == schema.count - 1 else {
            throw ParquetFailure(path, "it has nested columns, which this program does not read")
        }
        var columns: [ParquetColumn] = []
        for element in schema.dropFirst() {
            guard let type = element.type, element.childCount ?? 0 == 0, element.repetition != .repeated else {
                throw ParquetFailure(path, "column \(element.name) is nested, which this program does not read")
            }
            var unitsPerMs: Int64 = 1
            let cells: ColumnType
            switch type {
            case .boolean: cells = .boolean
            case .float, .double: cells = .double
            case .byteArray: cells = .text
            case .int32, .int64:
                if let perMs = element.timestampUnitsPerMs {
                    unitsPerMs = perMs
                    cells = .timestamp
                } else {
                    cells = .int64
                }
            case .int96, .fixedLenByteArray:
                throw ParquetFailure(
                    path, "column \(element.name) is of type \(type), which this program does not read")
            }
            columns.append(
                ParquetColumn(
                    name: element.name, physicalType: type, type: cells, isNullable: element.repetition == .optional,
                    unitsPerMs: unitsPerMs))
        }
        return columns
    }

    /// Checks what the footer says against the file, so that nothing outside is read.
    private static func check(
        _ metaData: ParquetFileMetaData, _ columns: [ParquetColumn], _ path: String, dataEnd: Int64
    ) throws(ParquetFailure) {
        var rows: Int64 = 0
        for (index, group) in metaData.rowGroups.enumerated() {
            func failure(_ detail: String) -> ParquetFailure { ParquetFailure(path, "row group \(index): \(detail)") }
            guard group.columns.count == columns.count else { throw failure("\(group.columns.count) columns") }
            for (chunk, column) in zip(group.columns, columns) {
                let data = chunk.metaData
                guard chunk.filePath == nil else { throw failure("column \(column.name) lies in another file") }
                guard data.type == column.physicalType, data.valueCount == group.rowCount else {
                    throw failure("column \(column.name) does not fit the schema")
                }
                let (end, overflow) = data.start.addingReportingOverflow(data.compressedBytes)
                guard data.start >= 4, data.compressedBytes >= 0, !overflow, end <= dataEnd else {
                    throw failure("column \(column.name) lies outside the file")
                }
            }
            let (sum, overflow) = rows.addingReportingOverflow(group.rowCount)
            guard !overflow else { throw failure("too many rows") }
            rows = sum
        }
        guard rows == metaData.rowCount else {
            throw ParquetFailure(path, "the footer speaks of \(metaData.rowCount) rows, its row groups of \(rows)")
        }
    }

    /// A fact of the footer's key-value metadata.
    func fact(_ key: String) -> String? { metaData.keyValues.first { $0.key == key }?.value }

    /// Exactly these bytes of the file.
    func read(at offset: Int64, count: Int) throws -> [UInt8] { try Self.read(file, path, at: offset, count: count) }

    private static func read(_ file: any File, _ path: String, at offset: Int64, count: Int) throws -> [UInt8] {
        guard count > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = try bytes.withUnsafeMutableBytes { buffer in
                try file.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]), at: offset + Int64(filled))
            }
            guard got > 0 else { throw ParquetFailure(path, at: offset + Int64(filled), "the file ends here") }
            filled += got
        }
        return bytes
    }

    func close() {
        // Nothing was written: a failing close loses nothing.
        _ = try? file.close()
    }
}

extension ParquetColumnMetaData {
    /// Where its first page lies. Some writers say 0 for a dictionary that is not there.
    var start: Int64 {
        guard let dictionary = dictionaryPageOffset, dictionary > 0, dictionary < dataPageOffset else {
            return dataPageOffset
        }
        return dictionary
    }
}

extension ParquetSchemaElement {
    /// How many of a timestamp's units a millisecond has; nil for what is no timestamp.
    fileprivate var timestampUnitsPerMs: Int64? {
        switch logicalType {
        case .timestamp(_, let unit):
            switch unit {
            case .milliseconds: return 1
            case .microseconds: return 1000
            case .nanoseconds: return 1_000_000
            }
        case .string, .integer, .other: return nil
        case nil: break
        }
        switch convertedType {
        case .timestampMillis: return 1
        case .timestampMicros: return 1000
        default: return nil
        }
    }
}

extension ThriftReader {
    /// Reads one value at the front of some bytes.
    static func parse<R>(
        _ bytes: [UInt8], _ body: (inout ThriftReader) throws(ThriftFailure) -> R
    ) -> Result<(value: R, byteCount: Int), ThriftFailure> {
        bytes.withUnsafeBytes { buffer in
            Result { () throws(ThriftFailure) in try ThriftReader.read(buffer, body) }
        }
    }
}
