/// What checking gathers: every finding, and where each key stands.
public struct OptionCheck: Sendable {
    public var diagnostics: [Diagnostic] = []
    public var positions = OptionPositions()
    /// Errors, and nodes that were broken before.
    private(set) var faultCount = 0

    /// Nothing found yet.
    public init() {}

    /// Adds an error.
    public mutating func error(
        _ message: String, path: String, at span: SourceSpan?, label: String = "", notes: [String] = []
    ) {
        diagnostics.append(Diagnostic(.error, message, path: path, span: span, label: label, notes: notes))
        faultCount += 1
    }

    /// Notes a node that something was already said about.
    mutating func skipBroken() { faultCount += 1 }
}

extension OptionSchema {
    /// Checks a node against this schema: keys, types, required ones; fills in defaults. Every finding is added to
    /// `check`; what is wrong is left out of the result, so that checks further on see what is right.
    public func check(_ node: OptionNode, path: String, into check: inout OptionCheck) -> CheckedOptions {
        var values: [String: OptionValue] = [:]
        var written: Set<String> = []
        let before = check.faultCount
        guard let entries = entries(of: node, path: path, into: &check) else {
            return CheckedOptions(schema: self, path: path, values: [:], written: [], isComplete: false)
        }
        var meant: Set<String> = []
        for entry in entries {
            let keyPath = path.isEmpty ? entry.key : "\(path).\(entry.key)"
            guard let key = key(entry.key) else {
                if let near = unknown(entry, path: keyPath, into: &check) { meant.insert(near) }
                continue
            }
            check.positions.note(keyPath, key: entry.keySpan, value: entry.value)
            written.insert(key.name)
            if entry.value.isNull, case .defaulted(let value) = key.presence {
                values[key.name] = value
            } else if let value = key.type.check(entry.value, name: key.name, path: keyPath, into: &check) {
                values[key.name] = value
            }
        }
        for key in keys where !written.contains(key.name) {
            switch key.presence {
            case .defaulted(let value): values[key.name] = value
            case .optional: break
            case .required where meant.contains(key.name): break
            case .required:
                check.error(
                    "\(article(name)) needs `\(key.name)`", path: path,
                    at: check.positions.place(path)?.key ?? node.span ?? check.positions.keySpan(path),
                    label: key.summary)
            }
        }
        return CheckedOptions(
            schema: self, path: path, values: values, written: written,
            isComplete: check.faultCount == before)
    }

    /// Nothing written: every default.
    public func defaults(path: String) -> CheckedOptions {
        var ignored = OptionCheck()
        return check(OptionNode(.map([])), path: path, into: &ignored)
    }

    private func entries(of node: OptionNode, path: String, into check: inout OptionCheck) -> [OptionEntry]? {
        switch node.content {
        case .map(let entries): return entries
        case .scalar(let scalar) where scalar.isNull: return []
        case .scalar, .list:
            let some = keys.prefix(3).map(\.name).joined(separator: ", ")
            check.error(
                "`\(name)` is a map of keys, found \(node.kindInWords)", path: path, at: node.span,
                label: some.isEmpty ? "expected {}" : "expected keys such as \(some)")
            return nil
        }
    }

    /// Complains about a key that does not exist; gives the one that was probably meant.
    private func unknown(_ entry: OptionEntry, path: String, into check: inout OptionCheck) -> String? {
        let names = keys.map(\.name)
        let near = Suggestion.nearest(entry.key, among: names)
        check.error(
            "unknown key `\(entry.key.prefixInWords)` in \(article(name))", path: path, at: entry.keySpan,
            label: near.map { "did you mean `\($0)`?" } ?? "",
            notes: names.isEmpty ? ["\(name) takes no keys"] : ["keys: \(names.joined(separator: ", "))"])
        return near
    }

    private func article(_ name: String) -> String { name == "job" ? "the job" : "`\(name)`" }
}

extension OptionType {
    /// Checks a value; adds what is wrong to `check` and gives nil then. `name` is the key's, for messages.
    func check(_ node: OptionNode, name: String, path: String, into check: inout OptionCheck) -> OptionValue? {
        if node.isBroken {
            check.skipBroken()
            return nil
        }
        switch self {
        case .any: return .text("")
        case .list(let element): return checkList(node, of: element, name: name, path: path, into: &check)
        case .map(let element): return checkMap(node, of: element, name: name, path: path, into: &check)
        case .object(let schema): return checkObject(node, schema, name: name, path: path, into: &check)
        case .oneOf(let noun, let schemas):
            return checkOneOf(node, noun: noun, schemas, name: name, path: path, into: &check)
        case .byType(let noun, let schemas):
            return checkByType(node, noun: noun, schemas, name: name, path: path, into: &check)
        case .either(let types): return checkEither(node, types, name: name, path: path, into: &check)
        case .text, .boolean, .integer, .number, .duration, .size, .word:
            guard let scalar = node.scalar, !scalar.isNull || isText && scalar.style != .plain else {
                mismatch(node, name: name, path: path, into: &check)
                return nil
            }
            let (value, complaint) = checkScalar(scalar)
            if let value { return value }
            let near = nearestWord(scalar.text)
            let suggestion = near.map { "did you mean `\($0)`?" }
            switch self {
            case .word(let words):
                check.error(
                    "`\(name)` cannot be \(node.kindInWords)", path: path, at: node.span, label: suggestion ?? "",
                    notes: ["one of: \(words.joined(separator: ", "))"])
            default:
                check.error(
                    "`\(name)` cannot be \(node.kindInWords)", path: path, at: node.span, label: complaint)
            }
            return nil
        }
    }

    private var isText: Bool {
        if case .text = self { return true }
        return false
    }

    private func nearestWord(_ text: String) -> String? {
        if case .word(let words) = self { return Suggestion.nearest(text, among: words) }
        return nil
    }

    private func mismatch(_ node: OptionNode, name: String, path: String, into check: inout OptionCheck) {
        check.error(
            "`\(name)` is \(inWords), found \(node.kindInWords)", path: path,
            at: node.span ?? check.positions.keySpan(path), label: quoteIt(node))
    }

    /// `select: {mode="idle"}` is a map to YAML: what is meant as a text wants quotes.
    private func quoteIt(_ node: OptionNode) -> String {
        switch (self, node.content) {
        case (.text, .map): "YAML reads `{…}` as a map: quote it"
        case (.text, .list): "YAML reads `[…]` as a list: quote it"
        default: ""
        }
    }

    private func checkList(
        _ node: OptionNode, of element: OptionType, name: String, path: String, into check: inout OptionCheck
    ) -> OptionValue? {
        guard case .list(let nodes) = node.content else {
            check.error(
                "`\(name)` is a list, found \(node.kindInWords)", path: path,
                at: node.span ?? check.positions.keySpan(path),
                label: node.scalar.map { $0.isNull ? "write []" : "write [\($0.text.prefixInWords)]" } ?? "")
            return nil
        }
        var values: [OptionValue] = []
        for (index, item) in nodes.enumerated() {
            let itemPath = "\(path).\(index)"
            check.positions.note(itemPath, key: nil, value: item)
            if let value = element.check(item, name: "\(name)[\(index)]", path: itemPath, into: &check) {
                values.append(value)
            }
        }
        return .list(values)
    }

    private func checkMap(
        _ node: OptionNode, of element: OptionType, name: String, path: String, into check: inout OptionCheck
    ) -> OptionValue? {
        if node.isNull { return .map([]) }
        guard case .map(let entries) = node.content else {
            mismatch(node, name: name, path: path, into: &check)
            return nil
        }
        var pairs: [OptionPair] = []
        for entry in entries {
            let itemPath = "\(path).\(entry.key)"
            check.positions.note(itemPath, key: entry.keySpan, value: entry.value)
            if let value = element.check(entry.value, name: entry.key, path: itemPath, into: &check) {
                pairs.append(OptionPair(entry.key, value))
            }
        }
        return .map(pairs)
    }

    private func checkObject(
        _ node: OptionNode, _ schema: OptionSchema, name: String, path: String, into check: inout OptionCheck
    ) -> OptionValue? {
        if case .list = node.content {
            mismatch(node, name: name, path: path, into: &check)
            return nil
        }
        return .object(schema.check(node, path: path, into: &check))
    }

    private func checkOneOf(
        _ node: OptionNode, noun: String, _ schemas: [OptionSchema], name: String, path: String,
        into check: inout OptionCheck
    ) -> OptionValue? {
        let names = schemas.map(\.name)
        let known = names.isEmpty ? "this build has no \(noun)" : "\(noun)s: \(names.joined(separator: ", "))"
        guard case .map(let entries) = node.content, entries.count == 1, let entry = entries.first else {
            let hint: String
            if let text = node.scalar?.text, names.contains(text) { hint = "write {\(text): {}}" } else { hint = "" }
            check.error(
                "`\(name)` is a map with one key that names a \(noun), found \(found(node))", path: path,
                at: node.span ?? check.positions.keySpan(path), label: hint, notes: [known])
            return nil
        }
        let itemPath = "\(path).\(entry.key)"
        check.positions.note(itemPath, key: entry.keySpan, value: entry.value)
        guard let schema = schemas.first(where: { $0.name == entry.key }) else {
            let near = Suggestion.nearest(entry.key, among: names)
            check.error(
                "unknown \(noun) `\(entry.key.prefixInWords)`", path: itemPath, at: entry.keySpan,
                label: near.map { "did you mean `\($0)`?" } ?? "", notes: [known])
            return nil
        }
        guard
            case .object(let options)? = OptionType.object(schema).check(
                entry.value, name: schema.name, path: itemPath, into: &check)
        else { return nil }
        return .tagged(schema.name, options)
    }

    private func checkByType(
        _ node: OptionNode, noun: String, _ schemas: [OptionSchema], name: String, path: String,
        into check: inout OptionCheck
    ) -> OptionValue? {
        let names = schemas.map(\.name)
        let known = names.isEmpty ? "this build has no \(noun)s" : "\(noun)s: \(names.joined(separator: ", "))"
        guard case .map(let entries) = node.content, let type = node.entry("type") else {
            check.error(
                "`\(name)` is a map with a `type`, found \(node.kindInWords)", path: path,
                at: node.span ?? check.positions.keySpan(path), label: "write {type: …}", notes: [known])
            return nil
        }
        check.positions.note("\(path).type", key: type.keySpan, value: type.value)
        guard let text = type.value.scalar?.text, let schema = schemas.first(where: { $0.name == text }) else {
            let near = type.value.scalar.flatMap { Suggestion.nearest($0.text, among: names) }
            check.error(
                "unknown \(noun) type \(type.value.kindInWords)", path: "\(path).type",
                at: type.value.span ?? type.keySpan, label: near.map { "did you mean `\($0)`?" } ?? "", notes: [known])
            return nil
        }
        let rest = OptionNode(.map(entries.filter { $0.key != "type" }), span: node.span)
        return .tagged(schema.name, schema.check(rest, path: path, into: &check))
    }

    private func found(_ node: OptionNode) -> String {
        if case .map(let entries) = node.content { return entries.isEmpty ? "none" : "\(entries.count) keys" }
        return node.kindInWords
    }

    private func checkEither(
        _ node: OptionNode, _ types: [OptionType], name: String, path: String, into check: inout OptionCheck
    ) -> OptionValue? {
        var sameShape: [OptionCheck] = []
        for type in types {
            var attempt = check
            if let value = type.check(node, name: name, path: path, into: &attempt),
                attempt.faultCount == check.faultCount
            {
                check = attempt
                return value
            }
            if type.takesShape(of: node) { sameShape.append(attempt) }
        }
        // One alternative has this shape: what is wrong inside it is what matters.
        if sameShape.count == 1, node.scalar == nil, let only = sameShape.first {
            check = only
        } else {
            let near = types.lazy.compactMap { $0.nearestWord(node.scalar?.text ?? "") }.first
            check.error(
                "`\(name)` is \(inWords), found \(node.kindInWords)", path: path,
                at: node.span ?? check.positions.keySpan(path), label: near.map { "did you mean `\($0)`?" } ?? "")
        }
        return nil
    }

    private func takesShape(of node: OptionNode) -> Bool {
        switch (self, node.content) {
        case (.any, _): true
        case (.list, .list), (.map, .map), (.object, .map), (.oneOf, .map), (.byType, .map): true
        case (.either(let types), _): types.contains { $0.takesShape(of: node) }
        case (.list, _), (.map, _), (.object, _), (.oneOf, _), (.byType, _): false
        case (_, .scalar): true
        case (_, .map), (_, .list): false
        }
    }
}
