import StreamEngine

/// Where YAML reads something other than a person meant. Each is found and answered with "quote it".
enum YamlTraps {
    /// Words that YAML 1.1 readers take for booleans. `y` and `n` are left out: nobody reads them so any more.
    private static let booleans: Set<String> = ["on", "off", "yes", "no", "true", "false"]

    /// `on: …`: other YAML readers see the key `true`.
    static func booleanKey(_ key: String, at span: SourceSpan) -> Diagnostic? {
        guard booleans.contains(key.lowercased()) else { return nil }
        return Diagnostic("the key `\(key)` is a boolean to YAML", span: span, label: "quote it: \"\(key)\"")
    }

    /// `{p: quantile(0.9, value)}`: inside `{…}` a comma ends a text, so that `value)` becomes a key of its own. Puts
    /// such texts together again and says so.
    static func joinSplitTexts(_ entries: inout [FlowEntry]) -> [Diagnostic] {
        var found: [Diagnostic] = []
        var index = 0
        while index < entries.count {
            let pieces = entries[(index + 1)...].prefix { $0.value.isNull && $0.value.span == nil }.map(\.key)
            if let (text, used) = joined(entries[index].value, pieces) {
                found.append(split(text, at: entries[index].value.span))
                entries[index].value.content = .scalar(OptionScalar(text, style: .doubleQuoted))
                entries.removeSubrange((index + 1)...(index + used))
            }
            index += 1
        }
        return found
    }

    /// The same for `[extract(a, "b")]`.
    static func joinSplitTexts(_ items: inout [OptionNode]) -> [Diagnostic] {
        var found: [Diagnostic] = []
        var index = 0
        while index < items.count {
            if let (text, used) = joined(items[index], items[(index + 1)...].compactMap(\.scalar)) {
                found.append(split(text, at: items[index].span))
                items[index].content = .scalar(OptionScalar(text, style: .doubleQuoted))
                items.removeSubrange((index + 1)...(index + used))
            }
            index += 1
        }
        return found
    }

    private static func split(_ text: String, at span: SourceSpan?) -> Diagnostic {
        let quoted = text.contains("\"") ? "'\(text)'" : "\"\(text)\""
        return Diagnostic("YAML ends this text at the comma", span: span, label: "quote it: \(quoted)")
    }

    /// The whole text of a value that a comma has cut, and how many pieces belong to it; nil when it is whole.
    private static func joined(_ value: OptionNode, _ pieces: [OptionScalar]) -> (String, used: Int)? {
        guard let scalar = value.scalar, scalar.style == .plain, !isBalanced(scalar.text) else { return nil }
        var text = scalar.text
        for (index, piece) in pieces.prefix(16).enumerated() {
            switch piece.style {
            case .plain: text += ", \(piece.text)"
            case .singleQuoted: text += ", '\(piece.text)'"
            case .doubleQuoted: text += ", \"\(piece.text)\""
            case .block: return nil
            }
            if isBalanced(text) { return (text, index + 1) }
        }
        return nil
    }

    private static func isBalanced(_ text: String) -> Bool {
        var depth = 0
        var quote: Character?
        for character in text {
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if character == "(" {
                depth += 1
            } else if character == ")" {
                depth -= 1
            }
        }
        return depth == 0 && quote == nil
    }

    /// libyaml's syntax error in words that say what to do.
    static func explain(_ error: YamlSyntaxError, in source: SourceText) -> (message: String, label: String) {
        let line = error.mark.line < source.lines.count ? source.lines[error.mark.line] : []
        let here = error.mark.column < line.count ? line[error.mark.column] : "\n"
        let problem = error.problem
        if here == "\t" || (line.prefix(error.mark.column).contains("\t") && problem.contains("token")) {
            return ("YAML takes no tabs here", "indent with spaces")
        }
        if problem.contains("cannot start any token") {
            return ("no YAML text begins with '\(Character(here))'", "quote the whole text")
        }
        if problem.contains("alphabetic or numeric character") {
            return ("YAML takes `\(Character(here))` for an anchor or alias", "quote the whole text")
        }
        if problem.contains("whitespace or line break"), line.prefix(error.mark.column).contains("!") {
            return ("YAML takes a text that begins with `!` for a tag", "quote the whole text")
        }
        if problem.contains("mapping values are not allowed") {
            return ("YAML sees a second `:` with a blank here", "quote the whole text, or check the indentation")
        }
        if problem.contains("expected ',' or") || problem.contains("block end") || problem.contains("node content")
            || problem.contains("expected key") || problem.contains("':'")
        {
            return (
                "YAML cannot read on: \(problem)",
                "check indentation and brackets; quote texts with `{ } [ ] , : #` or that begin with a quote"
            )
        }
        return ("not YAML: \(problem)", "")
    }
}
