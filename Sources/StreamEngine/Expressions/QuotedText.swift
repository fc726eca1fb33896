/// Strings between quotes, as PromQL (and Go) writes them: `"…"` and `'…'` with escapes, and back.
enum QuotedText {
    /// Reads the string whose opening quote (`"` or `'`) stands at `at`; moves `at` behind the closing one.
    ///
    /// Escapes: `\a \b \f \n \r \t \v \\`, the quote itself, `\ooo`, `\xhh`, `\uhhhh`, `\Uhhhhhhhh` (Prometheus
    /// `util/strutil/quote.go`). A string does not run over the end of a line.
    static func scan(_ text: [UInt8], at: inout Int) throws(ExpressionError) -> ByteString {
        let start = at
        let quote = text[at]
        var bytes: [UInt8] = []
        at += 1
        while at < text.count, text[at] != quote {
            switch text[at] {
            case UInt8(ascii: "\n"): throw unterminated(text, from: start, to: at)
            case UInt8(ascii: "\\"): try scanEscape(text, at: &at, quote: quote, stringStart: start, into: &bytes)
            default:
                bytes.append(text[at])
                at += 1
            }
        }
        guard at < text.count else { throw unterminated(text, from: start, to: at) }
        at += 1
        return ByteString(bytes: bytes)
    }

    /// The text between double quotes, with what needs it escaped; bytes that are not UTF-8 become `\xhh`.
    static func quote(_ value: ByteString) -> String {
        var out = "\""
        var rest = value.bytes[...]
        while !rest.isEmpty {
            var decoder = UTF8()
            var bytes = rest.makeIterator()
            guard case .scalarValue(let scalar) = decoder.decode(&bytes) else {
                out += hexEscape(rest.removeFirst())
                continue
            }
            rest.removeFirst(UTF8.width(scalar))
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case "\r": out += "\\r"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                out += hexEscape(UInt8(truncatingIfNeeded: scalar.value))
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    private static func hexEscape(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
    }

    private static func unterminated(_ text: [UInt8], from start: Int, to end: Int) -> ExpressionError {
        let quote = String(UnicodeScalar(text[start]))
        return ExpressionError(
            "this string has no end", at: SourceRange(offset: start, length: end - start),
            hint: "close it with \(quote)")
    }

    private static func scanEscape(
        _ text: [UInt8], at: inout Int, quote: UInt8, stringStart: Int, into bytes: inout [UInt8]
    ) throws(ExpressionError) {
        let start = at
        guard at + 1 < text.count else { throw unterminated(text, from: stringStart, to: text.count) }
        let letter = text[at + 1]
        at += 2
        switch letter {
        case UInt8(ascii: "a"): bytes.append(0x07)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0c)
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "v"): bytes.append(0x0b)
        case UInt8(ascii: "\\"), quote: bytes.append(letter)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            at -= 1
            guard let code = digits(text, at: &at, count: 3, radix: 8), code <= 0xff else {
                throw badEscape(text, from: start, "three octal digits up to \\377 are expected")
            }
            bytes.append(UInt8(truncatingIfNeeded: code))
        case UInt8(ascii: "x"):
            guard let code = digits(text, at: &at, count: 2, radix: 16) else {
                throw badEscape(text, from: start, "two hexadecimal digits are expected")
            }
            bytes.append(UInt8(truncatingIfNeeded: code))
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            let count = letter == UInt8(ascii: "u") ? 4 : 8
            guard let code = digits(text, at: &at, count: count, radix: 16), let scalar = Unicode.Scalar(code) else {
                throw badEscape(text, from: start, "\(count) hexadecimal digits of a Unicode scalar are expected")
            }
            bytes.append(contentsOf: String(Character(scalar)).utf8)
        default: throw badEscape(text, from: start, "write `\\\\` for a backslash")
        }
    }

    private static func badEscape(_ text: [UInt8], from start: Int, _ hint: String) -> ExpressionError {
        // The whole character behind the backslash, however many bytes it has.
        var end = min(start + 2, text.count)
        while end < text.count, text[end] & 0xc0 == 0x80 { end += 1 }
        let found = String(decoding: text[start..<end], as: UTF8.self)
        return ExpressionError(
            "unknown escape `\(found)`", at: SourceRange(offset: start, length: end - start), hint: hint)
    }

    private static func digits(_ text: [UInt8], at: inout Int, count: Int, radix: UInt32) -> UInt32? {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard at < text.count, let digit = hexDigit(text[at]), digit < radix else { return nil }
            // At most eight hexadecimal digits: 32 bits, so nothing is lost.
            value = value &* radix &+ digit
            at += 1
        }
        return value
    }

    private static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }
}
