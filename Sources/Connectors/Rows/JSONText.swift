/// Appends JSON to byte buffers (RFC 8259), without a `String` on the way.
enum JSONText {
    /// Appends a string with its quotes. Bytes that are not UTF-8 become U+FFFD: JSON can be nothing else.
    static func appendString(_ text: some Collection<UInt8>, to out: inout [UInt8]) {
        let isDone = text.withContiguousStorageIfAvailable { bytes in
            guard isPlain(bytes) else { return false }
            out.append(UInt8(ascii: "\""))
            out.append(contentsOf: bytes)
            out.append(UInt8(ascii: "\""))
            return true
        }
        if isDone == true { return }
        out.append(UInt8(ascii: "\""))
        let start = out.count
        var isASCII = true
        for byte in text {
            if byte >= 0x80 { isASCII = false }
            if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                out.append(byte)
            } else {
                appendEscape(byte, to: &out)
            }
        }
        // Escapes are ASCII, so the bytes written are UTF-8 exactly where the text was.
        if !isASCII { repairUTF8(from: start, in: &out) }
        out.append(UInt8(ascii: "\""))
    }

    /// Whether a text stands in JSON as it is: ASCII without quotes, backslashes or control characters.
    private static func isPlain(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var isPlain = true
        // Without leaving early, so that it goes by vectors.
        for byte in bytes {
            isPlain = isPlain && byte &- 0x20 < 0x60 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
        }
        return isPlain
    }

    /// Appends a string with its quotes.
    static func appendString(_ text: String, to out: inout [UInt8]) { appendString(text.utf8, to: &out) }

    private static func appendEscape(_ byte: UInt8, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: out.append(UInt8(ascii: "b"))
        case 0x09: out.append(UInt8(ascii: "t"))
        case 0x0a: out.append(UInt8(ascii: "n"))
        case 0x0c: out.append(UInt8(ascii: "f"))
        case 0x0d: out.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): out.append(byte)
        default:
            out.append(contentsOf: "u00".utf8)
            out.append(hexadecimal(byte >> 4))
            out.append(hexadecimal(byte & 15))
        }
    }

    static func hexadecimal(_ digit: UInt8) -> UInt8 { digit < 10 ? 48 + digit : 87 + digit }

    private static func repairUTF8(from start: Int, in out: inout [UInt8]) {
        let isValid = out.withUnsafeBufferPointer { bytes in
            String(validating: UnsafeBufferPointer(rebasing: bytes[start...]), as: UTF8.self) != nil
        }
        if isValid { return }
        let repaired = String(decoding: out[start...], as: UTF8.self)
        out.replaceSubrange(start..., with: repaired.utf8)
    }

    /// Appends a number: the shortest decimal that reads back as the same double (`16.0`, `0.1`, `1e+21`), or one of
    /// the strings `"NaN"`, `"+Inf"`, `"-Inf"`.
    static func appendNumber(_ value: Double, to out: inout [UInt8]) {
        if value.isFinite {
            NumberText.append(value, to: &out)
        } else {
            out.append(UInt8(ascii: "\""))
            NumberText.append(value, to: &out)
            out.append(UInt8(ascii: "\""))
        }
    }
}
