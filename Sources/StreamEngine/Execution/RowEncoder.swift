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
    /// Another encoder of the same kind, for another thread: what it makes of rows is the same bytes.
    func another() -> any RowEncoder
}

/// A sink that writes rows as bytes, one after another: another thread can make them before it is the rows' turn.
public protocol EncodedRowSink: Sink {
    /// An encoder for another thread, whose bytes the sink takes in place of the rows; nil where it was made for documents.
    func makeEncoder() -> (any RowEncoder)?
    /// Takes rows that are encoded already, in emission order.
    func write(_ rows: EncodedRows, _ info: EmissionInfo) throws(SinkError)
}
