import StreamEngine

/// What a JSON value is.
enum JSONKind {
    case string, number, object, array, boolean, null
}

/// A JSON value as a stretch of raw bytes that the scanner has found to be well formed.
struct JSONValue {
    let kind: JSONKind
    /// First byte: the quote of a string, the bracket of a container.
    let start: BytePointer
    /// One past the last byte.
    let end: BytePointer
    /// A string with a backslash in it.
    let hasEscapes: Bool

    /// A string's bytes between its quotes, escapes as they are.
    var content: (start: BytePointer, end: BytePointer) { (start + 1, end - 1) }

    /// A string's text, its escapes resolved.
    var text: ByteString {
        let raw = UnsafeBufferPointer(start: start + 1, count: end - start - 2)
        guard hasEscapes else { return ByteString(copying: raw) }
        return ByteString(bytes: JSONScanner.unescape(raw))
    }
}

/// Reads JSON as RFC 8259 defines it, without recursion and without building a tree.
enum JSONScanner {
    /// Containers within containers that are read; deeper ones are malformed.
    static let maxDepth = 64

    /// Moves past JSON's white space.
    @inline(__always)
    static func skipSpace(_ at: inout BytePointer, _ end: BytePointer) {
        while at < end, at.pointee <= 0x20, isSpace(at.pointee) { at += 1 }
    }

    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    /// Reads the value at `at` and moves past it.
    static func value(_ at: inout BytePointer, _ end: BytePointer) throws(DecodeFault) -> JSONValue {
        guard at < end else { throw DecodeFault(.malformed, "a JSON value is missing") }
        let start = at
        switch start.pointee {
        case UInt8(ascii: "\""):
            let hasEscapes = try string(&at, end)
            return JSONValue(kind: .string, start: start, end: at, hasEscapes: hasEscapes)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            try container(&at, end)
            let kind: JSONKind = start.pointee == UInt8(ascii: "{") ? .object : .array
            return JSONValue(kind: kind, start: start, end: at, hasEscapes: false)
        default:
            let kind = try scalar(&at, end)
            return JSONValue(kind: kind, start: start, end: at, hasEscapes: false)
        }
    }

    /// Reads a key and the colon after it.
    static func key(_ at: inout BytePointer, _ end: BytePointer) throws(DecodeFault) -> JSONValue {
        let start = at
        guard at < end, at.pointee == UInt8(ascii: "\"") else {
            throw DecodeFault(.malformed, "a JSON key is missing at \(excerpt(at, end))")
        }
        let hasEscapes = try string(&at, end)
        let key = JSONValue(kind: .string, start: start, end: at, hasEscapes: hasEscapes)
        skipSpace(&at, end)
        guard at < end, at.pointee == UInt8(ascii: ":") else {
            throw DecodeFault(.malformed, "`:` is missing after the key \(excerpt(start, key.end))")
        }
        at += 1
        skipSpace(&at, end)
        return key
    }

    /// Calls `body` with each key and value of the object at `at`, and moves past it.
    @inline(__always)
    static func members(
        _ at: inout BytePointer, _ end: BytePointer,
        _ body: (JSONValue, JSONValue) throws(DecodeFault) -> Void
    ) throws(DecodeFault) {
        guard at < end, at.pointee == UInt8(ascii: "{") else {
            throw DecodeFault(.malformed, "a JSON object is expected, not \(excerpt(at, end))")
        }
        at += 1
        skipSpace(&at, end)
        if at < end, at.pointee == UInt8(ascii: "}") {
            at += 1
            return
        }
        while true {
            let key = try key(&at, end)
            let value = try value(&at, end)
            try body(key, value)
            skipSpace(&at, end)
            guard at < end else { throw DecodeFault(.malformed, "the JSON object is not closed") }
            let byte = at.pointee
            at += 1
            if byte == UInt8(ascii: "}") { return }
            guard byte == UInt8(ascii: ",") else {
                throw DecodeFault(.malformed, "`,` or `}` is missing at \(excerpt(at - 1, end))")
            }
            skipSpace(&at, end)
        }
    }

    /// Whether a string's content is exactly `word` (no escape needed for any key we know).
    @inline(__always)
    static func matches(_ key: JSONValue, _ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        if key.hasEscapes { return key.text == ByteString(word.description) }
        guard key.end - key.start == count + 2 else { return false }
        for i in 0..<count where key.start[i + 1] != word.utf8Start[i] { return false }
        return true
    }

    // MARK: Strings

    /// Moves past the string at `at`; true where it holds a backslash.
    @inline(__always)
    static func string(_ at: inout BytePointer, _ end: BytePointer) throws(DecodeFault) -> Bool {
        let start = at
        var p = at + 1
        while p < end {
            let byte = p.pointee
            if byte == UInt8(ascii: "\"") {
                at = p + 1
                return false
            }
            if byte == UInt8(ascii: "\\") || byte < 0x20 { break }
            p += 1
        }
        try escapedString(&p, end, start)
        at = p
        return true
    }

    /// The rest of a string from its first backslash.
    @inline(never)
    private static func escapedString(
        _ p: inout BytePointer, _ end: BytePointer, _ start: BytePointer
    ) throws(DecodeFault) {
        while p < end {
            let byte = p.pointee
            p += 1
            if byte == UInt8(ascii: "\"") { return }
            guard byte >= 0x20 else { throw DecodeFault(.malformed, "a control character in a JSON string") }
            guard byte == UInt8(ascii: "\\") else { continue }
            guard p < end else { break }
            let escape = p.pointee
            p += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
                UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
                break
            case UInt8(ascii: "u"):
                guard let unit = hexUnit(p, end) else {
                    throw DecodeFault(.malformed, "four hexadecimal digits are missing after \\u")
                }
                p += 4
                guard unit & 0xF800 == 0xD800 else { continue }
                guard unit < 0xDC00, end - p >= 6, p[0] == UInt8(ascii: "\\"), p[1] == UInt8(ascii: "u"),
                    let low = hexUnit(p + 2, end), low & 0xFC00 == 0xDC00
                else { throw DecodeFault(.malformed, "half of a surrogate pair in a JSON string") }
                p += 6
            default:
                throw DecodeFault(.malformed, "an unknown escape in a JSON string: \(excerpt(p - 2, p))")
            }
        }
        throw DecodeFault(.malformed, "no closing quote after \(excerpt(start, end))")
    }

    private static func hexUnit(_ p: BytePointer, _ end: BytePointer) -> UInt32? {
        guard end - p >= 4 else { return nil }
        var unit: UInt32 = 0
        for i in 0..<4 {
            let byte = p[i]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - 48
            case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
                digit = (byte | 0x20) - 87
            default: return nil
            }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }

    /// Resolves the escapes of a string's content that `string` has found well formed.
    static func unescape(_ raw: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        guard let base = raw.baseAddress else { return [] }
        let end = base + raw.count
        var out: [UInt8] = []
        out.reserveCapacity(raw.count)
        var p = base
        while p < end {
            guard p.pointee == UInt8(ascii: "\\"), p + 1 < end else {
                out.append(p.pointee)
                p += 1
                continue
            }
            let escape = p[1]
            p += 2
            switch escape {
            case UInt8(ascii: "b"): out.append(0x08)
            case UInt8(ascii: "f"): out.append(0x0C)
            case UInt8(ascii: "n"): out.append(0x0A)
            case UInt8(ascii: "r"): out.append(0x0D)
            case UInt8(ascii: "t"): out.append(0x09)
            case UInt8(ascii: "u"):
                var code = hexUnit(p, end) ?? 0xFFFD
                p += 4
                if code & 0xFC00 == 0xD800, end - p >= 6, let low = hexUnit(p + 2, end) {
                    code = 0x10000 + ((code & 0x3FF) << 10 | low & 0x3FF)
                    p += 6
                }
                out.append(contentsOf: Array(String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8))
            default: out.append(escape)
            }
        }
        return out
    }

    // MARK: Numbers and words

    /// Whether bytes that read as a number are one to JSON too: no `+`, no leading zero, digits around the point.
    @inline(__always)
    static func isNumber(_ start: BytePointer, _ end: BytePointer) -> Bool {
        var p = start
        if p < end, p.pointee == UInt8(ascii: "-") { p += 1 }
        guard p < end, p.pointee &- 48 < 10 else { return false }
        if p.pointee == UInt8(ascii: "0") {
            p += 1
        } else {
            while p < end, p.pointee &- 48 < 10 { p += 1 }
        }
        if p < end, p.pointee == UInt8(ascii: ".") {
            p += 1
            guard p < end, p.pointee &- 48 < 10 else { return false }
            while p < end, p.pointee &- 48 < 10 { p += 1 }
        }
        if p < end, p.pointee | 0x20 == UInt8(ascii: "e") {
            return DecimalNumber.scanExponent(&p, end) != nil && p == end
        }
        return p == end
    }

    /// A number, `true`, `false` or `null`.
    private static func scalar(_ at: inout BytePointer, _ end: BytePointer) throws(DecodeFault) -> JSONKind {
        let start = at
        var p = at
        while p < end {
            let byte = p.pointee
            guard byte &- 48 < 10 || (byte | 0x20) &- 97 < 26 || byte == 0x2B || byte == 0x2D || byte == 0x2E else {
                break
            }
            p += 1
        }
        at = p
        if isNumber(start, p) { return .number }
        func isWord(_ word: StaticString) -> Bool {
            guard p - start == word.utf8CodeUnitCount else { return false }
            for i in 0..<(p - start) where start[i] != word.utf8Start[i] { return false }
            return true
        }
        if isWord("null") { return .null }
        if isWord("true") || isWord("false") { return .boolean }
        throw DecodeFault(.malformed, "not a JSON value: \(excerpt(start, max(p, min(start + 1, end))))")
    }

    // MARK: Containers

    /// Moves past the object or array at `at`, checking its grammar. A bit for each open container says which it is.
    private static func container(_ at: inout BytePointer, _ end: BytePointer) throws(DecodeFault) {
        var objects: UInt64 = 0
        var depth = 0
        var p = at
        while true {
            // Here a value, and in a just opened container also its end, may stand.
            guard p < end else { throw DecodeFault(.malformed, "a JSON value is not closed") }
            if p.pointee == UInt8(ascii: "{") || p.pointee == UInt8(ascii: "[") {
                guard depth < maxDepth else {
                    throw DecodeFault(.malformed, "JSON nested deeper than \(maxDepth)")
                }
                let isObject = p.pointee == UInt8(ascii: "{")
                objects = objects << 1 | (isObject ? 1 : 0)
                depth += 1
                p += 1
                skipSpace(&p, end)
                if p < end, p.pointee == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    p += 1
                    objects >>= 1
                    depth -= 1
                } else {
                    if isObject { _ = try key(&p, end) }
                    continue
                }
            } else if p.pointee == UInt8(ascii: "\"") {
                _ = try string(&p, end)
            } else {
                _ = try scalar(&p, end)
            }
            // A value has ended: close what closes here, or go on to the next.
            while true {
                guard depth > 0 else {
                    at = p
                    return
                }
                skipSpace(&p, end)
                guard p < end else { throw DecodeFault(.malformed, "a JSON value is not closed") }
                let byte = p.pointee
                let isObject = objects & 1 == 1
                p += 1
                if byte == UInt8(ascii: ",") {
                    skipSpace(&p, end)
                    if isObject { _ = try key(&p, end) }
                    break
                }
                guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw DecodeFault(.malformed, "`,` or a closing bracket is missing at \(excerpt(p - 1, end))")
                }
                objects >>= 1
                depth -= 1
            }
        }
    }

    /// Finds where a broken value ends: the next `,` or `]` outside strings and brackets opened within, or nil where
    /// there is none. Looks at nothing else.
    static func tolerantEnd(_ start: BytePointer, _ end: BytePointer) -> BytePointer? {
        var p = start
        var depth = 0
        while p < end {
            switch p.pointee {
            case UInt8(ascii: "\""):
                p += 1
                while p < end, p.pointee != UInt8(ascii: "\"") { p += p.pointee == UInt8(ascii: "\\") ? 2 : 1 }
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"): depth = max(0, depth - 1)
            case UInt8(ascii: "]"):
                if depth == 0 { return p }
                depth -= 1
            case UInt8(ascii: ","):
                if depth == 0 { return p }
            default: break
            }
            p += 1
        }
        return nil
    }

    /// The end of the bracketed value at `start`, by counting brackets outside strings; nil where it stays open.
    static func bracketEnd(_ start: BytePointer, _ end: BytePointer) -> BytePointer? {
        var p = start
        var depth = 0
        while p < end {
            switch p.pointee {
            case UInt8(ascii: "\""):
                p += 1
                while p < end, p.pointee != UInt8(ascii: "\"") { p += p.pointee == UInt8(ascii: "\\") ? 2 : 1 }
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth <= 0 { return p + 1 }
            default: break
            }
            p += 1
        }
        return nil
    }
}
