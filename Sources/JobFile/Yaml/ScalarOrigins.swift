import StreamEngine

/// Finds, for each character of a scalar's text, where it was written.
///
/// libyaml tells only where a scalar begins and ends. Text and source are walked side by side: equal characters match,
/// an escape matches what it stands for, and where lines are folded, white space is skipped.
enum ScalarOrigins {
    /// As many places as `text` has Unicode scalars. Linear in the length of the source.
    static func find(
        _ text: String, style: ScalarStyle, in source: SourceText, from start: YamlMark, to end: YamlMark
    ) -> [YamlMark] {
        var cursor = Cursor(source: source, at: start, end: end)
        switch style {
        case .singleQuoted, .doubleQuoted: cursor.advance()
        case .block: cursor.skipLine()
        case .plain: break
        }
        var origins: [YamlMark] = []
        for wanted in text.unicodeScalars {
            cursor.seek(wanted, style: style)
            origins.append(cursor.at)
            cursor.consume(wanted, style: style)
        }
        return origins
    }

    private struct Cursor {
        let source: SourceText
        var at: YamlMark
        let end: YamlMark

        /// The character here; a line's end is "\n"; nil behind the scalar.
        var here: Unicode.Scalar? {
            guard at.line < end.line || (at.line == end.line && at.column < end.column),
                at.line < source.lines.count
            else { return nil }
            let line = source.lines[at.line]
            return at.column < line.count ? line[at.column] : "\n"
        }

        mutating func advance() {
            guard let scalar = here else { return }
            if scalar == "\n" { at = YamlMark(line: at.line + 1, column: 0) } else { at.column += 1 }
        }

        mutating func skipLine() { at = YamlMark(line: at.line + 1, column: 0) }

        private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
            scalar == " " || scalar == "\t" || scalar == "\n"
        }

        /// Goes to where `wanted` stands: over folded white space and escaped line ends.
        mutating func seek(_ wanted: Unicode.Scalar, style: ScalarStyle) {
            if Self.isBlank(wanted) { return }
            while let scalar = here {
                if Self.isBlank(scalar) {
                    advance()
                } else if style == .doubleQuoted, scalar == "\\", isLineContinuation {
                    advance()
                    advance()
                } else {
                    return
                }
            }
        }

        private var isLineContinuation: Bool {
            at.line < source.lines.count && at.column + 1 >= source.lines[at.line].count
        }

        /// Goes past what stands for `wanted`.
        mutating func consume(_ wanted: Unicode.Scalar, style: ScalarStyle) {
            guard let scalar = here else { return }
            if Self.isBlank(wanted) {
                // A folded line's blank may stand for any white space; an escape for itself.
                if style == .doubleQuoted, scalar == "\\" { skipEscape() } else if Self.isBlank(scalar) { advance() }
                return
            }
            switch (style, scalar) {
            case (.doubleQuoted, "\\"): skipEscape()
            case (.singleQuoted, "'"):
                advance()
                advance()
            default: advance()
            }
        }

        private mutating func skipEscape() {
            advance()
            let digits: Int
            switch here {
            case "x": digits = 2
            case "u": digits = 4
            case "U": digits = 8
            default: digits = 0
            }
            advance()
            for _ in 0..<digits { advance() }
        }
    }
}
