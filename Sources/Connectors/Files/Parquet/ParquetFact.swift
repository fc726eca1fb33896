import StreamEngine

/// Keys of the footer's key-value metadata in our own files: what the columns alone do not say.
enum ParquetFact {
    static let job = "job"
    static let query = "query"
    static let epoch = "epoch"
    /// What part each column plays, in order: `window_start,window_end,key,aggregate`. A file without it is read by types:
    /// texts are keys.
    static let roles = "roles"

    /// The value of `roles` for some columns.
    static func roles(of columns: [ColumnDescription]) -> String {
        columns.map { column in
            switch column.role {
            case .windowStart: "window_start"
            case .windowEnd: "window_end"
            case .key: "key"
            case .aggregate: "aggregate"
            case .derived: "derived"
            }
        }.joined(separator: ",")
    }

    static func role(_ word: Substring) -> ColumnRole? {
        switch word {
        case "window_start": .windowStart
        case "window_end": .windowEnd
        case "key": .key
        case "aggregate": .aggregate
        case "derived": .derived
        default: nil
        }
    }
}
