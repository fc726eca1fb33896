import StreamEngine

/// Encoded rows, one after another in one growing buffer.
public struct EncodedRows: Sendable {
    /// The rows' bytes, without anything between them.
    public var bytes: [UInt8] = []
    /// Where each row ends in `bytes`.
    public private(set) var ends: [Int] = []

    /// No rows.
    public init() {}

    /// The number of rows.
    public var count: Int { ends.count }

    /// Where a row's bytes lie. Empty for a row that its format has nothing to say about (only nulls, as samples).
    public func range(of row: Int) -> Range<Int> { (row == 0 ? 0 : ends[row - 1])..<ends[row] }

    /// Ends a row at what has been appended to `bytes`.
    public mutating func endRow() { ends.append(bytes.count) }

    /// Forgets the rows, keeps the memory.
    public mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }
}

/// Turns result rows into bytes. Holds look-up tables of the columns met last; used by one thread.
public protocol RowEncoder: AnyObject {
    /// Appends every row of `rows`, and to `keys` (where given) each row's Kafka key. A row's bytes have no line end
    /// after them; rows of several samples have one between two.
    func encode(_ rows: RowBatch, into out: inout EncodedRows)
}

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
