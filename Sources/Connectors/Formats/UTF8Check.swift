/// Whether bytes are UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
func isUTF8(_ start: BytePointer, _ end: BytePointer) -> Bool {
    let raw = UnsafeRawPointer(start)
    let count = end - start
    var at = 0
    /// Whether the byte `offset` after `at` lies in a range.
    func follows(_ offset: Int, _ low: UInt8 = 0x80, _ high: UInt8 = 0xBF) -> Bool {
        at + offset < count && start[at + offset] >= low && start[at + offset] <= high
    }
    while at < count {
        if at + 8 <= count, raw.loadUnaligned(fromByteOffset: at, as: UInt64.self) & 0x8080_8080_8080_8080 == 0 {
            at += 8
            continue
        }
        switch start[at] {
        case 0x00...0x7F: at += 1
        case 0xC2...0xDF:
            guard follows(1) else { return false }
            at += 2
        case 0xE0...0xEF:
            let first = start[at]
            guard follows(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF), follows(2) else { return false }
            at += 3
        case 0xF0...0xF4:
            let first = start[at]
            guard follows(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF), follows(2), follows(3) else {
                return false
            }
            at += 4
        default: return false
        }
    }
    return true
}
