import Platform
import StreamEngine

/// Writes one table as the bytes of one Parquet file: what the sink does for a file, without directories and epochs.
public struct ParquetTable {
    private let columns: [Int]
    private let settings: ParquetSettings
    private var encoder: ParquetFileEncoder
    private var rows: ParquetRowBuffer
    private let schema: RowSchema
    private var bytes: [UInt8] = []

    /// An empty table.
    public init(_ schema: RowSchema, settings: ParquetSettings = ParquetSettings()) {
        self.schema = schema
        self.settings = settings
        columns = Array(schema.columns.indices)
        encoder = ParquetFileEncoder(
            ParquetSchema(schema.columns), settings: settings, compressor: BlockCompressor(settings.compression))
        rows = ParquetRowBuffer(schema)
    }

    /// Adds rows.
    public mutating func append(_ batch: RowBatch) throws(CompressionFailure) {
        rows.append(batch, columns: columns)
        if rows.byteCount >= settings.rowGroupBytes { try flush() }
    }

    private mutating func flush() throws(CompressionFailure) {
        for piece in try encoder.encode(rows) { bytes.append(contentsOf: piece) }
        rows = ParquetRowBuffer(schema)
    }

    /// The file; the table is used up.
    public consuming func finish(keyValues: [String: String] = [:]) throws(CompressionFailure) -> [UInt8] {
        if rows.rowCount > 0 { try flush() }
        let pairs = keyValues.sorted { $0.key < $1.key }.map {
            ParquetFileMetaData.KeyValue(key: $0.key, value: $0.value)
        }
        return bytes + encoder.end(keyValues: pairs)
    }
}
