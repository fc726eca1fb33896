import StreamEngine

/// The keys of a sample object.
enum SampleJSONKey {
    case timestamp, value, name, labels

    /// Moves past blanks, the only white space of the usual form.
    @inline(__always)
    static func skipSpaces(_ at: inout BytePointer, _ end: BytePointer) {
        while at < end, at.pointee == 0x20 { at += 1 }
    }

    /// Reads one of the keys, without escapes, and the colon after it.
    @inline(__always)
    static func scan(_ at: inout BytePointer, _ end: BytePointer) -> SampleJSONKey? {
        let p = at
        // The longest key reaches to `p[10]`; where less is left, the object is read the other way.
        guard end - p >= 12, p.pointee == UInt8(ascii: "\"") else { return nil }
        let word = UnsafeRawPointer(p + 1).loadUnaligned(as: UInt64.self).littleEndian
        var next: BytePointer
        let key: SampleJSONKey
        // Eight bytes after the quote, as a little-endian number.
        if word == 0x6D61_7473_656D_6974, p[9] == UInt8(ascii: "p"), p[10] == UInt8(ascii: "\"") {
            key = .timestamp
            next = p + 11
        } else if word & 0xFFFF_FFFF_FFFF == 0x2265_756C_6176 {
            key = .value
            next = p + 7
        } else if word & 0xFF_FFFF_FFFF == 0x22_656D_616E {
            key = .name
            next = p + 6
        } else if word & 0xFF_FFFF_FFFF_FFFF == 0x22_736C_6562_616C {
            key = .labels
            next = p + 8
        } else {
            return nil
        }
        skipSpaces(&next, end)
        guard next < end, next.pointee == UInt8(ascii: ":") else { return nil }
        at = next + 1
        return key
    }
}
