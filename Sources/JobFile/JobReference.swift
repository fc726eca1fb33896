import StreamEngine

/// The reference of a job file's keys, sinks, formats and functions, in Markdown, made of the schemas that check jobs.
public struct JobReference {
    private let schema: JobSchema
    private var registries: Registries { schema.registries }

    /// The reference over a schema.
    public init(_ schema: JobSchema) { self.schema = schema }

    /// The whole text.
    public func markdown() -> String {
        var out = "## Keys of a job\n\n"
        section(schema.root, title: "job", to: &out)
        out += "## Sinks\n\nEach entry of `sinks` is a map with one key, the sink's kind.\n\n"
        for sink in registries.sinks {
            out += "### `\(sink.kind)`\n\n\(Self.sentence(sink.schema.summary)) Output modes: "
            out +=
                OutputMode.allCases.filter(sink.outputModes.contains).map(\.rawValue).joined(separator: ", ") + ".\n\n"
            table(sink.schema, to: &out)
            for (key, nested) in Self.nested(sink.schema) { section(nested, title: "\(sink.kind).\(key)", to: &out) }
        }
        out += detectors() + formats() + functions()
        return out
    }

    private func section(_ schema: OptionSchema, title: String, to out: inout String) {
        out += "### `\(title)`\n\n\(Self.sentence(schema.summary))\n\n"
        table(schema, to: &out)
        let prefix = title == "job" ? "" : "\(title)."
        for (key, nested) in Self.nested(schema) { section(nested, title: "\(prefix)\(key)", to: &out) }
    }

    private func table(_ schema: OptionSchema, to out: inout String) {
        guard !schema.keys.isEmpty else {
            out += "No keys.\n\n"
            return
        }
        out += "| key | type | default | meaning |\n|---|---|---|---|\n"
        for key in schema.keys {
            out += "| `\(key.name)` | \(Self.cell(Self.type(key.type))) | \(Self.cell(Self.presence(key))) | "
            out += "\(Self.cell(key.summary)) |\n"
        }
        out += "\n"
    }

    /// Maps of declared keys below a schema; sinks have chapters of their own.
    private static func nested(_ schema: OptionSchema) -> [(String, OptionSchema)] {
        schema.keys.compactMap { key in nested(key.type, key.name) }.filter {
            !["console", "jsonl", "kafka"].contains($0.0) || $0.1.name == "kafka" && $0.1.key("topic") == nil
        }
    }

    private static func nested(_ type: OptionType, _ name: String) -> (String, OptionSchema)? {
        switch type {
        case .object(let schema): (name, schema)
        case .list(let element): nested(element, "\(name)[]")
        case .map(let element): nested(element, "\(name).NAME")
        case .either(let types): types.lazy.compactMap { nested($0, name) }.first
        default: nil
        }
    }

    private static func type(_ type: OptionType) -> String {
        switch type {
        case .list(let element): "list of \(self.type(element))"
        case .map(let element): "map of \(self.type(element))"
        case .oneOf(let noun, _): "a \(noun)"
        case .either(let types): types.map { self.type($0) }.joined(separator: " or ")
        default: type.inWords
        }
    }

    private static func presence(_ key: OptionKey) -> String {
        switch key.presence {
        case .required: "required"
        case .optional(let meaning): meaning
        case .defaulted(let value): "`\(OptionText.yaml(value))`"
        }
    }

    private func detectors() -> String {
        var out = "## Detectors\n\n"
        if registries.detectors.isEmpty { return out + "This build has none; `anomalies` is checked and refused.\n\n" }
        for detector in registries.detectors { section(detector.schema, title: detector.name, to: &out) }
        return out
    }

    private func formats() -> String {
        var out = "## Formats\n\n| format | records | meaning |\n|---|---|---|\n"
        for format in registries.formats {
            let kind = format.kind == .samples ? "samples" : "events"
            out += "| `\(format.name)` | \(kind) | \(Self.cell(format.summary)) |\n"
        }
        return out + "\n"
    }

    private func functions() -> String {
        var out = "## Aggregates\n\nThe outer function of `aggregates:`.\n\n| aggregate | meaning |\n|---|---|\n"
        for aggregate in registries.aggregates {
            let argument =
                switch aggregate.argument {
                case .optional: "[x]"
                case .number, .numberOrText: "x"
                }
            let call = "\(aggregate.name)(\(aggregate.parameter == nil ? "" : "q, ")\(argument))"
            out += "| `\(call)` | \(Self.cell(aggregate.summary)) |\n"
        }
        for aggregate in registries.bucketAggregates {
            out += "| `\(aggregate.name)(\(aggregate.parameter.name), inner(x))` | \(Self.cell(aggregate.summary)) |\n"
        }
        out += "\n## Per-series functions\n\nThe inner function: once for each series and window.\n\n"
        out += "| function | meaning |\n|---|---|\n"
        for function in registries.seriesFunctions {
            let call: String
            switch function.parameter {
            case nil: call = "\(function.name)(x)"
            case let parameter? where parameter.position == .leading:
                call = "\(function.name)(\(parameter.name), x)"
            case let parameter?: call = "\(function.name)(x, \(parameter.name))"
            }
            out += "| `\(call)` | \(Self.cell(function.summary)) |\n"
        }
        out += "\n## Functions in expressions\n\n| function | meaning |\n|---|---|\n"
        for function in ScalarFunction.allCases {
            out += "| `\(function.signature)` | \(Self.cell(function.summary)) |\n"
        }
        return out + "\n"
    }

    private static func sentence(_ text: String) -> String {
        let capital = text.prefix(1).uppercased() + text.dropFirst()
        return capital.hasSuffix(".") ? capital : capital + "."
    }

    private static func cell(_ text: String) -> String {
        text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
    }
}
