import StreamEngine

/// A piece of text as a terminal shows it.
struct ConsoleText: Equatable {
    var text: String
    /// Columns it takes.
    var width: Int

    /// Text known to be printable ASCII.
    init(ascii text: String) {
        self.text = text
        width = text.utf8.count
    }

    /// Escapes what would move the cursor or change the direction of writing, and cuts what is wider than `truncate`
    /// columns (0: nothing), ending it in `…`.
    init(_ raw: String, truncate: Int = 0) {
        if raw.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }), truncate == 0 || raw.utf8.count <= truncate {
            text = raw
            width = raw.utf8.count
            return
        }
        var characters: [(character: Character, columns: Int)] = []
        var width = 0
        var isCut = false
        for character in Self.escaped(raw) {
            let columns = Self.columns(of: character)
            if truncate > 0, width + columns > truncate {
                isCut = true
                break
            }
            characters.append((character, columns))
            width += columns
        }
        if isCut {
            while width > truncate - 1, let last = characters.popLast() { width -= last.columns }
            characters.append(("…", 1))
            width += 1
        }
        text = String(characters.map(\.character))
        self.width = width
    }

    /// The text followed by blanks up to `columns`.
    func padded(to columns: Int) -> String { text + String(repeating: " ", count: max(columns - width, 0)) }

    /// The text after blanks up to `columns`.
    func rightAligned(to columns: Int) -> String { String(repeating: " ", count: max(columns - width, 0)) + text }

    private static func escaped(_ raw: String) -> String {
        guard raw.unicodeScalars.contains(where: mustEscape) else { return raw }
        var out = String.UnicodeScalarView()
        for scalar in raw.unicodeScalars {
            if mustEscape(scalar) {
                switch scalar {
                case "\n": out.append(contentsOf: #"\n"#.unicodeScalars)
                case "\r": out.append(contentsOf: #"\r"#.unicodeScalars)
                case "\t": out.append(contentsOf: #"\t"#.unicodeScalars)
                default:
                    let digits = String(scalar.value, radix: 16, uppercase: true)
                    out.append(contentsOf: "\\u{\(digits)}".unicodeScalars)
                }
            } else {
                out.append(scalar)
            }
        }
        return String(out)
    }

    /// Control characters, marks that turn the writing direction, line separators. The joiner of emoji stays.
    private static func mustEscape(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7f }
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate: return true
        case .format: return scalar != "\u{200D}"
        default: return false
        }
    }

    /// Columns a terminal gives to a grapheme cluster (Unicode Standard Annex 11 for what is wide).
    private static func columns(of character: Character) -> Int {
        guard let first = character.unicodeScalars.first else { return 0 }
        if first.isASCII {
            // A keycap emoji: digit, variation selector, enclosing keycap.
            return character.unicodeScalars.contains("\u{FE0F}") ? 2 : 1
        }
        switch first.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        if first.properties.isEmojiPresentation || character.unicodeScalars.contains("\u{FE0F}") { return 2 }
        return isWide(first.value) ? 2 : 1
    }

    /// East Asian Wide and Fullwidth.
    private static func isWide(_ value: UInt32) -> Bool {
        switch value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18CFF, 0x1AFF0...0x1B2FB,
            0x1F200...0x1F265, 0x20000...0x3FFFD:
            true
        default: false
        }
    }
}
