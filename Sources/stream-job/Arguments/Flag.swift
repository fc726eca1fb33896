/// A flag of a command.
struct Flag: Sendable {
    /// With its hyphens: `--set`.
    let name: String
    /// What its value is, for help: `DIR`; nil for a flag without value.
    let value: String?
    /// One line.
    let summary: String
    /// Whether it may be given several times.
    let isRepeatable: Bool
    /// The words its value may be; empty for any.
    let words: [String]

    /// A flag that is there or not.
    static func option(_ name: String, _ summary: String) -> Flag {
        Flag(name: name, value: nil, summary: summary, isRepeatable: false, words: [])
    }

    /// A flag with a value.
    static func valued(
        _ name: String, _ value: String, _ summary: String, isRepeatable: Bool = false, words: [String] = []
    ) -> Flag {
        Flag(name: name, value: value, summary: summary, isRepeatable: isRepeatable, words: words)
    }

    /// `--set KEY=VALUE`
    var usage: String { value.map { "\(name) \($0)" } ?? name }
}

extension Flag {
    /// Taken by every command that reads a job.
    static let set = Flag.valued(
        "--set", "KEY.PATH=VALUE", "override a key of the job; list entries by their name", isRepeatable: true)
    /// Taken by every command.
    static let color = Flag.valued(
        "--color", "WHEN", "auto, always or never; NO_COLOR is obeyed", words: ["auto", "always", "never"])
    /// Taken by every command.
    static let help = Flag.option("--help", "show this")
    /// A machine-readable twin of what a person reads.
    static let json = Flag.option("--json", "print JSON on stdout")
}
