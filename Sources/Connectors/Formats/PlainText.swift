/// Quoted texts of which nothing is unusual: ASCII without escapes and control bytes. JSON and text exposition write them
/// in the same way.
enum PlainText {
    /// What stands between the quotes at `at`, which moves past them; nil where there are none, or anything unusual within.
    @inline(__always)
    static func scan(_ at: inout BytePointer, _ end: BytePointer) -> UnsafeBufferPointer<UInt8>? {
        guard at < end, at.pointee == UInt8(ascii: "\"") else { return nil }
        let start = at + 1
        var p = start
        while true {
            if end - p >= 8 {
                let special = special(UnsafeRawPointer(p).loadUnaligned(as: UInt64.self).littleEndian)
                guard special != 0 else {
                    p += 8
                    continue
                }
                p += special.trailingZeroBitCount / 8
            } else {
                while p < end, p.pointee >= 0x20, p.pointee < 0x80, p.pointee != UInt8(ascii: "\""),
                    p.pointee != UInt8(ascii: "\\")
                {
                    p += 1
                }
            }
            guard p < end, p.pointee == UInt8(ascii: "\"") else { return nil }
            at = p + 1
            return UnsafeBufferPointer(start: start, count: p - start)
        }
    }

    /// The highest bit of the first byte that is a quote, a backslash, below 0x20 or above 0x7F; those of bytes behind it may be
    /// set without cause. (H. S. Warren, "Hacker's Delight", "Find First 0-Byte".)
    @inline(__always)
    private static func special(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = word ^ ones &* 0x22
        let slash = word ^ ones &* 0x5C
        return ((quote &- ones) & ~quote | (slash &- ones) & ~slash | (word &- ones &* 0x20) & ~word | word)
            & (ones &* 0x80)
    }
}
