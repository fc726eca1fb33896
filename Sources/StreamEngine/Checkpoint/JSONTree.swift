/// A JSON value as `job.json` holds it: written in one canonical way, read strictly (RFC 8259).
enum JSONTree: Equatable, Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case text(String)
    case array([JSONTree])
    /// In this order; names are unique.
    case object([Member])

    /// One member of an object.
    struct Member: Equatable, Sendable {
        var name: String
        var value: JSONTree

        init(_ name: String, _ value: JSONTree) {
            self.name = name
            self.value = value
        }
    }

    /// A member's value; nil for anything but an object that has it.
    subscript(_ name: String) -> JSONTree? {
        if case .object(let members) = self { return members.first { $0.name == name }?.value }
        return nil
    }

    /// The text of a text.
    var string: String? {
        if case .text(let text) = self { return text }
        return nil
    }

    /// The elements of an array; none for anything else.
    var elements: [JSONTree] {
        if case .array(let values) = self { return values }
        return []
    }

    /// One line without blanks.
    var canonical: String {
        switch self {
        case .null: "null"
        case .boolean(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .text(let text): Self.quoted(text)
        case .array(let values): "[" + values.map(\.canonical).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { "\(Self.quoted($0.name)):\($0.value.canonical)" }.joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\u{0}"..."\u{1F}":
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}

extension JSONTree {
    /// The value of a document; nil where it is not one of ours: numbers are whole, and nothing is nested deeply.
    init?(parsing bytes: some Sequence<UInt8>) {
        var parser = Parser(bytes: Array(bytes))
        guard let value = parser.value(depth: 0), parser.at == parser.bytes.count else { return nil }
        self = value
    }

    private struct Parser {
        let bytes: [UInt8]
        var at = 0

        private mutating func skipBlanks() {
            while at < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[at]) { at += 1 }
        }

        private mutating func take(_ text: StaticString) -> Bool {
            let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
            guard bytes[at...].starts(with: wanted) else { return false }
            at += wanted.count
            return true
        }

        mutating func value(depth: Int) -> JSONTree? {
            guard depth < 64 else { return nil }
            skipBlanks()
            guard let value = bareValue(depth: depth) else { return nil }
            skipBlanks()
            return value
        }

        private mutating func bareValue(depth: Int) -> JSONTree? {
            if take("null") { return .null }
            if take("true") { return .boolean(true) }
            if take("false") { return .boolean(false) }
            guard at < bytes.count else { return nil }
            switch bytes[at] {
            case UInt8(ascii: "\""): return text().map { .text($0) }
            case UInt8(ascii: "["): return array(depth: depth)
            case UInt8(ascii: "{"): return object(depth: depth)
            default: return integer()
            }
        }

        private mutating func integer() -> JSONTree? {
            let start = at
            while at < bytes.count, bytes[at] == UInt8(ascii: "-") || (0x30...0x39).contains(bytes[at]) { at += 1 }
            return Int64(String(decoding: bytes[start..<at], as: UTF8.self)).map { .integer($0) }
        }

        private mutating func array(depth: Int) -> JSONTree? {
            at += 1
            var values: [JSONTree] = []
            skipBlanks()
            if take("]") { return .array([]) }
            while let value = value(depth: depth + 1) {
                values.append(value)
                if take("]") { return .array(values) }
                guard take(",") else { return nil }
            }
            return nil
        }

        private mutating func object(depth: Int) -> JSONTree? {
            at += 1
            var members: [Member] = []
            skipBlanks()
            if take("}") { return .object([]) }
            while true {
                skipBlanks()
                guard at < bytes.count, bytes[at] == UInt8(ascii: "\""), let name = text(),
                    !members.contains(where: { $0.name == name })
                else { return nil }
                skipBlanks()
                guard take(":"), let value = value(depth: depth + 1) else { return nil }
                members.append(Member(name, value))
                if take("}") { return .object(members) }
                guard take(",") else { return nil }
            }
        }

        private mutating func text() -> String? {
            at += 1
            var out: [UInt8] = []
            while at < bytes.count {
                let byte = bytes[at]
                at += 1
                switch byte {
                case UInt8(ascii: "\""): return String(validating: out, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let escaped = escape() else { return nil }
                    out += escaped
                case 0..<0x20: return nil
                default: out.append(byte)
                }
            }
            return nil
        }

        /// What follows a backslash. Pairs of surrogates are not taken: we write none.
        private mutating func escape() -> [UInt8]? {
            guard at < bytes.count else { return nil }
            defer { at += 1 }
            switch bytes[at] {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [bytes[at]]
            case UInt8(ascii: "n"): return [0x0A]
            case UInt8(ascii: "r"): return [0x0D]
            case UInt8(ascii: "t"): return [0x09]
            case UInt8(ascii: "b"): return [0x08]
            case UInt8(ascii: "f"): return [0x0C]
            case UInt8(ascii: "u"):
                guard bytes.count - at > 4,
                    let code = UInt32(String(decoding: bytes[(at + 1)...(at + 4)], as: UTF8.self), radix: 16),
                    let scalar = Unicode.Scalar(code)
                else { return nil }
                at += 4
                return Array(String(scalar).utf8)
            default: return nil
            }
        }
    }
}
