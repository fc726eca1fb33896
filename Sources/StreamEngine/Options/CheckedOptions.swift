/// A value that fits its `OptionType`.
public indirect enum OptionValue: Sendable, Equatable {
    /// Texts of every kind, and words.
    case text(String)
    case boolean(Bool)
    case integer(Int64)
    case number(Double)
    /// Milliseconds.
    case duration(Int64)
    /// Bytes.
    case size(Int64)
    case list([OptionValue])
    /// In the order written.
    case map([OptionPair])
    case object(CheckedOptions)
    /// `kafka: {…}`
    case tagged(String, CheckedOptions)
}

/// One entry of a map of any keys.
public struct OptionPair: Sendable, Equatable {
    public var key: String
    public var value: OptionValue

    /// A key and its value.
    public init(_ key: String, _ value: OptionValue) {
        self.key = key
        self.value = value
    }
}

/// Options that fit their schema, defaults filled in: what factories are made from. Reading a key that the schema does
/// not declare, or as another type than declared, is a mistake of the factory and stops the process.
public struct CheckedOptions: Sendable, Equatable {
    /// The name of the schema they were checked against.
    public let schemaName: String
    /// Where they stand in the job: `queries.cpu.sinks.0.kafka`.
    public let path: String
    private var values: [String: OptionValue]
    private let declared: [String]
    /// Keys that the user wrote (the others hold defaults).
    public let written: Set<String>

    /// Whether nothing in them was wrong. Only then may a factory have them: others may lack required keys.
    public let isComplete: Bool

    init(
        schema: OptionSchema, path: String, values: [String: OptionValue], written: Set<String>, isComplete: Bool
    ) {
        self.isComplete = isComplete
        schemaName = schema.name
        self.path = path
        self.values = values
        self.written = written
        declared = schema.keys.map(\.name)
    }

    /// Equal values; who wrote a default out means the same.
    public static func == (a: CheckedOptions, b: CheckedOptions) -> Bool {
        a.schemaName == b.schemaName && a.values == b.values
    }

    /// Every value there is, in the schema's order.
    public var pairs: [OptionPair] { declared.compactMap { key in values[key].map { OptionPair(key, $0) } } }

    /// Whether the schema has this key.
    public func declares(_ key: String) -> Bool { declared.contains(key) }

    /// The value of a declared key, nil where it is absent.
    public func value(_ key: String) -> OptionValue? {
        // Keys are named in the code, beside the schema that declares them; none comes from a job.
        precondition(declared.contains(key), "\(schemaName) declares no key \(key)")
        return values[key]
    }

    /// The path of a key in the job, for messages.
    public func path(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// A text or word.
    public func text(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        if case .text(let text) = value { return text }
        return nil
    }

    /// A boolean.
    public func boolean(_ key: String) -> Bool? {
        if case .boolean(let value)? = value(key) { return value }
        return nil
    }

    /// An integer.
    public func integer(_ key: String) -> Int? {
        if case .integer(let value)? = value(key) { return Int(value) }
        return nil
    }

    /// A number.
    public func number(_ key: String) -> Double? {
        if case .number(let value)? = value(key) { return value }
        return nil
    }

    /// A duration in milliseconds; nil where absent or a word (`off`).
    public func durationMs(_ key: String) -> Int64? {
        if case .duration(let value)? = value(key) { return value }
        return nil
    }

    /// A size in bytes; nil where absent or a word (`none`).
    public func bytes(_ key: String) -> Int64? {
        if case .size(let value)? = value(key) { return value }
        return nil
    }

    /// A list's texts; empty where absent.
    public func texts(_ key: String) -> [String] {
        list(key).compactMap {
            if case .text(let text) = $0 { return text }
            return nil
        }
    }

    /// A list; empty where absent.
    public func list(_ key: String) -> [OptionValue] {
        if case .list(let values)? = value(key) { return values }
        return []
    }

    /// A map of any keys; empty where absent.
    public func map(_ key: String) -> [OptionPair] {
        if case .map(let pairs)? = value(key) { return pairs }
        return []
    }

    /// Options below; nil where absent or a word.
    public func object(_ key: String) -> CheckedOptions? {
        if case .object(let options)? = value(key) { return options }
        return nil
    }
}

extension CheckedOptions {
    /// A text the schema requires or has a default for.
    public func requiredText(_ key: String) -> String { must(text(key), key) }
    /// A boolean the schema requires or has a default for.
    public func requiredBoolean(_ key: String) -> Bool { must(boolean(key), key) }
    /// An integer the schema requires or has a default for.
    public func requiredInteger(_ key: String) -> Int { must(integer(key), key) }
    /// A duration in milliseconds the schema requires or has a default for.
    public func requiredDurationMs(_ key: String) -> Int64 { must(durationMs(key), key) }
    /// A size in bytes the schema requires or has a default for.
    public func requiredBytes(_ key: String) -> Int64 { must(bytes(key), key) }

    private func must<T>(_ value: T?, _ key: String) -> T {
        // Required keys are there where `isComplete`, and no other options come this far: a job with errors is not compiled.
        guard let value else { preconditionFailure("\(schemaName) gives \(key) neither a value nor a default") }
        return value
    }
}
