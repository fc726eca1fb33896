import StreamEngine

/// What is wrong with a command line.
struct UsageError: Error {
    let message: String
    /// What to do.
    let hint: String

    init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }
}

/// A command's arguments, taken apart by its flags.
struct ParsedArguments: Sendable {
    /// What is no flag, in order.
    private(set) var positionals: [String] = []
    private var values: [String: [String]] = [:]

    /// Takes `--flag value`, `--flag=value` and `--`. Refuses what `command` does not declare.
    init(_ arguments: some Sequence<String>, of command: Command) throws(UsageError) {
        let flags = command.allFlags
        var rest = Array(arguments)[...]
        var onlyPositionals = false
        while let argument = rest.popFirst() {
            if onlyPositionals || argument == "-" || !argument.hasPrefix("-") {
                positionals.append(argument)
                continue
            }
            if argument == "--" {
                onlyPositionals = true
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = parts[0] == "-h" ? "--help" : String(parts[0])
            guard let flag = flags.first(where: { $0.name == name }) else {
                let near = Suggestion.nearest(name, among: flags.map(\.name))
                throw UsageError(
                    "`\(command.name)` has no flag `\(name)`",
                    hint: near.map { "did you mean `\($0)`?" } ?? "see stream-job \(command.name) --help")
            }
            try take(flag, parts.count > 1 ? String(parts[1]) : nil, &rest)
        }
    }

    private mutating func take(
        _ flag: Flag, _ attached: String?, _ rest: inout ArraySlice<String>
    ) throws(UsageError) {
        guard flag.isRepeatable || values[flag.name] == nil else {
            throw UsageError("`\(flag.name)` is given twice")
        }
        guard flag.value != nil else {
            guard attached == nil else { throw UsageError("`\(flag.name)` takes no value") }
            values[flag.name] = [""]
            return
        }
        guard let value = attached ?? rest.popFirst() else {
            throw UsageError("`\(flag.name)` needs a value", hint: "write \(flag.usage)")
        }
        guard flag.words.isEmpty || flag.words.contains(value) else {
            let near = Suggestion.nearest(value, among: flag.words)
            throw UsageError(
                "`\(flag.name)` takes \(flag.words.joined(separator: ", ")), found `\(value)`",
                hint: near.map { "did you mean `\($0)`?" } ?? "")
        }
        values[flag.name, default: []].append(value)
    }

    /// Whether a flag is there.
    func has(_ flag: Flag) -> Bool { values[flag.name] != nil }

    /// A flag's value; the first of several.
    func value(_ flag: Flag) -> String? { values[flag.name]?.first }

    /// All values of a flag, in order.
    func values(_ flag: Flag) -> [String] { values[flag.name] ?? [] }

    /// A flag's value as a time (RFC 3339), in ms.
    func timeMs(_ flag: Flag) throws(UsageError) -> Int64? {
        guard let text = value(flag) else { return nil }
        guard let ms = EventTime.parseRFC3339(text) else {
            throw UsageError(
                "`\(flag.name)` takes an RFC 3339 time, found `\(text)`", hint: "such as 2026-01-01T00:00:00Z")
        }
        return ms
    }

    /// A flag's value as a whole number.
    func integer(_ flag: Flag, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
        guard let text = value(flag) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw UsageError(
                "`\(flag.name)` takes a whole number from \(range.lowerBound) to \(range.upperBound), found `\(text)`")
        }
        return number
    }

    /// The one job file of a command that takes one.
    func onlyJob() throws(UsageError) -> String {
        guard let first = positionals.first else {
            throw UsageError(
                "no job file is given", hint: "a path such as jobs/node-load.yaml; `--help` shows examples")
        }
        guard positionals.count == 1 else {
            throw UsageError(
                "one job file is expected, found \(positionals.count): \(positionals.joined(separator: " "))")
        }
        return first
    }
}
