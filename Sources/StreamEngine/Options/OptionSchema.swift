/// What a text must be, beyond being a text.
public enum TextKind: String, Sendable, Hashable {
    /// Any text.
    case text
    /// `[a-z0-9-]+`
    case name
    /// `[A-Za-z0-9_-]+`
    case identifier
    /// A file or directory; relative ones are resolved by who uses it.
    case path
    /// A Kafka topic's name.
    case topic
    /// An RE2 regular expression.
    case regex
    /// RFC 3339.
    case time
    /// An expression of JOBS.md over columns.
    case expression
    /// An aggregate call: `avg(value) where …`.
    case aggregate
    /// A PromQL series selector.
    case selector
    /// The name of a label or column.
    case column
}

/// The type of an option's value.
public indirect enum OptionType: Sendable {
    case text(TextKind)
    case boolean
    case integer(ClosedRange<Int64>)
    case number(ClosedRange<Double>)
    /// Milliseconds in this range, written as in JOBS.md: `250ms`, `1m30s`.
    case duration(ClosedRange<Int64>)
    /// Bytes in this range, written as an integer or with `KiB`, `MiB`, `GiB`.
    case size(ClosedRange<Int64>)
    /// One of these words. `off` also stands for an unquoted `false`.
    case word([String])
    case list(OptionType)
    /// A map with any keys.
    case map(OptionType)
    /// A map with declared keys.
    case object(OptionSchema)
    /// A map with exactly one key, which names one of these: `kafka: {…}`. `noun` says what they are: `sink`.
    case oneOf(noun: String, [OptionSchema])
    /// A map whose key `type` names one of these, beside that one's keys. `noun` says what they are: `detector`.
    case byType(noun: String, [OptionSchema])
    /// The first of these that fits.
    case either([OptionType])
    /// Anything: kept as written, checked elsewhere.
    case any

    /// A duration of zero or more (10,000 years at most, so that sums of durations never overflow).
    public static let duration: OptionType = .duration(0...DurationText.maxMs)
    /// A duration longer than zero.
    public static let positiveDuration: OptionType = .duration(1...DurationText.maxMs)
    /// Any text.
    public static let string: OptionType = .text(.text)
    /// A size of one byte or more.
    public static let positiveSize: OptionType = .size(1...Int64.max / 4)
}

/// One key of an `OptionSchema`.
public struct OptionKey: Sendable {
    /// What holds where the key is not written.
    public enum Presence: Sendable {
        /// Leaving it out is an error.
        case required
        /// Left out means absent; the text says what that means, such as `the name`.
        case optional(String)
        /// Left out means this, written as in a job.
        case defaulted(OptionValue)
    }

    public let name: String
    public let type: OptionType
    public let presence: Presence
    /// One line for `--help` and the reference.
    public let summary: String

    /// A key that must be there.
    public static func required(_ name: String, _ type: OptionType, _ summary: String) -> OptionKey {
        OptionKey(name: name, type: type, presence: .required, summary: summary)
    }

    /// A key that may be absent; `meaning` says what then holds.
    public static func optional(
        _ name: String, _ type: OptionType, absent meaning: String = "", _ summary: String
    ) -> OptionKey {
        OptionKey(name: name, type: type, presence: .optional(meaning), summary: summary)
    }

    /// A key with a default.
    public static func defaulted(
        _ name: String, _ type: OptionType, _ value: OptionValue, _ summary: String
    ) -> OptionKey {
        OptionKey(name: name, type: type, presence: .defaulted(value), summary: summary)
    }
}

/// The keys something takes: its name, what it is, and each key's type, default and meaning. Every factory declares
/// one; `validate`, `explain`, `--help`, the reference and "did you mean" walk it.
public struct OptionSchema: Sendable {
    /// What is configured: `kafka`, `watermark`, `query`.
    public let name: String
    /// One line.
    public let summary: String
    public let keys: [OptionKey]

    /// Keys in the order in which documentation lists them. Names are unique.
    public init(_ name: String, _ summary: String, _ keys: [OptionKey]) {
        // Schemas stand in the code.
        precondition(Set(keys.map(\.name)).count == keys.count, "\(name) declares a key twice")
        self.name = name
        self.summary = summary
        self.keys = keys
    }

    /// The key of this name. O(keys).
    public func key(_ name: String) -> OptionKey? { keys.first { $0.name == name } }
}
