/// One cell of a group's key.
public enum KeyCell: Sendable, Hashable {
    /// The series has no such label.
    case missing
    case text(ByteString)
    /// A number (`partition`, a derived column), by its bits so that every NaN is one key.
    case number(bits: UInt64)
    /// A label with its name: keys of `without` carry their own labels.
    case label(Label)

    /// A number as a key.
    public static func number(_ value: Double) -> KeyCell {
        .number(bits: value.isNaN ? Double.nan.bitPattern : (value == 0 ? 0 : value.bitPattern))
    }
}

/// What a row is grouped by: one cell for each `groupBy` column, or with `without` the labels that are left, by name.
public struct GroupKey: Sendable, Hashable, Comparable {
    public let cells: [KeyCell]

    /// A key of these cells.
    public init(_ cells: [KeyCell]) {
        self.cells = cells
    }

    /// Order of SEMANTICS §4: column by column as UTF-8 bytes, a missing label first; numbers by value.
    ///
    /// For `without` the columns are the labels by name: where two keys differ in a label's name, the one that has the
    /// later name lacks the earlier one, and so comes first.
    public static func < (a: GroupKey, b: GroupKey) -> Bool {
        for (x, y) in zip(a.cells, b.cells) where x != y {
            switch (x, y) {
            case (.missing, _): return true
            case (_, .missing): return false
            case (.text(let s), .text(let t)): return s < t
            case (.label(let s), .label(let t)): return s.name != t.name ? t.name < s.name : s.value < t.value
            case (.number(let s), .number(let t)):
                return Double(bitPattern: s).isTotallyOrdered(belowOrEqualTo: Double(bitPattern: t))
            case (.number, _): return true
            case (_, .number): return false
            case (.text, .label): return true
            case (.label, .text): return false
            }
        }
        return a.cells.count < b.cells.count
    }
}
