/// RLE / bit-packed hybrid (Encodings.md, "Run Length Encoding / Bit-Packing Hybrid"): dictionary indices and levels.
enum HybridEncoder {
    /// Bits that values up to `max` need.
    static func bitWidth(_ max: UInt32) -> Int { UInt32.bitWidth - max.leadingZeroBitCount }

    /// Appends runs for `values`, each of `bitWidth` bits. Eight equal values or more become a run; what lies between is
    /// packed, in groups of eight.
    static func append(_ values: UnsafeBufferPointer<UInt32>, bitWidth: Int, to out: inout [UInt8]) {
        var packedFrom = 0
        var at = 0
        let count = values.count
        while at < count {
            let value = values[at]
            var end = at + 1
            while end < count, values[end] == value { end += 1 }
            // Packed groups are whole: what fills the last one is taken from the run.
            let fill = (8 - (at - packedFrom) % 8) % 8
            if end - at - fill >= 8 {
                appendPacked(values, packedFrom..<(at + fill), bitWidth, to: &out)
                appendRun(of: value, count: end - at - fill, bitWidth, to: &out)
                packedFrom = end
            }
            at = end
        }
        appendPacked(values, packedFrom..<count, bitWidth, to: &out)
    }

    /// Appends one run.
    static func appendRun(of value: UInt32, count: Int, _ bitWidth: Int, to out: inout [UInt8]) {
        Varint.append(UInt64(count) << 1, to: &out)
        for byte in 0..<((bitWidth + 7) / 8) { out.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))) }
    }

    private static func appendPacked(
        _ values: UnsafeBufferPointer<UInt32>, _ range: Range<Int>, _ bitWidth: Int, to out: inout [UInt8]
    ) {
        guard !range.isEmpty else { return }
        let groups = (range.count + 7) / 8
        Varint.append(UInt64(groups) << 1 | 1, to: &out)
        // Whole groups of eight take `bitWidth` bytes each; the last one is filled up with zeros.
        let byteCount = groups * bitWidth
        let start = out.count
        out.append(contentsOf: repeatElement(0, count: byteCount))
        out.withUnsafeMutableBytes { out in
            var word: UInt64 = 0
            var bits = 0
            var at = start
            for index in range {
                word |= UInt64(values[index]) << UInt64(bits)
                bits += bitWidth
                // Widths are 32 at most: what is left and the next value fit into a word.
                while bits >= 32 {
                    out.storeBytes(of: UInt32(truncatingIfNeeded: word).littleEndian, toByteOffset: at, as: UInt32.self)
                    word >>= 32
                    bits -= 32
                    at += 4
                }
            }
            while bits > 0 {
                out[at] = UInt8(truncatingIfNeeded: word)
                word >>= 8
                bits -= 8
                at += 1
            }
        }
    }
}

/// Unsigned LEB128, and zigzag for signed numbers.
enum Varint {
    static func append(_ value: UInt64, to out: inout [UInt8]) {
        var value = value
        while value >= 0x80 {
            out.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        out.append(UInt8(value))
    }

    static func append(zigzag value: Int64, to out: inout [UInt8]) {
        append(UInt64(bitPattern: (value << 1) ^ (value >> 63)), to: &out)
    }
}
