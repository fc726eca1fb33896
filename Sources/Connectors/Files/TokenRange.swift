import StreamEngine

/// Epochs of one incarnation, as a merged file's entry lists them: `<incarnation>.<first>-<last>`.
struct TokenRange: Equatable {
    let incarnation: String
    var first: Int
    var last: Int

    init(_ token: EpochToken) {
        incarnation = token.incarnation
        first = token.number
        last = token.number
    }

    init?(_ text: String) {
        let parts = text.split(separator: ".")
        guard parts.count == 2 else { return nil }
        let numbers = parts[1].split(separator: "-")
        guard numbers.count == 2, let first = Int(numbers[0]), let last = Int(numbers[1]) else { return nil }
        incarnation = String(parts[0])
        self.first = first
        self.last = last
    }

    var text: String { "\(incarnation).\(first)-\(last)" }

    /// The ranges of these, those of one incarnation as one: epochs in between had no rows here, or their files are among
    /// the merged ones.
    static func joined(_ ranges: [TokenRange]) -> [TokenRange] {
        var joined: [TokenRange] = []
        for range in ranges {
            if let last = joined.indices.last, joined[last].incarnation == range.incarnation {
                joined[last].first = min(joined[last].first, range.first)
                joined[last].last = max(joined[last].last, range.last)
            } else {
                joined.append(range)
            }
        }
        return joined
    }
}
