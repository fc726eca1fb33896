import Glibc
import TestSupport

/// Makes lines of text that mean mischief: out of few parts, so that they repeat and are nearly each other.
struct HostileText {
    var random: SeededRandom

    /// Rounds of each test of agreement; `FORMAT_ROUNDS` asks for more, from `FORMAT_SEED` on (`scripts/soak.sh formats`).
    static var seeds: Range<UInt64> {
        func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }
        let first = number("FORMAT_SEED") ?? 1
        return first..<(first + (number("FORMAT_ROUNDS") ?? 150))
    }

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func chance(_ one: Int) -> Bool { random.below(one) == 0 }

    mutating func pick<Element>(_ from: [Element]) -> Element { from[random.below(from.count)] }

    /// A text that is usual in most cases, and otherwise has some byte that ends things or counts.
    mutating func labelValue() -> [UInt8] {
        guard chance(10) else { return Array("v\(random.below(3))".utf8) }
        switch random.below(14) {
        case 0: return []
        case 1: return Array("}".utf8)
        case 2: return Array("x}\"".utf8)
        case 3: return Array("\\\"".utf8)
        case 4: return Array("a\\\\".utf8)
        case 5: return Array("\\n\\t\\u0041".utf8)
        case 6: return Array("é😀".utf8)
        case 7: return [0xC3]
        case 8: return Array("x\ty".utf8)
        case 9: return [0x78, UInt8(random.below(3))]
        case 10: return [UInt8](repeating: 0x6C, count: 125 + random.below(6))
        case 11: return Array("},\"name\":\"m".utf8)
        case 12: return Array("} 1 2".utf8)
        default: return [0x7F, UInt8(0x20 + random.below(96))]
        }
    }

    mutating func labelName() -> [UInt8] {
        guard chance(20) else { return Array(pick(["a", "b", "ab", "job"]).utf8) }
        return Array(pick(["__name__", "", "é", "a b", "1", "a\\\"", "__name", "\\u0061", "le"]).utf8)
    }

    mutating func metricName() -> [UInt8] {
        guard chance(10) else { return Array(pick(["m", "up", "u"]).utf8) }
        if chance(4) { return [UInt8](repeating: 0x6E, count: 125 + random.below(6)) }
        return Array(pick(["", "_m", ":m", "m-n", "é", "1", "u\\\"p", "m\\\\", "m}", "__name__", "m n"]).utf8)
    }

    mutating func number() -> [UInt8] {
        guard chance(8) else { return Array("\(random.below(100))".utf8) }
        return Array(
            pick([
                "1.5", "-0", "NaN", "+Inf", "-inf", "1e3", "1E-400", "1e999", "", "1e", "0x1", "1_0", ".5", "5.", "01",
                "123456789012345678901234567890", "9007199254740993", "1..2", "-", "+1", "nan", "Infinity", "1x",
            ]).utf8)
    }

    /// Now and then later than the tests allow.
    mutating func timestamp(perSecond: Int = 1000) -> [UInt8] {
        guard chance(6) else {
            return Array("\((1_767_225_600 + random.below(2) + (chance(20) ? 2 : 0)) * perSecond)".utf8)
        }
        return Array(
            pick([
                "5", "-5", "0", "007", "9223372036854775807", "-9223372036854775808", "99999999999999999999", "1.5",
                "1.0005",
                "-1.0005", "1e9", "x", "", "99999999999", "100000000000", "1767225600.123", "1e300", "+7", "5.",
            ]).utf8)
    }

    mutating func lineEnd() -> [UInt8] {
        guard chance(8) else { return [0x0A] }
        return Array(pick(["\r\n", " \n", "\t\r\n", "\r\r\n", "", "\n\n", "\r", "\u{0}\n", " x\n"]).utf8)
    }

    /// Some bytes at random places become others.
    mutating func damage(_ bytes: inout [UInt8]) {
        let alphabet = Array("{}[]\",:=\\ \t\n\r#019.e+-_amu".utf8) + [0, 1, 0x7F, 0x80, 0xC3, 0xFF]
        for _ in 0...random.below(3) where !bytes.isEmpty {
            let at = random.below(bytes.count)
            switch random.below(4) {
            case 0: bytes[at] = pick(alphabet)
            case 1: bytes.insert(pick(alphabet), at: at)
            case 2: bytes.remove(at: at)
            default: bytes.removeLast(random.below(bytes.count + 1))
            }
        }
    }
}
