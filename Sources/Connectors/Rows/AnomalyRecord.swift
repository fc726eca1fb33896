import Platform
import StreamEngine

/// An anomaly read back from its JSON row: what identifies it, and what a person reads.
public struct AnomalyRecord: Sendable, Hashable {
    public var query = ""
    public var detector = ""
    /// Sorted by name.
    public var labels: [Label] = []
    public var timestampMs: Int64 = 0
    /// `firing`, `resolved`, `flagged` or `normal`.
    public var state = ""
    public var severity = ""
    public var reason = ""

    /// Every committed anomaly in the file outputs (JSON lines, Parquet) below a directory, in the order written; other rows are passed over.
    public static func read(
        below directory: String, files: any FileSystem = PosixFileSystem()
    ) throws -> [AnomalyRecord] {
        var records: [AnomalyRecord] = []
        let names = try files.list(directory)
        if names.contains(ManifestName.directory) {
            let reader = ManifestReader(directory: directory, files: files)
            for entry in try reader.entries() {
                if entry.path.hasSuffix(".parquet") {
                    let path = FilePath.join(directory, entry.path)
                    records += try read(parquet: path, entry: entry.path, files: files)
                    continue
                }
                let bytes = try reader.committedBytes(of: entry)
                let compression = Compression(forName: entry.path)
                let lines =
                    compression == .none
                    ? bytes
                    : bytes.withUnsafeBytes { Compression.prefix(of: $0, compression, limit: 1 << 30) } ?? []
                for line in lines.split(separator: 10) {
                    if let record = AnomalyRecord(json: line) { records.append(record) }
                }
            }
        }
        for name in names where name != ManifestName.directory && !name.hasPrefix(".") {
            let path = FilePath.join(directory, name)
            if try files.status(path)?.kind == .directory { records += try read(below: path, files: files) }
        }
        return records
    }

    /// A row; nil for what is no anomaly.
    init?(json line: ArraySlice<UInt8>) {
        var record = AnomalyRecord()
        var hasTime = false
        let isWhole = line.withUnsafeBufferPointer { buffer in
            Result { () throws(DecodeFault) in
                guard var at = buffer.baseAddress else { return }
                try JSONScanner.members(&at, at + buffer.count) { key, value throws(DecodeFault) in
                    if JSONScanner.matches(key, "labels"), value.kind == .object {
                        record.labels = try Self.labels(value)
                        return
                    }
                    guard value.kind == .string else { return }
                    let text = value.text
                    if JSONScanner.matches(key, "query") { record.query = text.description }
                    if JSONScanner.matches(key, "detector") { record.detector = text.description }
                    if JSONScanner.matches(key, "state") { record.state = text.description }
                    if JSONScanner.matches(key, "severity") { record.severity = text.description }
                    if JSONScanner.matches(key, "reason") { record.reason = text.description }
                    if JSONScanner.matches(key, "timestamp"), let time = EventTime.parseRFC3339(text.description) {
                        record.timestampMs = time
                        hasTime = true
                    }
                }
            }
        }
        guard case .success = isWhole, hasTime, !record.detector.isEmpty, !record.state.isEmpty else { return nil }
        self = record
    }

    private init() {}

    private static func labels(_ object: JSONValue) throws(DecodeFault) -> [Label] {
        var labels: [Label] = []
        var at = object.start
        try JSONScanner.members(&at, object.end) { key, value throws(DecodeFault) in
            guard value.kind == .string else { return }
            labels.append(Label(key.text, value.text))
        }
        return labels.sorted { $0.name < $1.name }
    }
}
