// The enumerations of parquet.thrift; the numbers are those of the files.

/// How values lie in a file.
enum ParquetPhysicalType: Int32, Sendable, CaseIterable {
    case boolean = 0, int32, int64, int96, float, double, byteArray, fixedLenByteArray
}

/// How a page's values or levels are encoded (Encodings.md).
enum ParquetEncoding: Int32, Sendable, CaseIterable {
    case plain = 0
    case plainDictionary = 2
    case rle = 3
    case bitPacked = 4
    case deltaBinaryPacked = 5
    case deltaLengthByteArray = 6
    case deltaByteArray = 7
    case rleDictionary = 8
    case byteStreamSplit = 9
}

/// How pages are compressed (Compression.md).
enum ParquetCodec: Int32, Sendable, CaseIterable {
    case uncompressed = 0, snappy, gzip, lzo, brotli, lz4, zstd, lz4Raw
}

enum ParquetPageType: Int32, Sendable {
    case data = 0, index, dictionary, dataV2
}

enum ParquetRepetition: Int32, Sendable {
    case required = 0, optional, repeated
}

/// The older of the two annotations of what values mean; readers that know the newer one prefer that.
enum ParquetConvertedType: Int32, Sendable {
    case utf8 = 0, map, mapKeyValue, list, `enum`, decimal, date, timeMillis, timeMicros, timestampMillis
    case timestampMicros, uint8, uint16, uint32, uint64, int8, int16, int32, int64, json, bson, interval
}

/// Whether the pages of a column chunk are ordered by their bounds.
enum ParquetBoundaryOrder: Int32, Sendable {
    case unordered = 0, ascending, descending
}

/// What values mean (LogicalTypes.md), as far as this program makes a difference.
enum ParquetLogicalType: Sendable, Equatable {
    enum TimeUnit: Int16, Sendable {
        case milliseconds = 1, microseconds, nanoseconds
    }

    case string
    case timestamp(isAdjustedToUTC: Bool, unit: TimeUnit)
    case integer(bitWidth: Int8, isSigned: Bool)
    /// Another member of the union, by its number.
    case other(Int16)
}
