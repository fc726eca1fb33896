import Platform
import TestSupport
import Testing

@Suite("Snappy blocks")
struct SnappyTests {
    private func decompress(_ block: [UInt8], limit: Int = 1 << 20) throws(SnappyFailure) -> [UInt8] {
        var output: [UInt8] = [1, 2, 3]
        let result = block.withUnsafeBufferPointer { block in
            Result { () throws(SnappyFailure) in try Snappy.decompress(block, into: &output, limit: limit) }
        }
        try result.get()
        return output
    }

    @Test("round trip", arguments: [0, 1, 5, 1000, 100_000])
    func roundTrip(_ count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
        #expect(try decompress(Snappy.compress(bytes)) == bytes)
    }

    @Test("a block written by hand")
    func byHand() throws {
        // Length 10; literal of 2 bytes; copy of 8 from offset 2.
        #expect(try decompress([10, 1 << 2, 65, 66, 4 << 2 | 1, 2]) == Array("ABABABABAB".utf8))
    }

    @Test("a length beyond the limit, and one that cannot be, cost no memory")
    func bounds() {
        let thousand = Snappy.compress([UInt8](repeating: 7, count: 1000))
        #expect(throws: SnappyFailure.tooLarge(bytes: 1000, limit: 999)) { try decompress(thousand, limit: 999) }
        #expect(throws: SnappyFailure.damaged) { try decompress([0xff, 0xff, 0xff, 0xff, 0x0f, 0], limit: .max) }
        #expect(throws: SnappyFailure.damaged) { try decompress([0xff, 0xff, 0xff, 0xff, 0x7f, 0], limit: .max) }
    }

    @Test("truncated and mutated blocks throw or give bytes, never crash")
    func damage() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let block = Snappy.compress((0..<3000).map { UInt8(truncatingIfNeeded: $0 % 13) })
        for length in 0..<block.count {
            #expect(throws: SnappyFailure.self, "seed \(seed)") { try decompress(Array(block[..<length])) }
        }
        for _ in 0..<2000 {
            var mutated = block
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                mutated[Int.random(in: 0..<mutated.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if let output = try? decompress(mutated) { #expect(output.count <= 1 << 20, "seed \(seed)") }
        }
    }
}
