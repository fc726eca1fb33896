/// The columns of a query's result rows, for `derive` and `having`: a closed set, slot i is column i.
///
/// A timestamp is a number of milliseconds; an aggregate's or a derived cell may be null.
public struct ResultScope: ColumnScope, Sendable {
    /// The columns so far, in order.
    public private(set) var columns: [ColumnDescription]

    /// A scope of these columns.
    public init(columns: [ColumnDescription]) { self.columns = columns }

    /// Adds a derived column; later expressions may use it.
    public mutating func append(_ column: ColumnDescription) { columns.append(column) }

    public func meaning(of reference: ColumnReference) -> ColumnMeaning? {
        let name = reference.isLabel ? "labels.\(reference.name)" : reference.name.description
        let wanted = ByteString(name)
        let found =
            columns.firstIndex { ByteString($0.name) == wanted }
            // `labels.X` is the key X where no column is called `labels.X`.
            ?? (reference.isLabel
                ? columns.firstIndex { $0.role == .key && ByteString($0.name) == reference.name } : nil)
        guard let slot = found else { return nil }
        let type: ValueType =
            switch columns[slot].type {
            case .timestamp, .double, .int64: .number
            case .text: .string
            case .boolean: .boolean
            }
        let isNullable = columns[slot].role == .aggregate || columns[slot].role == .derived
        return .column(
            ColumnSlot(
                slot: slot, type: type, dependence: .perRow, isNullable: isNullable,
                isInteger: columns[slot].type == .int64 || columns[slot].type == .timestamp))
    }

    public var columnNames: [String] { columns.map(\.name) }
}
