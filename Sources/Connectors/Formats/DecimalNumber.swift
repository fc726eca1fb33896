import Glibc

/// Reads floating-point numbers from text, bit for bit as `strtod` would, without a copy in all usual cases.
///
/// The grammar is that of Go's `strconv.ParseFloat` as Prometheus uses it (`model/textparse`: "_" and hexadecimal
/// floats are refused): `[+-] digits [. digits] [e [+-] digits]` with at least one digit before the exponent, `Inf`
/// and `Infinity` with or without sign, `NaN` without one, in any case. A decimal too large for a double is refused
/// (Go's ErrRange); one too small is zero.
enum DecimalNumber {
    /// Powers of ten that are exact in a double.
    @usableFromInline static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    /// Reads the number at `at` and moves past it; nil where there is none. What follows is the caller's to check.
    @inline(__always)
    static func scan(_ at: inout BytePointer, _ end: BytePointer) -> Double? {
        let start = at
        var p = at
        var isNegative = false
        if p < end, p.pointee == UInt8(ascii: "-") || p.pointee == UInt8(ascii: "+") {
            isNegative = p.pointee == UInt8(ascii: "-")
            p += 1
        }
        let firstDigit = p
        var mantissa: UInt64 = 0
        while p < end {
            let digit = p.pointee &- 48
            if digit > 9 { break }
            mantissa = mantissa &* 10 &+ UInt64(digit)
            p += 1
        }
        var digits = p - firstDigit
        var exponent = 0
        if p < end, p.pointee == UInt8(ascii: ".") {
            p += 1
            let fraction = p
            while p < end {
                let digit = p.pointee &- 48
                if digit > 9 { break }
                mantissa = mantissa &* 10 &+ UInt64(digit)
                p += 1
            }
            exponent = fraction - p
            digits &+= p - fraction
        }
        guard digits > 0 else { return special(&at, end) }
        if p < end, p.pointee | 0x20 == UInt8(ascii: "e") {
            guard let explicit = scanExponent(&p, end) else { return nil }
            exponent &+= explicit
        }
        at = p
        // Clinger's fast path: both factors exact, one rounding (W. D. Clinger, "How to Read Floating Point Numbers
        // Accurately", 1990).
        if digits <= 19, mantissa <= 1 << 53, exponent >= -22, exponent <= 22 {
            let whole = Double(mantissa)
            let value = exponent < 0 ? whole / powersOfTen[-exponent] : whole * powersOfTen[exponent]
            return isNegative ? -value : value
        }
        if digits <= 19, let value = EiselLemire.double(mantissa, exponent) { return isNegative ? -value : value }
        return convert(start, p)
    }

    /// `e`, an optional sign and digits; nil without a digit. Clamped to ±100,000.
    @inline(__always)
    static func scanExponent(_ at: inout BytePointer, _ end: BytePointer) -> Int? {
        var p = at + 1
        var isNegative = false
        if p < end, p.pointee == UInt8(ascii: "-") || p.pointee == UInt8(ascii: "+") {
            isNegative = p.pointee == UInt8(ascii: "-")
            p += 1
        }
        let firstDigit = p
        var value = 0
        while p < end {
            let digit = p.pointee &- 48
            if digit > 9 { break }
            value = min(value &* 10 &+ Int(digit), 100_000)
            p += 1
        }
        guard p > firstDigit else { return nil }
        at = p
        return isNegative ? -value : value
    }

    /// `Inf`, `Infinity` and `NaN`, as Go's `special` reads them.
    @inline(never)
    private static func special(_ at: inout BytePointer, _ end: BytePointer) -> Double? {
        var p = at
        var isNegative = false
        var isSigned = false
        if p < end, p.pointee == UInt8(ascii: "-") || p.pointee == UInt8(ascii: "+") {
            isNegative = p.pointee == UInt8(ascii: "-")
            isSigned = true
            p += 1
        }
        func matches(_ word: StaticString) -> Bool {
            guard end - p >= word.utf8CodeUnitCount else { return false }
            for i in 0..<word.utf8CodeUnitCount where p[i] | 0x20 != word.utf8Start[i] { return false }
            return true
        }
        if matches("infinity") {
            at = p + 8
        } else if matches("inf") {
            at = p + 3
        } else if !isSigned, matches("nan") {
            at = p + 3
            return .nan
        } else {
            return nil
        }
        return isNegative ? -.infinity : .infinity
    }

    /// The rare rest: more than 19 digits, or an exponent beyond the tables. nil when it overflows.
    @inline(never)
    private static func convert(_ start: BytePointer, _ end: BytePointer) -> Double? {
        let value = withUnsafeTemporaryAllocation(of: CChar.self, capacity: end - start + 1) { copy -> Double in
            for i in 0..<(end - start) { copy[i] = CChar(bitPattern: start[i]) }
            copy[end - start] = 0
            guard let base = copy.baseAddress else { return .infinity }
            return strtod(base, nil)
        }
        return value.isInfinite ? nil : value
    }
}
