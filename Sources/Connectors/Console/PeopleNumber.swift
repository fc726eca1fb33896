/// Numbers as people read them: thousands set apart, and in one column as many decimals as its most precise cell needs.
enum PeopleNumber {
    /// `12,345,678`
    static func text(_ value: Int64) -> String {
        (value < 0 ? "-" : "") + grouped(String(value.magnitude))
    }

    /// The cells of a column of numbers, nil where there is none. Values below 1 keep three significant digits, others
    /// three decimals; trailing zeros that no cell needs are left out. Very small and very large values are written
    /// with an exponent.
    static func column(_ values: [Double?]) -> [String?] {
        let decimals = values.reduce(0) { most, value in
            guard let value, value.isFinite, !needsExponent(value) else { return most }
            return max(most, decimalsNeeded(value))
        }
        return values.map { value in value.map { text($0, decimals: decimals) } }
    }

    private static func text(_ value: Double, decimals: Int) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if needsExponent(value) { return exponential(value) }
        let (whole, fraction) = rounded(value, decimals)
        let sign = value < 0 && (whole > 0 || fraction > 0) ? "-" : ""
        if decimals == 0 { return sign + grouped(String(whole)) }
        let digits = String(fraction)
        return sign + grouped(String(whole)) + "." + String(repeating: "0", count: decimals - digits.count) + digits
    }

    private static func needsExponent(_ value: Double) -> Bool {
        value != 0 && (value.magnitude < 1e-4 || value.magnitude >= 1e15)
    }

    private static let powersOfTen: [Double] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7]

    /// Whole part and decimals as two whole numbers, rounded to the nearest. |value| < 1e15, `decimals` <= 6.
    private static func rounded(_ value: Double, _ decimals: Int) -> (whole: UInt64, fraction: UInt64) {
        let unit = powersOfTen[decimals]
        var whole = value.magnitude.rounded(.down)
        var fraction = ((value.magnitude - whole) * unit).rounded()
        if fraction >= unit {
            whole += 1
            fraction = 0
        }
        return (UInt64(whole), UInt64(fraction))
    }

    private static func decimalsNeeded(_ value: Double) -> Int {
        var decimals = 3
        var bound = 0.1
        while value.magnitude < bound, decimals < 6 {
            decimals += 1
            bound /= 10
        }
        var (_, fraction) = rounded(value, decimals)
        while decimals > 0, fraction % 10 == 0 {
            fraction /= 10
            decimals -= 1
        }
        return decimals
    }

    /// `1.23e-07`
    private static func exponential(_ value: Double) -> String {
        var exponent = 0
        var mantissa = value.magnitude
        // Steps of ten lose bits, which three shown digits do not notice.
        while mantissa >= 10 {
            mantissa /= 10
            exponent += 1
        }
        while mantissa < 1 {
            mantissa *= 10
            exponent -= 1
        }
        var hundredths = Int((mantissa * 100).rounded())
        if hundredths >= 1000 {
            hundredths /= 10
            exponent += 1
        }
        let digits = String(hundredths)
        let sign = exponent < 0 ? "-" : "+"
        let power = String(abs(exponent))
        return (value < 0 ? "-" : "") + digits.prefix(1) + "." + digits.dropFirst() + "e" + sign
            + (power.count < 2 ? "0" : "") + power
    }

    private static func grouped(_ digits: String) -> String {
        guard digits.utf8.count > 3 else { return digits }
        var out = ""
        for (i, digit) in digits.enumerated() {
            if i > 0, (digits.utf8.count - i) % 3 == 0 { out.append(",") }
            out.append(digit)
        }
        return out
    }
}
