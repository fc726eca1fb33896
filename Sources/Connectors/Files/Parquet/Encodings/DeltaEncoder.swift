/// DELTA_BINARY_PACKED (Encodings.md): integers as differences, bit-packed over the least of them. Blocks of 128 values,
/// four miniblocks each; arithmetic modulo 2^64.
enum DeltaEncoder {
    private static let blockValues = 128
    private static let miniblockValues = 32

    static func append(_ values: UnsafeBufferPointer<Int64>, to out: inout [UInt8]) {
        Varint.append(UInt64(blockValues), to: &out)
        Varint.append(UInt64(blockValues / miniblockValues), to: &out)
        Varint.append(UInt64(values.count), to: &out)
        Varint.append(zigzag: values.first ?? 0, to: &out)
        guard values.count > 1 else { return }
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: blockValues) { deltas in
            var at = 1
            while at < values.count {
                let count = min(blockValues, values.count - at)
                var least = Int64.max
                for i in 0..<count {
                    let delta = values[at + i] &- values[at + i - 1]
                    least = min(least, delta)
                    deltas[i] = UInt64(bitPattern: delta)
                }
                // Above the least difference; what fills the last miniblock is the least one itself.
                for i in 0..<count { deltas[i] = deltas[i] &- UInt64(bitPattern: least) }
                for i in count..<blockValues { deltas[i] = 0 }
                Varint.append(zigzag: least, to: &out)
                appendBlock(deltas, count, to: &out)
                at += count
            }
        }
    }

    private static func appendBlock(
        _ deltas: UnsafeMutableBufferPointer<UInt64>, _ count: Int, to out: inout [UInt8]
    ) {
        let widthsAt = out.count
        for _ in 0..<(blockValues / miniblockValues) { out.append(0) }
        for (number, start) in stride(from: 0, to: count, by: miniblockValues).enumerated() {
            var union: UInt64 = 0
            for i in start..<(start + miniblockValues) { union |= deltas[i] }
            let width = UInt64.bitWidth - union.leadingZeroBitCount
            out[widthsAt + number] = UInt8(width)
            if width > 0 {
                append(deltas: UnsafeBufferPointer(rebasing: deltas[start..<(start + miniblockValues)]), width, &out)
            }
        }
    }

    /// Packs 32 values of `width` bits: 4 x `width` bytes.
    private static func append(deltas: UnsafeBufferPointer<UInt64>, _ width: Int, _ out: inout [UInt8]) {
        var word: UInt64 = 0
        var bits = 0
        func flush(_ word: UInt64) { withUnsafeBytes(of: word.littleEndian) { out.append(contentsOf: $0) } }
        for value in deltas {
            word |= value << UInt64(bits)
            bits += width
            if bits >= 64 {
                flush(word)
                bits -= 64
                // What did not fit; nothing where it fitted exactly (a shift by the whole width gives 0).
                word = value >> UInt64(width - bits)
            }
        }
        // 32 x width bits are whole bytes, in words of four.
        while bits > 0 {
            out.append(UInt8(truncatingIfNeeded: word))
            word >>= 8
            bits -= 8
        }
    }
}
