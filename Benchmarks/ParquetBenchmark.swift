import Connectors
import Glibc
import Platform
import StreamEngine

/// Writing Parquet, one core, from rows in memory to the bytes of a file: 1 M rows as a job emits them (2 times, 2 texts of
/// 500 and 8 different values, 4 doubles of which one is whole and one often null, a count, a flag), in batches of 500.
/// Then, where there is a Python with pyarrow (`.venv`), pyarrow over the same table with the same codec
/// (scripts/verify/parquet_speed.py). MB are those of the columns in memory: 8 bytes a number, 1 a flag, a text and 4.
func runParquetBenchmark() throws {
    let batches = parquetRows(count: 1_000_000, batch: 500)
    let bytes = batches.reduce(0) { $0 + columnBytes($1) }
    let directory = "/tmp/stream-job-benchmark-\(getpid())"
    let files = PosixFileSystem()
    defer { try? files.removeTree(directory) }
    try files.createDirectories(directory)
    let codecs: [(String, BlockCompression)] = [
        ("none", .none), ("snappy", .snappy), ("lz4", .lz4), ("zstd", .zstd(level: 3)),
    ]
    for (name, compression) in codecs {
        var settings = ParquetSettings()
        settings.compression = compression
        var best = Duration.seconds(3600)
        var file: [UInt8] = []
        for _ in 0..<5 {
            let time = try ContinuousClock().measure {
                var table = ParquetTable(batches[0].schema, settings: settings)
                for batch in batches { try table.append(batch) }
                file = try table.finish()
            }
            best = min(best, time)
        }
        let seconds = Double(best.components.seconds) + Double(best.components.attoseconds) / 1e18
        print(
            "parquet, \(name): \(bytes / 1_000_000) MB of columns, "
                + "\(Int(Double(bytes) / seconds / 1e6)) MB/s, file of \(file.count) bytes (best of 5)")
        try files.writeAtomically(file, to: "\(directory)/\(name).parquet")
    }
    fflush(nil)
    let status = system(
        "[ ! -x .venv/bin/python ] || .venv/bin/python scripts/verify/parquet_speed.py \(directory) \(bytes)")
    guard status == 0 else { throw JobFailure("scripts/verify/parquet_speed.py failed") }
}

private func columnBytes(_ batch: RowBatch) -> Int {
    batch.columns.reduce(0) { sum, column in
        switch column.values {
        case .timestamps, .doubles, .integers: sum + batch.rowCount * 8
        case .booleans: sum + batch.rowCount
        case .texts(let texts):
            sum + (0..<batch.rowCount).reduce(0) { $0 + 4 + (texts.text(at: $1)?.count ?? 0) }
        }
    }
}

private func parquetRows(count: Int, batch rowCount: Int) -> [RowBatch] {
    let schema = RowSchema(columns: [
        ColumnDescription(name: "window_start", type: .timestamp, role: .windowStart),
        ColumnDescription(name: "window_end", type: .timestamp, role: .windowEnd),
        ColumnDescription(name: "instance", type: .text, role: .key),
        ColumnDescription(name: "mode", type: .text, role: .key),
        ColumnDescription(name: "idle", type: .double, role: .aggregate),
        ColumnDescription(name: "rate", type: .double, role: .aggregate),
        ColumnDescription(name: "bytes", type: .double, role: .aggregate),
        ColumnDescription(name: "limit", type: .double, role: .aggregate),
        ColumnDescription(name: "series", type: .int64, role: .aggregate),
        ColumnDescription(name: "hot", type: .boolean, role: .derived),
    ])
    let instances = (0..<500).map { ByteString("10.0.\($0 / 100).\($0 % 100):9100") }
    let modes: [ByteString] = ["user", "system", "idle", "iowait", "irq", "softirq", "steal", "nice"]
    var state: UInt64 = 1
    func random() -> Double {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(state >> 11) / Double(1 << 53)
    }
    return stride(from: 0, to: count, by: rowCount).map { first in
        let start = 1_767_225_600_000 + Int64(first / 4000) * 30_000
        let rows = first..<(first + rowCount)
        return RowBatch(
            schema: schema, rowCount: rowCount,
            columns: [
                ColumnData(.timestamps(rows.map { _ in start })),
                ColumnData(.timestamps(rows.map { _ in start + 300_000 })),
                ColumnData(.texts(TextColumn(dictionary: instances, codes: rows.map { Int32($0 / 8 % 500) }))),
                ColumnData(.texts(TextColumn(dictionary: modes, codes: rows.map { Int32($0 % 8) }))),
                ColumnData(.doubles(rows.map { _ in random() })),
                ColumnData(.doubles(rows.map { _ in (random() * 100_000).rounded() / 1000 })),
                ColumnData(.doubles(rows.map { _ in (random() * 1e9).rounded() })),
                ColumnData(.doubles(rows.map { _ in random() * 10 }), valid: rows.map { _ in random() < 0.2 }),
                ColumnData(.integers(rows.map { _ in Int64(random() * 16) })),
                ColumnData(.booleans(rows.map { _ in random() < 0.05 })),
            ])
    }
}
