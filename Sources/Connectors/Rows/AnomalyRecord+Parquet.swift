import Platform
import StreamEngine

extension AnomalyRecord {
    /// The anomalies of one Parquet file; none where it holds other rows. Columns that are folders (`detector=hot/`) come from
    /// the file's path.
    static func read(parquet path: String, entry: String, files: any FileSystem) throws -> [AnomalyRecord] {
        let file = try ParquetFile(path, files: files)
        var places: [String: Int] = [:]
        for (place, column) in file.columns.enumerated() { places[column.name] = place }
        guard let labels = places["labels"], let timestamp = places["timestamp"], places["reason"] != nil,
            places["incidentId"] != nil
        else { return [] }
        var folders: [String: String] = [:]
        for part in entry.split(separator: "/").dropLast() {
            let pair = part.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { folders[String(pair[0])] = String(pair[1]) }
        }
        var records: [AnomalyRecord] = []
        let rows = ParquetRows(file)
        while let (count, columns) = try rows.next(4096) {
            guard case .timestamps(let times) = columns[timestamp].values else { return [] }
            for row in 0..<count {
                func text(_ place: Int) -> ByteString? {
                    if case .texts(let cells) = columns[place].values { cells.text(at: row) } else { nil }
                }
                // As the JSON row has it: one reader says what an anomaly is.
                var object = JSONObject()
                for name in ["query", "detector", "state", "severity", "reason"] {
                    let value = places[name].flatMap(text) ?? folders[name].map { ByteString($0) }
                    object.add(name, text: value?.bytes ?? [])
                }
                object.add("timestamp", timeMs: times[row])
                object.add("labels", raw: text(labels)?.bytes ?? Array("{}".utf8))
                if let record = AnomalyRecord(json: object.closed[...]) { records.append(record) }
            }
        }
        return records
    }
}
