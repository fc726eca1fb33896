/// The nearest double of `mantissa · 10^exponent` from one or two 64-bit multiplications.
///
/// D. Lemire, "Number Parsing at a Gigabyte per Second" (2021), section 5; that no exact fallback is needed:
/// N. Mushtak and D. Lemire, "Fast Number Parsing Without Fallback" (2023). Only exponents within ±55 are served
/// here (a small table, made at first use); there the result is never subnormal and never overflows.
enum EiselLemire {
    /// Largest exponent served, either sign.
    static let reach = 55

    /// 5^q for q in -55...55, shifted so that the top bit of 128 is set: truncated for q >= 0 (exact, as 5^55 < 2^128)
    /// and q < -27, rounded up for -27 <= q < 0, as the paper's appendix makes it.
    private static let table: [UInt128] = (-reach...reach).map { power in
        var five: UInt128 = 1
        for _ in 0..<abs(power) { five *= 5 }
        if power >= 0 { return five << five.leadingZeroBitCount }
        // Long division of 2^(bits + 127) by 5^-q, bit by bit: 128 significant bits of the reciprocal.
        let bits = 128 - (five - 1).leadingZeroBitCount
        var quotient: UInt128 = 0
        // The remainder of 2^(bits - 1) is itself: it is smaller than `five`.
        var remainder: UInt128 = 1 << UInt128(bits - 1)
        for _ in 0..<128 {
            let carry = remainder >> 127
            remainder = remainder &<< 1
            quotient = quotient &<< 1
            if carry == 1 || remainder >= five {
                remainder = remainder &- five
                quotient |= 1
            }
        }
        return power >= -27 ? quotient + 1 : quotient
    }

    /// The nearest double, ties to even; nil for an exponent out of reach.
    @inline(never)
    static func double(_ mantissa: UInt64, _ exponent: Int) -> Double? {
        guard exponent >= -reach, exponent <= reach else { return nil }
        guard mantissa != 0 else { return 0 }
        let power = table[exponent + reach]
        let leadingZeros = mantissa.leadingZeroBitCount
        let normalized = mantissa << UInt64(leadingZeros)
        var (high, low) = normalized.multipliedFullWidth(by: UInt64(truncatingIfNeeded: power >> 64))
        if high & 0x1FF == 0x1FF {
            let more = normalized.multipliedFullWidth(by: UInt64(truncatingIfNeeded: power)).high
            let (sum, overflow) = low.addingReportingOverflow(more)
            low = sum
            if overflow { high &+= 1 }
        }
        let upper = Int(high >> 63)
        let shift = UInt64(upper + 64 - 52 - 3)
        var significand = high >> shift
        // floor(log2(10^q)) + 63, plus the exponent's bias.
        var binary = ((217_706 * exponent) >> 16) + 63 + upper - leadingZeros + 1023
        // Halfway between two doubles, exactly: to even. Possible for these exponents only (section 8.2).
        if low <= 1, exponent >= -4, exponent <= 23, significand & 3 == 1, significand << shift == high {
            significand &= ~1
        }
        significand = (significand + (significand & 1)) >> 1
        if significand >= 1 << 53 {
            significand = 1 << 52
            binary += 1
        }
        return Double(bitPattern: significand & ((1 << 52) - 1) | UInt64(binary) << 52)
    }
}
