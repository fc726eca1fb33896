extension SeriesSelector {
    /// Reads a PromQL series selector (Prometheus 3, `promql/parser`: `vector_selector`, quoted names included).
    ///
    /// Refused as there: a name before the braces and another inside, and a selector whose every condition takes the
    /// empty text (it would select everything). Ranges, `offset` and `@` have no place here and are refused with the
    /// way on.
    public static func parse(_ text: String) throws(ExpressionError) -> SeriesSelector {
        var parser = SelectorParser(text)
        return try parser.selector()
    }
}

/// Reads one selector.
private struct SelectorParser {
    private let text: [UInt8]
    private var at = 0

    init(_ text: String) { self.text = Array(text.utf8) }

    private struct Item {
        var matcher: LabelMatcher
        var range: SourceRange
    }

    mutating func selector() throws(ExpressionError) -> SeriesSelector {
        skipBlanks()
        guard peek() != nil else {
            throw ExpressionError(
                "a selector is empty", at: here(0),
                hint: "write a metric name, or leave `select` out to take everything")
        }
        var items: [Item] = []
        let nameStart = at
        if let first = peek(), ExpressionLexer.isIdentifierStart(first) || first == UInt8(ascii: ":") {
            while let byte = peek(), ExpressionLexer.isIdentifierPart(byte) || byte == UInt8(ascii: ":") { at += 1 }
            items.append(try nameItem(ByteString(bytes: Array(text[nameStart..<at])), from: nameStart))
        }
        let hasOuterName = !items.isEmpty
        skipBlanks()
        if peek() == UInt8(ascii: "{") { try braces(into: &items) }
        skipBlanks()
        try refuseRest()
        try check(items, hasOuterName: hasOuterName)
        return SeriesSelector(matchers: items.map(\.matcher))
    }

    // MARK: Bytes

    private func peek(_ ahead: Int = 0) -> UInt8? { at + ahead < text.count ? text[at + ahead] : nil }

    private func here(_ length: Int) -> SourceRange {
        SourceRange(offset: at, length: min(length, text.count - at))
    }

    private func range(from start: Int) -> SourceRange { SourceRange(offset: start, length: at - start) }

    /// The character at `at`, for messages; "the end" after the last.
    private func found() -> (String, SourceRange) {
        guard at < text.count else { return ("the end", here(0)) }
        var end = at + 1
        while end < text.count, text[end] & 0xc0 == 0x80 { end += 1 }
        return (
            "`\(String(decoding: text[at..<end], as: UTF8.self))`", SourceRange(offset: at, length: end - at)
        )
    }

    /// Blanks, line ends and `#` comments.
    private mutating func skipBlanks() {
        while let byte = peek() {
            switch byte {
            case 0x20, 0x09, 0x0a, 0x0d: at += 1
            case UInt8(ascii: "#"): while let byte = peek(), byte != 0x0a { at += 1 }
            default: return
            }
        }
    }

    // MARK: Grammar

    private func nameItem(_ name: ByteString, from start: Int) throws(ExpressionError) -> Item {
        guard !name.isEmpty else { throw ExpressionError("a metric name is empty", at: range(from: start)) }
        return try item(LabelMatcher.metricName, .equal, name, valueRange: range(from: start), from: start)
    }

    private func item(
        _ label: ByteString, _ operation: LabelMatcher.Operation, _ value: ByteString, valueRange: SourceRange,
        from start: Int
    ) throws(ExpressionError) -> Item {
        do {
            return Item(matcher: try LabelMatcher(label, operation, value), range: range(from: start))
        } catch {
            throw ExpressionError("this regular expression does not compile: \(error.description)", at: valueRange)
        }
    }

    private mutating func braces(into items: inout [Item]) throws(ExpressionError) {
        let open = at
        at += 1
        skipBlanks()
        if peek() == UInt8(ascii: "}") {
            at += 1
            return
        }
        while true {
            items.append(try braceItem())
            skipBlanks()
            if peek() == UInt8(ascii: ",") {
                at += 1
                skipBlanks()
            } else if peek() == nil {
                throw ExpressionError(
                    "this `{` is never closed", at: SourceRange(offset: open, length: 1), hint: "close it with `}`")
            } else if peek() != UInt8(ascii: "}") {
                let (what, place) = found()
                throw ExpressionError("expected `,` or `}`, found \(what)", at: place)
            }
            if peek() == UInt8(ascii: "}") {
                at += 1
                return
            }
        }
    }

    private mutating func braceItem() throws(ExpressionError) -> Item {
        let start = at
        let label: ByteString
        guard let first = peek() else {
            throw ExpressionError("expected a label name or `}`, found the end", at: here(0))
        }
        let isQuoted = isQuote(first)
        if isQuoted {
            label = try string()
        } else if ExpressionLexer.isIdentifierStart(first) {
            while let byte = peek(), ExpressionLexer.isIdentifierPart(byte) { at += 1 }
            label = ByteString(bytes: Array(text[start..<at]))
        } else {
            let (what, place) = found()
            throw ExpressionError(
                "expected a label name, found \(what)", at: place,
                hint: first >= 0x80 ? "names other than [a-zA-Z_][a-zA-Z0-9_]* stand in quotes" : nil)
        }
        let nameEnd = at
        skipBlanks()
        let next = peek()
        if isQuoted, next == UInt8(ascii: ",") || next == UInt8(ascii: "}") || next == nil {
            at = nameEnd
            return try nameItem(label, from: start)
        }
        guard !label.isEmpty else {
            throw ExpressionError("a label name is empty", at: SourceRange(offset: start, length: nameEnd - start))
        }
        let operation = try self.operation(after: label)
        skipBlanks()
        let valueStart = at
        guard let quote = peek(), isQuote(quote) else {
            let (what, place) = found()
            throw ExpressionError(
                "expected a quoted value, found \(what)", at: place, hint: "write \(label)\(operation.rawValue)\"…\"")
        }
        let value = try string()
        return try item(label, operation, value, valueRange: range(from: valueStart), from: start)
    }

    private mutating func operation(after label: ByteString) throws(ExpressionError) -> LabelMatcher.Operation {
        let second = peek(1)
        switch peek() {
        case UInt8(ascii: "="):
            if second == UInt8(ascii: "=") {
                throw ExpressionError("`==` compares values, not labels", at: here(2), hint: "write \(label)=\"…\"")
            }
            at += second == UInt8(ascii: "~") ? 2 : 1
            return second == UInt8(ascii: "~") ? .matches : .equal
        case UInt8(ascii: "!") where second == UInt8(ascii: "="):
            at += 2
            return .notEqual
        case UInt8(ascii: "!") where second == UInt8(ascii: "~"):
            at += 2
            return .doesNotMatch
        default:
            let (what, place) = found()
            throw ExpressionError("expected `=`, `!=`, `=~` or `!~` after `\(label)`, found \(what)", at: place)
        }
    }

    private func isQuote(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "`")
    }

    /// A string in any of PromQL's three quotes; between backticks there are no escapes.
    private mutating func string() throws(ExpressionError) -> ByteString {
        guard peek() == UInt8(ascii: "`") else { return try QuotedText.scan(text, at: &at) }
        let start = at
        at += 1
        while let byte = peek(), byte != UInt8(ascii: "`") { at += 1 }
        guard peek() != nil else {
            throw ExpressionError("this string has no end", at: range(from: start), hint: "close it with `")
        }
        at += 1
        return ByteString(bytes: Array(text[(start + 1)..<(at - 1)]))
    }

    private func refuseRest() throws(ExpressionError) {
        guard let byte = peek() else { return }
        let (what, place) = found()
        let rest = text[at...]
        if byte == UInt8(ascii: "[") {
            throw ExpressionError("a selector takes no range", at: place, hint: "the query's `window` is the range")
        }
        if byte == UInt8(ascii: "@") || rest.starts(with: "offset".utf8) {
            throw ExpressionError(
                "a selector takes no `offset` and no `@`", at: place, hint: "the query's `window` says which time")
        }
        if byte == UInt8(ascii: "(") {
            throw ExpressionError("a selector calls no function", at: place, hint: "functions stand under `aggregates`")
        }
        throw ExpressionError("expected the end of the selector, found \(what)", at: place)
    }

    // Prometheus: promql/parser/parse.go, checkAST, case *VectorSelector.
    private func check(_ items: [Item], hasOuterName: Bool) throws(ExpressionError) {
        if hasOuterName {
            guard let again = items.dropFirst().first(where: { $0.matcher.label == LabelMatcher.metricName }) else {
                return
            }
            throw ExpressionError("the metric name is given twice", at: again.range, hint: "keep one of the two")
        }
        guard items.contains(where: { !$0.matcher.matches(.empty) }) else {
            throw ExpressionError(
                "every condition of this selector takes a missing label, so it would select everything",
                at: SourceRange(offset: 0, length: text.count),
                hint: "add one that does not, or leave `select` out to take everything")
        }
    }
}
