import StreamEngine

/// What `sample-json` and `prometheus` rows share: a result row as samples that a source can read back.
///
/// Each number or boolean among a row's aggregates and derived columns is a sample named `<query>_<column>` at the
/// window's end, labelled with the row's key columns. Characters that a metric or label name cannot have become `_` (the
/// `-` of query names first of all); a name that would begin with a digit gets `_` in front; of two labels that became
/// equal the later one gets `_` behind. Nulls and texts are no samples; a missing label is left out.
struct SampleColumns {
    private(set) var windowEnd: Int?
    /// Key columns and their label names.
    private(set) var labels: [(index: Int, name: [UInt8])] = []
    /// Value columns and their metric names.
    private(set) var metrics: [(index: Int, name: [UInt8])] = []

    /// The columns of a schema, for a query.
    init(_ schema: RowSchema, query: String) {
        var taken: Set<[UInt8]> = []
        for (index, column) in schema.columns.enumerated() {
            switch column.role {
            case .windowStart: break
            case .windowEnd: windowEnd = index
            case .key:
                var name = Self.identifier(column.name)
                while !taken.insert(name).inserted { name.append(UInt8(ascii: "_")) }
                labels.append((index, name))
            case .aggregate, .derived:
                if column.type != .text { metrics.append((index, Self.identifier("\(query)_\(column.name)"))) }
            }
        }
    }

    /// A name of the characters `[a-zA-Z0-9_]` that does not begin with a digit (Prometheus data model).
    private static func identifier(_ text: String) -> [UInt8] {
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
                out.append(byte)
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if out.isEmpty { out.append(UInt8(ascii: "_")) }
                out.append(byte)
            default: out.append(UInt8(ascii: "_"))
            }
        }
        return out
    }

    /// The time of a row's samples, ms.
    func timestampMs(_ cursors: [RowCursor], _ row: Int) -> Int64 {
        // A format is given rows of queries only, and every query's schema has the column.
        guard let windowEnd, case .timestamps(let values) = cursors[windowEnd].cells else {
            preconditionFailure("rows without window_end")
        }
        return values[row]
    }
}
