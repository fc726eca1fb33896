/// A stretch of a page's bytes, read from the front. Nothing is read outside, whatever the bytes claim.
struct PageBytes {
    let bytes: [UInt8]
    /// The next byte.
    private(set) var at: Int
    let end: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        at = 0
        end = bytes.count
    }

    private init(_ bytes: [UInt8], _ at: Int, _ end: Int) {
        self.bytes = bytes
        self.at = at
        self.end = end
    }

    var count: Int { end - at }

    private func wanted(_ count: Int) -> PageFailure {
        PageFailure("\(count) bytes are wanted where \(self.count) are left")
    }

    mutating func byte() throws(PageFailure) -> UInt8 {
        guard at < end else { throw wanted(1) }
        defer { at += 1 }
        return bytes[at]
    }

    /// A little-endian number of 0 to 8 bytes.
    mutating func little(_ size: Int) throws(PageFailure) -> UInt64 {
        guard size >= 0, size <= 8, size <= count else { throw wanted(size) }
        var value: UInt64 = 0
        for index in 0..<size { value |= UInt64(bytes[at + index]) << UInt64(8 * index) }
        at += size
        return value
    }

    /// ULEB128, as in runs and delta blocks.
    mutating func varint() throws(PageFailure) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 || next <= 1 else { throw PageFailure("a number of more than 64 bits") }
            value |= UInt64(next & 0x7f) << shift
            if next < 0x80 { return value }
            shift += 7
        }
    }

    mutating func zigzag() throws(PageFailure) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// Takes `size` bytes as a stretch of their own.
    mutating func take(_ size: Int) throws(PageFailure) -> PageBytes {
        guard size >= 0, size <= count else { throw wanted(size) }
        defer { at += size }
        return PageBytes(bytes, at, at + size)
    }

    /// The rest, copied.
    var rest: [UInt8] { Array(bytes[at..<end]) }

    /// `width` bits (0...64) that begin `bit` bits behind the front, least significant first; nil beyond the end.
    func bits(at bit: Int, width: Int) -> UInt64? {
        guard width > 0 else { return 0 }
        let first = at + bit / 8
        let shift = bit % 8
        let needed = (shift + width + 7) / 8
        guard first + needed <= end else { return nil }
        var value: UInt64 = 0
        for index in 0..<min(needed, 8) { value |= UInt64(bytes[first + index]) << UInt64(8 * index) }
        value >>= UInt64(shift)
        if needed == 9 { value |= UInt64(bytes[first + 8]) << UInt64(64 - shift) }
        return width == 64 ? value : value & (1 << UInt64(width) - 1)
    }
}
