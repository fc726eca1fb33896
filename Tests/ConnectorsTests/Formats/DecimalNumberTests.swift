import Glibc
import StreamEngine
import TestSupport
import Testing

@testable import Connectors

/// Numbers are read bit for bit as `strtod` reads them.
@Suite struct DecimalNumberTests {
    /// Scans the whole text; nil unless all of it is a number.
    static func scan(_ text: [UInt8]) -> Double? {
        text.withUnsafeBufferPointer { buffer in
            guard var p = buffer.baseAddress else { return nil }
            let end = p + buffer.count
            let value = DecimalNumber.scan(&p, end)
            return p == end ? value : nil
        }
    }

    /// Compares with `strtod` in one buffer; false on a difference. An overflow is refused rather than infinite.
    static func agrees(_ text: UnsafeMutableBufferPointer<UInt8>, _ count: Int) -> Bool {
        guard let base = text.baseAddress else { return false }
        text[count] = 0
        var p = BytePointer(base)
        let mine = DecimalNumber.scan(&p, p + count)
        guard p == base + count || mine == nil else { return false }
        let theirs = UnsafeRawPointer(base).withMemoryRebound(to: CChar.self, capacity: count + 1) { strtod($0, nil) }
        return theirs.isInfinite ? mine == nil : mine?.bitPattern == theirs.bitPattern
    }

    @Test(arguments: [
        "0", "-0", "0.0", "-0.0e10", "0e400", "1", "9007199254740993", "9007199254740992", "9007199254740991",
        "18446744073709551615", "9999999999999999999", "0.1", "0.3", "1e22", "1e23", "8.5e22", "123456789e-22",
        "1.7976931348623157e308", "2.2250738585072014e-308", "2.2250738585072011e-308", "4.9e-324", "2.4e-324",
        "2.5e-324", "1e-400", "3.0120481927710844E-4", "362812.78999999998", "5e-20", "67e14", "985e15", "7693e20",
        "9214843084008499", "0.500000000000000166533453693773481063544750213623046875",
        "0.5000000000000001665334536937734810635447502136230468749",
        "0.5000000000000001665334536937734810635447502136230468751", "1448997445238699", "1e55", "1e-55", "1e56",
        "1e-56",
        "9223372036854775807e-55", "18014398509481985", "18014398509481983", "36028797018963967", "36028797018963969",
        "9007199254740993e-1", "90071992547409935e-1", "4503599627370497.5", "4503599627370496.5",
        "1125899906842624.125",
        "0.000000000000000000000000000000000000000000000000000000001", "1.", ".5", "+3", "00012", "6.02214076e+23",
        "179769313486231580793728971405301e276", "1090544144181609348835077142190",
        "5708990770823839524233143877797980545530986496",
    ])
    func hardCases(_ text: String) {
        #expect(Self.scan(Array(text.utf8))?.bitPattern == strtod(text, nil).bitPattern)
    }

    @Test(arguments: [
        "", "+", "-", ".", "-.", "e", "1e", "1e+", "1e-", ".e1", "0x", "0x1", "0x1p3", "1_0", "--1", "+-1", "1.2.3",
        "1e5.5",
        "in", "infi", "nan(1)", "+nan", "-NaN", "1e309", "-1e309", "1.7976931348623159e308", " 1", "1 ", "1,5", "1f",
        "INFINIT",
    ])
    func refused(_ text: String) {
        #expect(Self.scan(Array(text.utf8)) == nil)
    }

    @Test func words() {
        for word in ["inf", "Inf", "INF", "+inf", "+Infinity", "infinity"] {
            #expect(Self.scan(Array(word.utf8)) == .infinity)
        }
        for word in ["-inf", "-Infinity"] { #expect(Self.scan(Array(word.utf8)) == -.infinity) }
        for word in ["nan", "NaN", "NAN"] {
            // The ordinary NaN, never the staleness marker.
            #expect(Self.scan(Array(word.utf8))?.bitPattern == Double.nan.bitPattern)
        }
    }

    /// A million decimals: digits and exponents at random, within the table and beyond.
    @Test func randomDecimals() {
        let seed: UInt64 = 20_260_101
        var random = SeededRandom(seed: seed)
        let text = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 64)
        defer { text.deallocate() }
        var wrong: [String] = []
        for _ in 0..<1_000_000 {
            var bits = random.next()
            func take(_ bound: UInt64) -> UInt64 {
                defer { bits /= bound }
                return bits % bound
            }
            var length = 0
            if take(8) == 0 {
                text[0] = UInt8(ascii: "-")
                length = 1
            }
            let digits = 1 + Int(take(20))
            let point = Int(take(24))
            let hasExponent = take(2) == 0
            let exponent = Int(take(130)) - 65
            var mantissa = random.next()
            for i in 0..<digits {
                if i == point, i > 0 {
                    text[length] = UInt8(ascii: ".")
                    length += 1
                }
                text[length] = 48 + UInt8(truncatingIfNeeded: mantissa % 10)
                mantissa /= 10
                length += 1
            }
            if hasExponent {
                text[length] = UInt8(ascii: "e")
                text[length + 1] = exponent < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")
                text[length + 2] = 48 + UInt8(truncatingIfNeeded: abs(exponent) / 10)
                text[length + 3] = 48 + UInt8(truncatingIfNeeded: abs(exponent) % 10)
                length += 4
            }
            if !Self.agrees(text, length) {
                wrong.append(
                    String(decoding: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(text)[..<length]), as: UTF8.self)
                )
            }
        }
        #expect(wrong.prefix(5) == [], "seed \(seed)")
    }

    /// Doubles at random, written with 17 digits (exact) and as halfway points to their neighbours.
    @Test func randomDoubles() {
        let seed: UInt64 = 99
        var random = SeededRandom(seed: seed)
        var wrong: [String] = []
        for _ in 0..<20_000 {
            let bits = random.next()
            // Exponents near 0, where the table serves, and any.
            let near = bits & 0x800F_FFFF_FFFF_FFFF | UInt64(1023 - 150 + random.below(300)) << 52
            for pattern in [bits, near] {
                let value = Double(bitPattern: pattern)
                guard value.isFinite else { continue }
                let text = value.description
                if Self.scan(Array(text.utf8))?.bitPattern != value.bitPattern { wrong.append(text) }
            }
        }
        // 2^53 + odd numbers lie exactly between two doubles.
        for _ in 0..<20_000 {
            let halfway = (random.next() >> 10 | 1 << 53) | 1
            for text in ["\(halfway)", "\(halfway).0", "\(halfway)0e-1", "\(halfway)e0"] {
                if Self.scan(Array(text.utf8))?.bitPattern != strtod(text, nil).bitPattern { wrong.append(text) }
            }
        }
        #expect(wrong.prefix(5) == [], "seed \(seed)")
    }
}
