import Connectors
import Platform
import StreamEngine
import TestSupport

/// A random schema, random cells cut into batches, random settings.
struct RandomTable {
    let schema: RowSchema
    let settings: ParquetSettings
    let batches: [RowBatch]
    private let codec: String

    init(number: Int, _ random: inout SeededRandom) {
        var settings = ParquetSettings()
        let codecs: [(String, BlockCompression)] = [
            ("NONE", .none), ("SNAPPY", .snappy), ("LZ4", .lz4), ("ZSTD", .zstd(level: 3)), ("ZSTD", .zstd(level: 1)),
        ]
        (codec, settings.compression) = codecs[number % codecs.count]
        if Bool.random(using: &random) {
            settings.rowGroupBytes = Int.random(in: 1...200_000, using: &random)
            settings.pageBytes = Int.random(in: 1...20_000, using: &random)
            settings.pageRowsMax = Int.random(in: 1...3000, using: &random)
            settings.dictionaryBytesMax = Int.random(in: 8...100_000, using: &random)
        }
        self.settings = settings
        var columns = [ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd)]
        for column in 0..<Int.random(in: 0...7, using: &random) {
            let types: [ColumnType] = [.timestamp, .text, .double, .int64, .boolean]
            columns.append(
                ColumnDescription(
                    name: "c\(column)-ü \(column)", type: types[Int.random(in: 0..<5, using: &random)], role: .aggregate
                ))
        }
        schema = RowSchema(columns: columns)
        let sizes = [0, 1, 2, 7, 8, 9, 31, 32, 33, 127, 128, 129, 1000, 5000, 20_000]
        let rows = number % 25 == 24 ? 100_000 : sizes[Int.random(in: 0..<sizes.count, using: &random)]
        let kinds = columns.map { _ in CellKind.allCases[Int.random(in: 0..<CellKind.allCases.count, using: &random)] }
        let nullShares = columns.map { _ in [0, 0, 0.01, 0.5, 0.99, 1][Int.random(in: 0..<6, using: &random)] }
        var batches: [RowBatch] = []
        var at = 0
        while at < rows || batches.isEmpty {
            let count = min(rows - at, Int.random(in: 0...max(rows / 2, 1), using: &random))
            var data: [ColumnData] = []
            for (index, column) in columns.enumerated() {
                let share = column.role == .windowEnd ? 0 : nullShares[index]
                data.append(kinds[index].column(column.type, from: at, count: count, nullShare: share, &random))
            }
            batches.append(RowBatch(schema: schema, rowCount: count, columns: data))
            at += count
        }
        self.batches = batches
    }

    /// What is in the table.
    var json: [UInt8] {
        var columns: [String] = []
        for (index, column) in schema.columns.enumerated() {
            let cells = batches.flatMap { batch in (0..<batch.rowCount).map { Self.cell(batch.columns[index], $0) } }
            columns.append(
                "{\"name\":\"\(column.name)\",\"type\":\"\(column.type)\",\"cells\":[\(cells.joined(separator: ","))]}")
        }
        let isDefault = settings.rowGroupBytes == ParquetSettings().rowGroupBytes
        return Array(
            "{\"codec\":\"\(codec)\",\"defaults\":\(isDefault),\"columns\":[\(columns.joined(separator: ",\n"))]}\n"
                .utf8)
    }

    private static func cell(_ column: ColumnData, _ row: Int) -> String {
        if column.isNull(row) { return "null" }
        switch column.values {
        case .timestamps(let values), .integers(let values): return "\(values[row])"
        case .doubles(let values): return "\"\(String(values[row].bitPattern, radix: 16))\""
        case .booleans(let values): return "\(values[row])"
        case .texts(let texts): return "\"\(base64(texts.text(at: row)?.bytes ?? []))\""
        }
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var word: UInt32 = 0
            for offset in 0..<3 { word = word << 8 | UInt32(offset < group.count ? group[start + offset] : 0) }
            for offset in 0..<4 {
                let letter = letters[Int(word >> UInt32(18 - 6 * offset)) & 63]
                out.append(offset <= group.count ? letter : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
