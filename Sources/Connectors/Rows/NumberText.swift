/// Appends numbers as decimal text.
enum NumberText {
    /// Appends the shortest decimal that reads back as the same double: `16.0`, `0.1`, `1e+21`; `NaN`, `+Inf`, `-Inf`
    /// where it is not finite.
    static func append(_ value: Double, to out: inout [UInt8]) {
        guard value.isFinite else {
            out.append(contentsOf: (value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf").utf8)
            return
        }
        // Whole numbers below 2^53 are exact, and most counts, bytes and seconds are.
        if value.magnitude < 9_007_199_254_740_992, value == value.rounded(.towardZero) {
            if value.sign == .minus { out.append(UInt8(ascii: "-")) }
            append(UInt64(value.magnitude), to: &out)
            out.append(UInt8(ascii: "."))
            out.append(UInt8(ascii: "0"))
            return
        }
        if appendShortFraction(value, to: &out) { return }
        // The standard library's description is the shortest round-trip form (SwiftDtoa).
        var text = value.description
        text.withUTF8 { out.append(contentsOf: $0) }
    }

    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ]

    /// Fractions of at most 15 digits, as measured values mostly are: n / 10^k with n < 10^15 is exact after one
    /// division (Clinger 1990), and of all decimals of so few digits only one reads back as `value`. Returns false, and
    /// appends nothing, where the value needs more digits.
    private static func appendShortFraction(_ value: Double, to out: inout [UInt8]) -> Bool {
        let magnitude = value.magnitude
        // Smaller ones are written with an exponent.
        guard magnitude >= 1e-4, magnitude < 1e12 else { return false }
        for places in stride(from: 3, through: 15, by: 3) {
            let scaled = (magnitude * powersOfTen[places]).rounded()
            guard scaled < 1e15 else { return false }
            guard scaled / powersOfTen[places] == magnitude else { continue }
            var digits = UInt64(scaled)
            var count = places
            while digits % 10 == 0, count > 1 {
                digits /= 10
                count -= 1
            }
            if value < 0 { out.append(UInt8(ascii: "-")) }
            let unit = UInt64(powersOfTen[count])
            append(digits / unit, to: &out)
            out.append(UInt8(ascii: "."))
            append(digits % unit, width: count, to: &out)
            return true
        }
        return false
    }

    /// Appends a whole number.
    static func append(_ value: Int64, to out: inout [UInt8]) {
        if value < 0 { out.append(UInt8(ascii: "-")) }
        append(value.magnitude, to: &out)
    }

    /// Appends a whole number, with zeros in front up to `width` digits.
    static func append(_ value: UInt64, width: Int = 1, to out: inout [UInt8]) {
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &digits) { buffer in
            var at = buffer.count
            var value = value
            while value > 0 || buffer.count - at < width {
                at -= 1
                buffer[at] = UInt8(truncatingIfNeeded: 48 + value % 10)
                value /= 10
            }
            out.append(contentsOf: buffer[at...])
        }
    }
}
