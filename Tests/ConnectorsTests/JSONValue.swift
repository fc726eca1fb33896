/// A JSON value, read by a strict parser that shares nothing with the encoders under test (RFC 8259).
indirect enum JSONValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    case number(Double)
    case text(String)
    case array([JSONValue])
    case object([String: JSONValue])

    struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    /// Parses one document; members of an object may not repeat.
    init(parsing bytes: some Collection<UInt8>) throws {
        var parser = Parser(bytes: Array(bytes))
        self = try parser.value()
        parser.skipBlanks()
        guard parser.at == parser.bytes.count else { throw Malformed(description: "text after the value") }
    }

    /// Documents one a line; every line must end in LF.
    static func lines(_ bytes: [UInt8]) throws -> [JSONValue] {
        guard bytes.isEmpty || bytes.last == 10 else { throw Malformed(description: "no LF at the end") }
        return try bytes.split(separator: 10, omittingEmptySubsequences: false).dropLast().map {
            try JSONValue(parsing: $0)
        }
    }

    subscript(_ key: String) -> JSONValue? {
        if case .object(let members) = self { return members[key] }
        return nil
    }

    var text: String? {
        if case .text(let text) = self { return text }
        return nil
    }

    var number: Double? {
        if case .number(let number) = self { return number }
        return nil
    }

    var array: [JSONValue]? {
        if case .array(let values) = self { return values }
        return nil
    }

    private struct Parser {
        let bytes: [UInt8]
        var at = 0

        mutating func skipBlanks() {
            while at < bytes.count, [32, 9, 10, 13].contains(bytes[at]) { at += 1 }
        }

        mutating func take(_ text: String) -> Bool {
            guard bytes[at...].starts(with: text.utf8) else { return false }
            at += text.utf8.count
            return true
        }

        mutating func value() throws -> JSONValue {
            skipBlanks()
            guard at < bytes.count else { throw Malformed(description: "no value at byte \(at)") }
            if take("null") { return .null }
            if take("true") { return .boolean(true) }
            if take("false") { return .boolean(false) }
            if bytes[at] == UInt8(ascii: "\"") { return .text(try string()) }
            if take("[") {
                var values: [JSONValue] = []
                skipBlanks()
                if take("]") { return .array([]) }
                while true {
                    values.append(try value())
                    skipBlanks()
                    if take("]") { return .array(values) }
                    guard take(",") else { throw Malformed(description: "no , or ] at byte \(at)") }
                }
            }
            if take("{") {
                var members: [String: JSONValue] = [:]
                skipBlanks()
                if take("}") { return .object([:]) }
                while true {
                    skipBlanks()
                    let key = try string()
                    skipBlanks()
                    guard take(":") else { throw Malformed(description: "no : at byte \(at)") }
                    guard members.updateValue(try value(), forKey: key) == nil else {
                        throw Malformed(description: "\(key) twice")
                    }
                    skipBlanks()
                    if take("}") { return .object(members) }
                    guard take(",") else { throw Malformed(description: "no , or } at byte \(at)") }
                }
            }
            return .number(try number())
        }

        mutating func digits() throws {
            let start = at
            while at < bytes.count, (48...57).contains(bytes[at]) { at += 1 }
            guard at > start else { throw Malformed(description: "no digit at byte \(at)") }
        }

        mutating func number() throws -> Double {
            let start = at
            _ = take("-")
            if !take("0") { try digits() }
            if take(".") { try digits() }
            if take("e") || take("E") {
                if !take("+") { _ = take("-") }
                try digits()
            }
            guard let number = Double(String(decoding: bytes[start..<at], as: UTF8.self)) else {
                throw Malformed(description: "no number at byte \(start)")
            }
            return number
        }

        mutating func string() throws -> String {
            guard take("\"") else { throw Malformed(description: "no string at byte \(at)") }
            var units: [UInt8] = []
            while true {
                guard at < bytes.count else { throw Malformed(description: "an open string") }
                let byte = bytes[at]
                at += 1
                switch byte {
                case UInt8(ascii: "\""):
                    guard let text = String(validating: units, as: UTF8.self) else {
                        throw Malformed(description: "not UTF-8")
                    }
                    return text
                case 0..<0x20: throw Malformed(description: "a bare control character")
                case UInt8(ascii: "\\"): units += try escape()
                default: units.append(byte)
                }
            }
        }

        mutating func escape() throws -> [UInt8] {
            guard at < bytes.count else { throw Malformed(description: "an open escape") }
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "b"): return [8]
            case UInt8(ascii: "f"): return [12]
            case UInt8(ascii: "n"): return [10]
            case UInt8(ascii: "r"): return [13]
            case UInt8(ascii: "t"): return [9]
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
            case UInt8(ascii: "u"):
                guard at + 4 <= bytes.count,
                    let code = UInt32(String(decoding: bytes[at..<(at + 4)], as: UTF8.self), radix: 16),
                    let scalar = Unicode.Scalar(code)
                else { throw Malformed(description: "a bad \\u escape") }
                at += 4
                return Array(String(Character(scalar)).utf8)
            default: throw Malformed(description: "an unknown escape")
            }
        }
    }
}
