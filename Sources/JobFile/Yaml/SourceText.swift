import Platform
import StreamEngine

/// A job file's text by lines, for positions and for showing lines in messages.
public struct SourceText: Sendable {
    /// The largest job file taken, in bytes.
    public static let maxBytes = 4 << 20

    /// As the user named it.
    public let file: String
    /// Valid UTF-8 without a byte order mark.
    let bytes: [UInt8]
    /// Without their ends.
    let lines: [[Unicode.Scalar]]

    /// A text already at hand.
    public init(file: String, text: String) {
        self.init(file: file, validUTF8: Array(text.utf8))
    }

    private init(file: String, validUTF8 bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
        // YAML's line ends (YAML 1.1, 4.2), as libyaml counts them.
        var lines: [[Unicode.Scalar]] = [[]]
        var afterCR = false
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\n" where afterCR: afterCR = false
            case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}":
                lines.append([])
                afterCR = scalar == "\r"
            default:
                lines[lines.count - 1].append(scalar)
                afterCR = false
            }
        }
        self.lines = lines
    }

    /// Reads a job file, or says why it is none.
    public static func read(_ path: String, fileSystem: any FileSystem) -> Result<SourceText, Diagnostic> {
        let bytes: [UInt8]
        do throws(IOFailure) {
            guard let status = try fileSystem.status(path) else {
                return .failure(Diagnostic("\(path): there is no such file"))
            }
            switch status.kind {
            case .directory: return .failure(Diagnostic("\(path) is a directory; a job is one YAML file"))
            case .other where status.size == 0, .file, .other: break
            }
            guard status.size <= Int64(maxBytes) else {
                return .failure(
                    Diagnostic("\(path) has \(status.size) bytes; a job file has at most \(maxBytes): is it data?"))
            }
            bytes = try fileSystem.readAll(path, limit: maxBytes)
        } catch {
            return .failure(Diagnostic("\(error)"))
        }
        return check(bytes, file: path)
    }

    /// Takes bytes that are text, or says why they are not.
    public static func check(_ bytes: [UInt8], file: String) -> Result<SourceText, Diagnostic> {
        var bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            return .failure(Diagnostic("\(file) is UTF-16; save it as UTF-8"))
        }
        if let bad = firstBad(in: bytes) {
            let before = bytes[..<bad]
            let line = before.count { $0 == 0x0A } + 1
            let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            let column = before[lineStart...].count { $0 & 0xC0 != 0x80 } + 1
            let hex = String(bytes[bad], radix: 16, uppercase: true)
            return .failure(
                Diagnostic(
                    "\(file) is not a text file: byte 0x\(hex.count == 1 ? "0" : "")\(hex) at line \(line), "
                        + "column \(column); a job is YAML in UTF-8"))
        }
        let isBlank = bytes.allSatisfy { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
        if isBlank { return .failure(Diagnostic("\(file) is empty; a job needs a name, sources and queries")) }
        return .success(SourceText(file: file, validUTF8: bytes))
    }

    /// The offset of the first byte that is not UTF-8, or is a control character that no text has.
    private static func firstBad(in bytes: [UInt8]) -> Int? {
        if let control = bytes.firstIndex(where: { $0 < 0x09 || ($0 > 0x0D && $0 < 0x20 && $0 != 0x1B) }) {
            return control
        }
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var at = 0
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar): at += UTF8.width(scalar)
            case .emptyInput: return nil
            case .error: return min(at, bytes.count - 1)
            }
        }
    }

    /// A line's text, 1-based; nil past the end.
    public func line(_ number: Int) -> String? {
        guard number >= 1, number <= lines.count else { return nil }
        var text = String.UnicodeScalarView()
        text.append(contentsOf: lines[number - 1])
        return String(text)
    }
}
