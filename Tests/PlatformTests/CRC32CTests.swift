import Platform
import Testing

@Suite struct CRC32CTests {
    /// RFC 3720, appendix B.4.
    @Test(
        arguments: [
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA), ([UInt8](repeating: 0xff, count: 32), 0x62A8_AB43),
            ([UInt8](0..<32), 0x46DD_794E), ([UInt8]((0..<32).reversed()), 0x113F_DB5C),
            (Array("123456789".utf8), 0xE306_9283), ([], 0),
        ] as [([UInt8], UInt32)])
    func knownAnswers(_ bytes: [UInt8], _ expected: UInt32) { #expect(CRC32C.checksum(bytes) == expected) }

    @Test func anySplitGivesTheSame() {
        let bytes = (0..<100).map { UInt8($0 * 7 & 0xff) }
        let whole = CRC32C.checksum(bytes)
        for cut in 0...100 {
            #expect(CRC32C.checksum(Array(bytes[cut...]), seed: CRC32C.checksum(Array(bytes[..<cut]))) == whole)
        }
    }
}
