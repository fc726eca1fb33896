import Platform

/// How Parquet files are written.
public struct ParquetSettings: Sendable, Equatable {
    /// zstd by default, at level 3.
    public var compression = BlockCompression.zstd(level: 3)
    /// A row group holds about this many bytes of column data, before compression.
    public var rowGroupBytes = 8 << 20
    /// A page holds about this many bytes of column data, before compression.
    public var pageBytes = 1 << 20
    /// A page holds this many rows at most, so that its index tells readers something.
    public var pageRowsMax = 32_768
    /// A dictionary holds this many bytes at most.
    public var dictionaryBytesMax = 1 << 20

    /// The defaults.
    public init() {}

    var codec: ParquetCodec {
        switch compression {
        case .none: .uncompressed
        case .snappy: .snappy
        case .lz4: .lz4Raw
        case .zstd: .zstd
        }
    }
}
