import StreamEngine

/// Puts environment variables into a text: `${VAR}`, `${VAR:-default}`; `$${` is a literal `${`.
enum EnvironmentText {
    /// What went wrong, with the index of the scalar where it stands.
    struct Failure: Error {
        var message: String
        var label: String
        var index: Int
        var length: Int
    }

    /// The text after substitution; for each of its Unicode scalars the index of the scalar it came from, and whether
    /// it came out of a variable.
    struct Expanded {
        var text: String.UnicodeScalarView = .init()
        var origins: [(index: Int, isPinned: Bool)] = []

        mutating func append(_ scalar: Unicode.Scalar, from index: Int, isPinned: Bool) {
            text.append(scalar)
            origins.append((index, isPinned))
        }
    }

    static func expand(
        _ scalars: [Unicode.Scalar], environment: (String) -> String?
    ) throws(Failure) -> Expanded {
        var result = Expanded()
        var at = 0
        while at < scalars.count {
            if scalars[at...].starts(with: ["$", "$", "{"]) {
                result.append("$", from: at, isPinned: false)
                result.append("{", from: at + 2, isPinned: false)
                at += 3
            } else if scalars[at...].starts(with: ["$", "{"]) {
                guard let close = scalars[at...].firstIndex(of: "}") else {
                    throw Failure(
                        message: "`${` without `}`", label: "a literal `${` is written `$${`", index: at, length: 2)
                }
                let value = try lookUp(scalars[(at + 2)..<close], at: at, environment: environment)
                for scalar in value.unicodeScalars { result.append(scalar, from: at, isPinned: true) }
                at = close + 1
            } else {
                result.append(scalars[at], from: at, isPinned: false)
                at += 1
            }
        }
        return result
    }

    private static func lookUp(
        _ inside: ArraySlice<Unicode.Scalar>, at index: Int, environment: (String) -> String?
    ) throws(Failure) -> String {
        var nameEnd = inside.startIndex
        while nameEnd < inside.endIndex, isNameScalar(inside[nameEnd], isFirst: nameEnd == inside.startIndex) {
            nameEnd += 1
        }
        var name = ""
        name.unicodeScalars.append(contentsOf: inside[..<nameEnd])
        let rest = inside[nameEnd...]
        let length = inside.count + 3
        guard !name.isEmpty, rest.isEmpty || rest.starts(with: [":", "-"]) else {
            throw Failure(
                message: "`${…}` holds no variable name", label: "write ${VAR} or ${VAR:-default}", index: index,
                length: length)
        }
        let value = environment(name)
        if rest.isEmpty {
            guard let value else {
                throw Failure(
                    message: "the environment variable `\(name)` is not set",
                    label: "set it, or give a default: ${\(name):-…}", index: index, length: length)
            }
            return value
        }
        if let value, !value.isEmpty { return value }
        var text = ""
        text.unicodeScalars.append(contentsOf: rest.dropFirst(2))
        return text
    }

    private static func isNameScalar(_ scalar: Unicode.Scalar, isFirst: Bool) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "_": true
        case "0"..."9": !isFirst
        default: false
        }
    }
}
