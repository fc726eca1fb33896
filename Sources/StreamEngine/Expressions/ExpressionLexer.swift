import Glibc

/// Cuts an expression's text into tokens.
struct ExpressionLexer {
    enum Token: Equatable {
        case number(Double)
        case string(ByteString)
        /// An identifier without dots or quotes: a keyword, a function's name or a column.
        case word(String)
        /// A column that is more than one word: `a.b`, `` `any text` ``, `labels.topic`.
        case column(ColumnReference)
        /// An operator, a parenthesis or a comma.
        case symbol(String)
        case end
    }

    /// Words with a meaning of their own; a column called like one is written in backticks.
    static let keywords: Set<String> = ["or", "and", "not", "in", "true", "false", "null"]

    private static let symbols = [
        "||", "&&", "==", "!=", "<=", ">=", "=~", "!~", "=", "!", "<", ">", "+", "-", "*", "/", "%", "(", ")", ",",
    ].map { (text: $0, bytes: Array($0.utf8)) }

    private let text: [UInt8]
    private var at = 0

    init(_ text: String) { self.text = Array(text.utf8) }

    static func isIdentifierStart(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
    }

    static func isIdentifierPart(_ byte: UInt8) -> Bool { isIdentifierStart(byte) || isDigit(byte) }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    /// The next token and its place.
    mutating func next() throws(ExpressionError) -> (token: Token, range: SourceRange) {
        while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { at += 1 }
        let start = at
        guard let byte = peek() else { return (.end, SourceRange(offset: start, length: 0)) }
        let token: Token
        if Self.isDigit(byte) || (byte == UInt8(ascii: ".") && peek(1).map(Self.isDigit) ?? false) {
            token = try number()
        } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
            token = .string(try QuotedText.scan(text, at: &at))
        } else if byte == UInt8(ascii: "`") || Self.isIdentifierStart(byte) {
            token = try name()
        } else if let symbol = Self.symbols.first(where: { text[at...].starts(with: $0.bytes) }) {
            at += symbol.bytes.count
            token = .symbol(symbol.text)
        } else {
            throw unexpectedCharacter()
        }
        return (token, SourceRange(offset: start, length: at - start))
    }

    private func peek(_ ahead: Int = 0) -> UInt8? { at + ahead < text.count ? text[at + ahead] : nil }

    private func unexpectedCharacter() -> ExpressionError {
        var end = at + 1
        while end < text.count, text[end] & 0xc0 == 0x80 { end += 1 }
        let found = String(decoding: text[at..<end], as: UTF8.self)
        let hint =
            switch found {
            case "&": "did you mean `and`?"
            case "|": "did you mean `or`?"
            case "{", "}", "[", "]":
                "selectors stand in `select`; an expression names labels directly: mode == \"idle\""
            default: Optional<String>.none
            }
        return ExpressionError("unexpected `\(found)`", at: SourceRange(offset: at, length: end - at), hint: hint)
    }

    /// Digits, a fraction, an exponent; read by `strtod`, so that it is the nearest double.
    private mutating func number() throws(ExpressionError) -> Token {
        let start = at
        while let byte = peek(), Self.isDigit(byte) { at += 1 }
        if peek() == UInt8(ascii: "."), let byte = peek(1), Self.isDigit(byte) {
            at += 1
            while let byte = peek(), Self.isDigit(byte) { at += 1 }
        }
        if let byte = peek(), byte | 0x20 == UInt8(ascii: "e") {
            let sign = peek(1) == UInt8(ascii: "+") || peek(1) == UInt8(ascii: "-") ? 1 : 0
            if let byte = peek(1 + sign), Self.isDigit(byte) {
                at += 1 + sign
                while let byte = peek(), Self.isDigit(byte) { at += 1 }
            }
        }
        if let byte = peek(), Self.isIdentifierPart(byte) || byte == UInt8(ascii: ".") {
            while let byte = peek(), Self.isIdentifierPart(byte) || byte == UInt8(ascii: ".") { at += 1 }
            let found = String(decoding: text[start..<at], as: UTF8.self)
            throw ExpressionError(
                "`\(found)` is not a number", at: SourceRange(offset: start, length: at - start),
                hint: "numbers are written like 300, 0.5 or 1e9, durations in seconds or milliseconds as the column is")
        }
        let digits = String(decoding: text[start..<at], as: UTF8.self)
        let value = strtod(digits, nil)
        guard value.isFinite else {
            throw ExpressionError(
                "`\(digits)` is too large for a number", at: SourceRange(offset: start, length: at - start))
        }
        return .number(value)
    }

    /// `ident {"." ident}` where each part may also stand in backticks.
    private mutating func name() throws(ExpressionError) -> Token {
        let isQuoted = peek() == UInt8(ascii: "`")
        let first = try namePart()
        var rest: [[UInt8]] = []
        while peek() == UInt8(ascii: "."), let byte = peek(1), byte == UInt8(ascii: "`") || Self.isIdentifierStart(byte)
        {
            at += 1
            rest.append(try namePart())
        }
        if !isQuoted, rest.isEmpty { return .word(String(decoding: first, as: UTF8.self)) }
        let isLabel = !isQuoted && !rest.isEmpty && first.elementsEqual("labels".utf8)
        let parts = isLabel ? rest : [first] + rest
        return .column(
            ColumnReference(name: ByteString(bytes: Array(parts.joined(separator: [0x2e]))), isLabel: isLabel))
    }

    private mutating func namePart() throws(ExpressionError) -> [UInt8] {
        let start = at
        guard peek() == UInt8(ascii: "`") else {
            while let byte = peek(), Self.isIdentifierPart(byte) { at += 1 }
            return Array(text[start..<at])
        }
        var bytes: [UInt8] = []
        at += 1
        while let byte = peek() {
            at += 1
            if byte == UInt8(ascii: "`") {
                // A backtick inside is written twice, as in Spark SQL.
                guard peek() == byte else {
                    guard !bytes.isEmpty else {
                        throw ExpressionError(
                            "a column name is empty", at: SourceRange(offset: start, length: at - start))
                    }
                    return bytes
                }
                at += 1
            }
            bytes.append(byte)
        }
        throw ExpressionError(
            "this column name has no end", at: SourceRange(offset: start, length: at - start), hint: "close it with `")
    }
}
