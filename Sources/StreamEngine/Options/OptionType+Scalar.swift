extension OptionType {
    /// Reads a scalar; or says beside the carets what would do.
    func checkScalar(_ scalar: OptionScalar) -> (OptionValue?, complaint: String) {
        let text = scalar.text
        switch self {
        case .text(let kind): return kind.check(text)
        case .boolean: return (Self.boolean(text).map { .boolean($0) }, "write true or false")
        case .integer(let range):
            guard let value = Int64(text) else { return (nil, "expected a whole number") }
            return range.contains(value) ? (.integer(value), "") : (nil, Self.bounds(range) { "\($0)" })
        case .number(let range):
            guard let value = Double(text), !value.isNaN else { return (nil, "expected a number") }
            return range.contains(value)
                ? (.number(value), "") : (nil, "expected \(range.lowerBound) to \(range.upperBound)")
        case .duration(let range):
            guard let value = DurationText.parseMs(text) else {
                return (
                    nil,
                    Int64(text) == nil
                        ? "expected a duration such as 250ms, 10s, 1m30s" : "a unit is missing: `\(text)s`?"
                )
            }
            return range.contains(value) ? (.duration(value), "") : (nil, Self.bounds(range, DurationText.compact))
        case .size(let range):
            guard let value = SizeText.parseBytes(text) else {
                return (nil, "expected a size such as 65536, 64KiB, 128MiB, 1GiB")
            }
            return range.contains(value) ? (.size(value), "") : (nil, Self.bounds(range, SizeText.compact))
        case .word(let words):
            // An unquoted `false` is how YAML spells `off`, and the other way round.
            let word = scalar.style == .plain && !words.contains(text) && Self.boolean(text) == false ? "off" : text
            return words.contains(word)
                ? (.text(word), "") : (nil, "expected \(words.joined(separator: ", "))")
        case .list, .map, .object, .oneOf, .byType, .either, .any: return (nil, "")
        }
    }

    /// Whether a text is of this kind.
    static func fits(_ text: String, _ kind: TextKind) -> Bool { kind.check(text).0 != nil }

    /// YAML's words for true and false.
    static func boolean(_ text: String) -> Bool? {
        switch text {
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": true
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": false
        default: nil
        }
    }

    private static func bounds(_ range: ClosedRange<Int64>, _ text: (Int64) -> String) -> String {
        if range.upperBound >= Int64.max / 4 || range.upperBound == DurationText.maxMs {
            return "expected \(text(range.lowerBound)) or more"
        }
        return "expected \(text(range.lowerBound)) to \(text(range.upperBound))"
    }

    /// For messages: `a duration`, `a list`, `one of append, update`.
    public var inWords: String {
        switch self {
        case .text(let kind): kind.inWords
        case .boolean: "true or false"
        case .integer: "a whole number"
        case .number: "a number"
        case .duration: "a duration"
        case .size: "a size"
        case .word(let words): words.count == 1 ? "`\(words[0])`" : "one of \(words.joined(separator: ", "))"
        case .list: "a list"
        case .map, .object: "a map"
        case .oneOf(let noun, _), .byType(let noun, _): "a \(noun)"
        case .either(let types): types.map(\.inWords).joined(separator: " or ")
        case .any: "a value"
        }
    }
}

extension TextKind {
    /// For messages.
    var inWords: String {
        switch self {
        case .text: "a text"
        case .name, .identifier: "a name"
        case .path: "a path"
        case .topic: "a topic name"
        case .regex: "a regular expression"
        case .time: "an RFC 3339 time"
        case .expression: "an expression"
        case .aggregate: "an aggregate"
        case .selector: "a series selector"
        case .column: "a label or column"
        }
    }

    func check(_ text: String) -> (OptionValue?, complaint: String) {
        let fits: Bool
        let complaint: String
        switch self {
        case .name:
            fits = Self.isName(text)
            complaint = "lower case letters, digits and hyphens: [a-z0-9-]+"
        case .identifier:
            fits = !text.isEmpty && text.utf8.allSatisfy { Self.isTopicByte($0) && $0 != UInt8(ascii: ".") }
            complaint = "letters, digits, `-` and `_`"
        case .topic:
            // Kafka's rule (org.apache.kafka.common.internals.Topic).
            fits =
                (1...249).contains(text.utf8.count) && text != "." && text != ".."
                && text.utf8.allSatisfy { Self.isTopicByte($0) }
            complaint = "letters, digits, `.`, `_` and `-`, 249 at most"
        case .time:
            fits = EventTime.parseRFC3339(text) != nil
            complaint = "expected a time such as 2026-01-01T00:00:00Z"
        case .path, .expression, .aggregate, .selector, .column, .regex:
            fits = !text.isEmpty && !text.utf8.contains(0)
            complaint = "must not be empty"
        case .text:
            fits = true
            complaint = ""
        }
        return (fits ? .text(text) : nil, complaint)
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
            }
    }

    private static func isTopicByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
