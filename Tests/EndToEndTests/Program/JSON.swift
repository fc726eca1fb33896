import FoundationEssentials

/// A JSON value as a decoder that is not ours reads it.
enum JSON: Decodable, Equatable, Sendable {
    case null
    case boolean(Bool)
    case number(Double)
    case text(String)
    case array([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let boolean = try? value.decode(Bool.self) {
            self = .boolean(boolean)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let array = try? value.decode([JSON].self) {
            self = .array(array)
        } else {
            self = .object(try value.decode([String: JSON].self))
        }
    }

    /// One document.
    init(_ text: some StringProtocol) throws {
        self = try JSONDecoder().decode(JSON.self, from: Data(text.utf8))
    }

    /// Documents one a line.
    static func lines(_ text: String) throws -> [JSON] { try text.split(separator: "\n").map { try JSON($0) } }

    subscript(_ key: String) -> JSON? {
        if case .object(let members) = self { return members[key] }
        return nil
    }

    /// A number, also one of the strings that stand for those JSON cannot write.
    var number: Double? {
        switch self {
        case .number(let number): number
        case .text("NaN"): .nan
        case .text("+Inf"): .infinity
        case .text("-Inf"): -.infinity
        default: nil
        }
    }

    var text: String? {
        if case .text(let text) = self { return text }
        return nil
    }
}
