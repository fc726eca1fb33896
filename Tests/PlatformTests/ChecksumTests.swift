import Platform
import Testing

@Suite("XXH64")
struct XXH64Tests {
    /// The buffer of the reference implementation's sanity check (xxhsum, "XSUM_fillTestBuffer").
    static let sanityBuffer: [UInt8] = {
        var generator: UInt64 = 2_654_435_761
        return (0..<2367).map { _ in
            let byte = UInt8(truncatingIfNeeded: generator >> 56)
            generator = generator &* 11_400_714_785_074_694_797
            return byte
        }
    }()

    @Test(
        "the reference implementation's vectors",
        arguments: [
            (0, 0, 0xEF46_DB37_51D8_E999), (0, 0x9E37_79B1, 0xAC75_FDA2_929B_17EF),
            (1, 0, 0xE934_A84A_DB05_2768), (1, 0x9E37_79B1, 0x5014_6076_43A9_B4C3),
            (4, 0, 0x9136_A0DC_A574_57EE), (14, 0, 0x8282_DCC4_994E_35C8),
            (222, 0, 0xB641_AE8C_B691_C174), (222, 0x9E37_79B1, 0x20CB_8AB7_AE10_C14A),
        ] as [(Int, UInt64, UInt64)])
    func vectors(_ length: Int, _ seed: UInt64, _ expected: UInt64) {
        #expect(XXH64.hash(Array(Self.sanityBuffer[..<length]), seed: seed) == expected)
    }

    @Test("known texts")
    func texts() {
        #expect(XXH64.hash([]) == 0xef46_db37_51d8_e999)
        #expect(XXH64.hash(Array("abc".utf8)) == 0x44bc_2cf5_ad77_0999)
        #expect(
            XXH64.hash(Array("Nobody inspects the spammish repetition".utf8)) == 0xfbce_a83c_8a37_8bf1)
    }

    @Test("any cut gives the same digest")
    func cuts() {
        for length in 0...100 {
            let bytes = Array(Self.sanityBuffer[..<length])
            let whole = XXH64.hash(bytes)
            for first in 0...length {
                var state = XXH64()
                state.update(Array(bytes[..<first]))
                _ = state.digest
                let middle = first + (length - first) / 3
                state.update(Array(bytes[first..<middle]))
                state.update(Array(bytes[middle...]))
                #expect(state.digest == whole)
            }
        }
    }
}
