import Glibc

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
///
/// Order of SEMANTICS §4: column by column as UTF-8 bytes, a missing label first; numbers by value. For `without` the
/// columns are the labels by name: where two keys differ in a label's name, the one that has the later name lacks the
/// earlier one, and so comes first.
///
/// Kept as one run of bytes that compares in just that order: a key is one allocation, and sorting a million of them
/// does not follow pointers. In memory only; checkpoints write cells.
public struct GroupKey: Sendable, Hashable, Comparable {
    let packed: [UInt8]

    private static let missing: UInt8 = 1
    private static let number: UInt8 = 2
    private static let text: UInt8 = 3
    private static let label: UInt8 = 4

    /// A key of these cells.
    public init(_ cells: [KeyCell]) {
        var packed: [UInt8] = []
        var size = 0
        for case .text(let text) in cells { size += text.count + 2 }
        packed.reserveCapacity(size)
        for cell in cells { GroupKey.append(cell, to: &packed) }
        self.packed = packed
    }

    /// Takes bytes in the form of `packed`.
    init(packed: [UInt8]) { self.packed = packed }

    /// Writes the key of a series' own labels, in the order of `columns`, where nil stands for the metric name. The same as
    /// one of their cells: packed texts are copied as they are.
    static func write(
        _ index: UInt32, of series: SeriesDictionary, columns: [ByteString?], to packed: inout GrowingRun<UInt8>
    ) {
        for column in columns {
            let text = text(of: column, index, series)
            guard !text.isEmpty else {
                packed.append(missing)
                continue
            }
            guard let from = text.baseAddress else { continue }
            let to = packed.extend(by: text.count + 2)
            to[0] = GroupKey.text
            ByteHash.copy(from, to: to + 1, text.count)
            to[text.count + 1] = OrderedText.end
        }
    }

    /// Whether these bytes are what `write` writes.
    static func isKey(
        _ packed: UnsafeBufferPointer<UInt8>, of index: UInt32, _ series: SeriesDictionary, columns: [ByteString?]
    ) -> Bool {
        guard let base = packed.baseAddress else { return columns.isEmpty }
        var at = 0
        for column in columns {
            let text = text(of: column, index, series)
            let kind = text.isEmpty ? missing : GroupKey.text
            guard at < packed.count, base[at] == kind else { return false }
            at += 1
            guard let start = text.baseAddress, !text.isEmpty else { continue }
            guard packed.count - at > text.count, ByteHash.equal(base + at, start, text.count),
                base[at + text.count] == OrderedText.end
            else { return false }
            at += text.count + 1
        }
        return at == packed.count
    }

    /// The packed text of a column; empty where the series has none.
    @inline(__always)
    private static func text(
        of column: ByteString?, _ index: UInt32, _ series: SeriesDictionary
    ) -> UnsafeBufferPointer<UInt8> {
        var found = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        // The metric name, then label names and values in turn.
        var place = 0
        var isIt = column == nil
        series.forEachText(of: index) { text in
            if isIt {
                found = text
                return false
            }
            if place & 1 == 1, let column { isIt = OrderedText.isSame(text, column) }
            place += 1
            return true
        }
        return found
    }

    private static func append(_ cell: KeyCell, to packed: inout [UInt8]) {
        switch cell {
        case .missing: packed.append(missing)
        case .text(let value):
            packed.append(text)
            OrderedText.append(value, to: &packed)
        case .number(let bits):
            packed.append(number)
            // IEEE 754's total order as that of unsigned integers: all bits turned below zero, else the sign's.
            let ordered = bits >> 63 == 1 ? ~bits : bits | 1 << 63
            for shift in stride(from: 56, through: 0, by: -8) {
                packed.append(UInt8(truncatingIfNeeded: ordered >> UInt64(shift)))
            }
        case .label(let one):
            packed.append(label)
            let start = packed.count
            OrderedText.append(one.name, to: &packed)
            // A later name comes first.
            for place in start..<packed.count { packed[place] = ~packed[place] }
            OrderedText.append(one.value, to: &packed)
        }
    }

    /// The cells, in the order of the columns.
    public var cells: [KeyCell] {
        var cells: [KeyCell] = []
        forEachCell { cells.append($0.cell) }
        return cells
    }

    /// One cell as it stands in a key.
    enum PackedCell {
        case missing
        case number(bits: UInt64)
        /// Escaped as `OrderedText` does it, without its end.
        case text(UnsafeBufferPointer<UInt8>)
        case label(Label)

        var cell: KeyCell {
            switch self {
            case .missing: .missing
            case .number(let bits): .number(bits: bits)
            case .text(let packed): .text(OrderedText.text(packed))
            case .label(let label): .label(label)
            }
        }
    }

    /// Hands out each cell; the bytes of a text are good during the call only.
    func forEachCell(_ body: (PackedCell) -> Void) {
        packed.withUnsafeBufferPointer { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let length = GroupKey.cellLength(rest)
                body(GroupKey.cell(UnsafeBufferPointer(rebasing: rest[..<length])))
                rest = UnsafeBufferPointer(rebasing: rest[length...])
            }
        }
    }

    /// The length of the first packed cell, its end counted.
    @inline(__always)
    static func cellLength(_ packed: UnsafeBufferPointer<UInt8>) -> Int {
        guard let base = packed.baseAddress, let kind = packed.first else { return 0 }
        func end(after start: Int, _ byte: UInt8) -> Int {
            guard let found = memchr(base + start, Int32(byte), packed.count - start) else { return packed.count }
            return UnsafeRawPointer(found) - UnsafeRawPointer(base) + 1
        }
        switch kind {
        case number: return 9
        case text: return end(after: 1, OrderedText.end)
        case label: return end(after: end(after: 1, ~OrderedText.end), OrderedText.end)
        default: return 1
        }
    }

    /// What a packed cell with its end stands for.
    static func cell(_ packed: UnsafeBufferPointer<UInt8>) -> PackedCell {
        func text(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: packed[range]) }
        switch packed.first {
        case number:
            var ordered: UInt64 = 0
            for byte in packed.dropFirst() { ordered = ordered << 8 | UInt64(byte) }
            return .number(bits: ordered >> 63 == 1 ? ordered & ~(1 << 63) : ~ordered)
        case GroupKey.text: return .text(text(1..<packed.count - 1))
        case label:
            let nameEnd = packed.firstIndex(of: ~OrderedText.end) ?? packed.count - 1
            let name = text(1..<nameEnd).map { ~$0 }
            return .label(
                Label(
                    name.withUnsafeBufferPointer { OrderedText.text($0) },
                    OrderedText.text(text(nameEnd + 1..<packed.count - 1))))
        default: return .missing
        }
    }

    /// A hash of the key, in memory only.
    public var hash64: UInt64 { ByteHash.hash(packed) }

    public static func == (a: GroupKey, b: GroupKey) -> Bool { ByteHash.equal(a.packed, b.packed) }

    public func hash(into hasher: inout Hasher) { hasher.combine(hash64) }

    public static func < (a: GroupKey, b: GroupKey) -> Bool { OrderedText.precedes(a.packed, b.packed) }
}
