import StreamEngine

/// How result rows are written to Kafka or files (JOBS.md "Rows out"). Adding one is one file and one line in `all`.
public protocol RowFormat: Sendable {
    /// The name in a sink's `format:`.
    var name: String { get }
    /// One line for `--help` and the reference.
    var summary: String { get }
    /// An encoder of one query's rows.
    func makeEncoder(query: String) -> any RowEncoder
}

/// Every row format.
public enum RowFormats {
    /// In the order in which documentation lists them; the first is the default.
    public static let all: [any RowFormat] = [JSONRows(), SampleJSONRows(), PrometheusRows()]

    /// The format of this name.
    public static func named(_ name: String) -> (any RowFormat)? { all.first { $0.name == name } }
}
