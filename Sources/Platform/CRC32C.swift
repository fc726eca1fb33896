/// CRC-32C (Castagnoli; RFC 3720 appendix B.4), the checksum of Kafka's record batches and of our own files.
///
/// Slicing-by-16 (Kounavis and Berry, 2005): sixteen tables, sixteen input bytes a step.
public enum CRC32C {
    /// Sixteen tables of 256 words, one after the other; they live as long as the process.
    private struct Tables: @unchecked Sendable {
        // Unchecked: written once, while `tables` is initialised, and only read afterwards.
        let words: UnsafePointer<UInt32>

        init() {
            let words = UnsafeMutablePointer<UInt32>.allocate(capacity: 16 * 256)
            for index in 0..<256 {
                var value = UInt32(index)
                for _ in 0..<8 { value = value & 1 == 1 ? 0x82F6_3B78 ^ (value >> 1) : value >> 1 }
                words[index] = value
            }
            for slice in 1..<16 {
                for index in 0..<256 {
                    let previous = words[(slice - 1) * 256 + index]
                    words[slice * 256 + index] = words[Int(previous & 0xff)] ^ (previous >> 8)
                }
            }
            self.words = UnsafePointer(words)
        }
    }

    private static let tables = Tables()

    /// The checksum of `bytes`. `seed` is the checksum of the bytes before these (0: none).
    public static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
        guard let base = bytes.baseAddress else { return seed }
        let t = tables.words
        var crc = ~seed
        var at = 0
        let count = bytes.count
        while count - at >= 16 {
            let low = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self)) ^ UInt64(crc)
            let high = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self))
            let first =
                t[15 * 256 + Int(low & 0xff)] ^ t[14 * 256 + Int((low >> 8) & 0xff)]
                ^ t[13 * 256 + Int((low >> 16) & 0xff)] ^ t[12 * 256 + Int((low >> 24) & 0xff)]
            let second =
                t[11 * 256 + Int((low >> 32) & 0xff)] ^ t[10 * 256 + Int((low >> 40) & 0xff)]
                ^ t[9 * 256 + Int((low >> 48) & 0xff)] ^ t[8 * 256 + Int(low >> 56)]
            let third =
                t[7 * 256 + Int(high & 0xff)] ^ t[6 * 256 + Int((high >> 8) & 0xff)]
                ^ t[5 * 256 + Int((high >> 16) & 0xff)] ^ t[4 * 256 + Int((high >> 24) & 0xff)]
            let fourth =
                t[3 * 256 + Int((high >> 32) & 0xff)] ^ t[2 * 256 + Int((high >> 40) & 0xff)]
                ^ t[256 + Int((high >> 48) & 0xff)] ^ t[Int(high >> 56)]
            crc = first ^ second ^ third ^ fourth
            at += 16
        }
        while at < count {
            crc = t[Int((crc ^ UInt32(base.load(fromByteOffset: at, as: UInt8.self))) & 0xff)] ^ (crc >> 8)
            at += 1
        }
        return ~crc
    }

    /// The checksum of an array's bytes.
    public static func checksum(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { checksum($0, seed: seed) }
    }
}
