import StreamEngine
import TestSupport

/// What the cells of a column look like, so that every encoding has its turn.
enum CellKind: CaseIterable {
    case constant, few, rising, anything, extremes, sorted

    func column(
        _ type: ColumnType, from first: Int, count: Int, nullShare: Double, _ random: inout SeededRandom
    ) -> ColumnData {
        let isValid = (0..<count).map { _ in Double.random(in: 0..<1, using: &random) >= nullShare }
        let valid = isValid.contains(false) || Bool.random(using: &random) ? isValid : nil
        switch type {
        case .timestamp: return ColumnData(.timestamps(integers(first, count, times: true, &random)), valid: valid)
        case .int64: return ColumnData(.integers(integers(first, count, times: false, &random)), valid: valid)
        case .double: return ColumnData(.doubles((0..<count).map { double(first + $0, &random) }), valid: valid)
        case .boolean:
            let cells = (0..<count).map { row in
                self == .constant || (self == .few && row % 50 < 30) || Bool.random(using: &random)
            }
            return ColumnData(.booleans(cells), valid: valid)
        case .text:
            // A dictionary with texts that nobody uses, and some twice.
            var dictionary: [ByteString] = ["unused", "twice", "twice"]
            var codes: [Int32] = []
            for row in 0..<count {
                if !isValid[row] {
                    codes.append(TextColumn.null)
                } else {
                    dictionary.append(text(first + row, &random))
                    codes.append(Int32(dictionary.count - 1))
                }
            }
            return ColumnData(.texts(TextColumn(dictionary: dictionary, codes: codes)))
        }
    }

    private func integers(_ first: Int, _ count: Int, times: Bool, _ random: inout SeededRandom) -> [Int64] {
        let start: Int64 = 1_767_225_600_000
        // What Python's datetime can tell.
        let range: ClosedRange<Int64> = times ? -62_000_000_000_000...253_000_000_000_000 : .min ... .max
        return (0..<count).map { row in
            switch self {
            case .constant: start
            case .few: start + Int64.random(in: 0..<7, using: &random) * 1000
            case .rising, .sorted: start + Int64(first + row) * 15_000 + Int64.random(in: 0..<3, using: &random)
            case .anything: Int64.random(in: range, using: &random)
            case .extremes: [range.lowerBound, range.upperBound, 0, -1, 1][Int.random(in: 0..<5, using: &random)]
            }
        }
    }

    private func double(_ row: Int, _ random: inout SeededRandom) -> Double {
        switch self {
        case .constant: return row % 1000 < 900 ? 0.0 : -0.0
        case .few: return Double(Int.random(in: 0..<20, using: &random)) / 10
        case .rising, .sorted: return Double(row) * 1.25
        case .anything: return Double(bitPattern: random.next())
        case .extremes:
            let values = [
                Double.nan, -.nan, .infinity, -.infinity, 0.0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
            ]
            return values[Int.random(in: 0..<(row < 2000 ? 2 : values.count), using: &random)]
        }
    }

    private func text(_ row: Int, _ random: inout SeededRandom) -> ByteString {
        switch self {
        case .constant: return "node-1"
        case .few: return ByteString("node-\(Int.random(in: 0..<9, using: &random))")
        case .rising: return ByteString("10.0.0.\(row)")
        case .sorted: return ByteString("/api/v1/things/\(1_000_000 + row)/where/\(row % 3)")
        case .anything:
            let letters: [Character] = ["a", "ß", "\u{0}", "\"", "\u{10FFFF}", "ﬁ", "z", "\u{D7FF}", " ", "\n"]
            return ByteString(
                String(
                    (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                        letters[Int.random(in: 0..<letters.count, using: &random)]
                    }))
        case .extremes:
            let one: Character = row % 2 == 0 ? "\u{10FFFF}" : "ß"
            let length = [0, 1, 31, 32, 33, 64, 65, 100, row % 500 == 0 ? 300_000 : 7]
            return ByteString(String(repeating: one, count: length[Int.random(in: 0..<9, using: &random)]))
        }
    }
}
