/// Reads decimal points in time exactly: no double is involved, finer than a millisecond floors (SEMANTICS §8).
enum DecimalTime: Equatable {
    case milliseconds(Int64)
    /// Well written, but beyond Int64 milliseconds.
    case outOfRange
    /// Not a number as the format writes times.
    case malformed

    /// An integer of milliseconds with an optional sign, at most as Int64 (Prometheus text exposition).
    @inline(__always)
    static func scanInteger(_ at: inout BytePointer, _ end: BytePointer) -> DecimalTime {
        var p = at
        var isNegative = false
        if p < end, p.pointee == UInt8(ascii: "-") || p.pointee == UInt8(ascii: "+") {
            isNegative = p.pointee == UInt8(ascii: "-")
            p += 1
        }
        let firstDigit = p
        var value: UInt64 = 0
        while p < end {
            let digit = p.pointee &- 48
            if digit > 9 { break }
            value = value &* 10 &+ UInt64(digit)
            p += 1
        }
        let digits = p - firstDigit
        guard digits > 0 else { return .malformed }
        at = p
        guard digits <= 18 else { return scaled(firstDigit, p, exponent: 0, isNegative: isNegative) }
        let signed = Int64(bitPattern: value)
        return .milliseconds(isNegative ? 0 &- signed : signed)
    }

    /// Seconds as a real number, `[+-] digits [. digits] [e [+-] digits]` (OpenMetrics 1.0 `realnumber`).
    @inline(__always)
    static func scanSeconds(_ at: inout BytePointer, _ end: BytePointer) -> DecimalTime {
        var p = at
        var value: Int64 = 0
        while p < end {
            let digit = p.pointee &- 48
            if digit > 9 { break }
            value = value &* 10 &+ Int64(digit)
            p += 1
        }
        let digits = p - at
        // The usual case: up to 15 digits, then at most three more.
        if digits > 0, digits <= 15 {
            value &*= 1000
            if p == end || p.pointee == 0x20 || p.pointee == 0x0A {
                at = p
                return .milliseconds(value)
            }
            if p.pointee == UInt8(ascii: ".") {
                var scale: Int64 = 100
                var q = p + 1
                while q < end, scale > 0 {
                    let digit = q.pointee &- 48
                    if digit > 9 { break }
                    value &+= Int64(digit) &* scale
                    scale = scale == 100 ? 10 : scale == 10 ? 1 : 0
                    q += 1
                }
                if q == end || q.pointee == 0x20 || q.pointee == 0x0A {
                    at = q
                    return .milliseconds(value)
                }
            }
        }
        return scanReal(&at, end, scale: 3)
    }

    /// A real number times 10^scale, floored. Any number of digits, any exponent.
    @inline(never)
    static func scanReal(_ at: inout BytePointer, _ end: BytePointer, scale: Int) -> DecimalTime {
        var p = at
        var isNegative = false
        if p < end, p.pointee == UInt8(ascii: "-") || p.pointee == UInt8(ascii: "+") {
            isNegative = p.pointee == UInt8(ascii: "-")
            p += 1
        }
        let start = p
        var digits = 0
        var fraction = 0
        var hasPoint = false
        while p < end {
            if p.pointee == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else if p.pointee &- 48 <= 9 {
                digits += 1
                if hasPoint { fraction += 1 }
            } else {
                break
            }
            p += 1
        }
        guard digits > 0 else { return .malformed }
        let stop = p
        var exponent = scale
        if p < end, p.pointee | 0x20 == UInt8(ascii: "e") {
            guard let explicit = DecimalNumber.scanExponent(&p, end) else { return .malformed }
            exponent += explicit
        }
        at = p
        return scaled(start, stop, exponent: exponent - fraction, isNegative: isNegative)
    }

    /// The digits (a point among them is passed over) times 10^exponent, floored.
    private static func scaled(
        _ start: BytePointer, _ end: BytePointer, exponent: Int, isNegative: Bool
    ) -> DecimalTime {
        var left = exponent
        for i in 0..<(end - start) where start[i] != UInt8(ascii: ".") { left += 1 }
        // `left` is now how many digits stand before the decimal point of the result.
        var value: UInt64 = 0
        var isFloored = false
        /// False on overflow.
        func push(_ digit: UInt8) -> Bool {
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(UInt64(digit))
            value = sum
            return !overflow && !carry
        }
        for i in 0..<(end - start) where start[i] != UInt8(ascii: ".") {
            let digit = start[i] &- 48
            if left > 0 {
                guard push(digit) else { return .outOfRange }
            } else if digit != 0 {
                isFloored = true
                break
            }
            left -= 1
        }
        while left > 0, value != 0 {
            guard push(0) else { return .outOfRange }
            left -= 1
        }
        guard value <= UInt64(Int64.max) else { return .outOfRange }
        let whole = Int64(value)
        return .milliseconds(isNegative ? (isFloored ? 0 - whole - (whole < Int64.max ? 1 : 0) : 0 - whole) : whole)
    }
}
