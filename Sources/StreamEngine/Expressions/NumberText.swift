import Glibc

/// The number a text spells, for `number(x)`.
enum NumberText {
    /// A decimal number with optional sign, fraction and exponent, or `Inf`, `Infinity`, `NaN` in any case with an
    /// optional sign, as label values and Prometheus write them; blanks around are passed over. nil for anything
    /// else.
    static func parse(_ text: ByteString) -> Double? {
        var bytes = text.bytes[...]
        while let first = bytes.first, isBlank(first) { bytes.removeFirst() }
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        var digits = bytes
        if let sign = digits.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { digits.removeFirst() }
        guard let first = digits.first else { return nil }
        let word = String(decoding: digits, as: UTF8.self).lowercased()
        if word == "nan" { return .nan }
        let isInfinite = word == "inf" || word == "infinity"
        // `strtod` takes hexadecimal and `nan(…)` too: keep to decimals.
        let isDecimal = digits.allSatisfy { byte in
            byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e")
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
        }
        guard isInfinite || isDecimal && (first &- UInt8(ascii: "0") < 10 || first == UInt8(ascii: ".")) else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self).withCString { start in
            var end: UnsafeMutablePointer<CChar>?
            let value = strtod(start, &end)
            guard let end, end.pointee == 0, end != start else { return nil }
            return value
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
