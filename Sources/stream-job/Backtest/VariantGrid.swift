import JobFile
import StreamEngine

/// The variants that `--set PATH=V1,V2` spans: every combination of values.
struct VariantGrid {
    /// One key with its values, as written.
    struct Axis {
        let path: String
        let values: [String]
    }

    /// Variants in one run, at most.
    static let variantsMax = 256

    let axes: [Axis]

    init(_ settings: [String]) throws(UsageError) {
        axes = settings.map { setting in
            guard let equals = setting.firstIndex(of: "=") else { return Axis(path: setting, values: [""]) }
            return Axis(
                path: String(setting[..<equals]), values: Self.values(String(setting[setting.index(after: equals)...])))
        }
        let count = axes.reduce(1) { min($0 * $1.values.count, Self.variantsMax + 1) }
        guard count <= Self.variantsMax else {
            throw UsageError(
                "the grid has more than \(Self.variantsMax) variants", hint: "fewer values, or several runs")
        }
    }

    /// Parts between commas outside of quotes, brackets and braces.
    static func values(_ text: String) -> [String] {
        var parts = [""]
        var depth = 0
        var quote: Character?
        for character in text {
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if "[{(".contains(character) {
                depth += 1
            } else if "]})".contains(character) {
                depth -= 1
            } else if character == ",", depth == 0 {
                parts.append("")
                continue
            }
            parts[parts.count - 1].append(character)
        }
        return parts
    }

    /// Each variant's overrides, in the order of the keys, the last key's values changing first.
    var overrides: [[String]] {
        axes.reduce([[]]) { made, axis in
            made.flatMap { before in axis.values.map { before + ["\(axis.path)=\($0)"] } }
        }
    }

    /// What tells a variant from the others: the keys with several values.
    func name(_ overrides: [String]) -> String {
        let telling = zip(axes, overrides).filter { $0.0.values.count > 1 }.map(\.1)
        return telling.isEmpty ? "the job as it is" : telling.joined(separator: " ")
    }
}
