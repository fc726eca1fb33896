import StreamEngine

/// Puts diagnostics into words as a compiler does: message, place, the line with carets, what to do.
public struct DiagnosticText: Sendable {
    /// Whether to colour.
    public let isColoured: Bool
    /// The texts that diagnostics point into, by file name.
    public let texts: [String: SourceText]

    /// Text with or without colour.
    public init(texts: [String: SourceText], isColoured: Bool) {
        self.texts = texts
        self.isColoured = isColoured
    }

    /// The diagnostic as lines, each with its line end.
    public func render(_ diagnostic: Diagnostic) -> String {
        let head = diagnostic.severity == .error ? paint("error", "1;31") : paint("warning", "1;33")
        var out = "\(head)\(paint(": \(diagnostic.message)", "1"))\n"
        guard let span = diagnostic.span else {
            if !diagnostic.label.isEmpty { out += "  = \(diagnostic.label)\n" }
            for note in diagnostic.notes { out += "  = \(note)\n" }
            return out
        }
        let number = "\(span.line)"
        let margin = String(repeating: " ", count: number.count)
        if let line = texts[span.file]?.line(span.line) {
            let shown = Self.printable(line)
            out += "\(margin)\(paint("-->", "1;34")) \(span.place)\n"
            out += "\(margin) \(paint("|", "1;34"))\n"
            out += "\(paint("\(number) |", "1;34")) \(shown)\n"
            let color = diagnostic.severity == .error ? "1;31" : "1;33"
            let lead = Self.lead(line, columns: span.column - 1)
            let carets = String(repeating: "^", count: Self.width(line, from: span.column - 1, length: span.length))
            let label = diagnostic.label.isEmpty ? "" : " \(diagnostic.label)"
            out += "\(margin) \(paint("|", "1;34")) \(lead)\(paint(carets + label, color))\n"
        } else {
            out += "\(margin)\(paint("-->", "1;34")) \(span.place)\n"
            if !diagnostic.label.isEmpty { out += "\(margin) = \(diagnostic.label)\n" }
        }
        for note in diagnostic.notes { out += "\(margin) \(paint("=", "1;34")) \(note)\n" }
        return out
    }

    private func paint(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    /// A line as a terminal may see it: control characters replaced, tabs kept.
    private static func printable(_ line: String) -> String {
        var out = String.UnicodeScalarView()
        for scalar in line.unicodeScalars {
            let isControl = (scalar.value < 0x20 && scalar != "\t") || (0x7F...0x9F).contains(scalar.value)
            out.append(isControl ? "\u{FFFD}" : scalar)
        }
        return String(out)
    }

    /// Blanks as wide as the line's first `columns` characters; tabs stay tabs, so that carets line up.
    private static func lead(_ line: String, columns: Int) -> String {
        var out = ""
        for scalar in line.unicodeScalars.prefix(columns) {
            out += scalar == "\t" ? "\t" : String(repeating: " ", count: CharacterWidth.columns(scalar))
        }
        let missing = columns - line.unicodeScalars.count
        return missing > 0 ? out + String(repeating: " ", count: min(missing, 200)) : out
    }

    private static func width(_ line: String, from start: Int, length: Int) -> Int {
        let covered = line.unicodeScalars.dropFirst(start).prefix(length)
        return max(covered.reduce(0) { $0 + CharacterWidth.columns($1) }, 1)
    }
}
