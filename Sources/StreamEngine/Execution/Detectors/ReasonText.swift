/// Words for the reasons of detectors.
public enum ReasonText {
    /// A number as people read it: at most four significant digits, whole numbers up to 2^53 in full.
    public static func number(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), value.magnitude < 1e9 { return "\(Int64(value))" }
        let magnitude = value.magnitude
        // Keeps four digits: 0.9713, 12.35, 1234.6 → 1235, 1.235e+12.
        guard magnitude >= 1e-4, magnitude < 1e9 else { return scientific(value) }
        var unit = 1.0
        var scaled = magnitude
        while scaled < 1000, unit < 1e8 {
            scaled *= 10
            unit *= 10
        }
        let rounded = (value * unit).rounded() / unit
        return rounded == rounded.rounded() ? "\(Int64(rounded))" : "\(rounded)"
    }

    /// A time as people read it: RFC 3339, without milliseconds where there are none.
    public static func time(_ timestampMs: Int64) -> String {
        let text = EventTime.rfc3339(timestampMs)
        return text.hasSuffix(".000Z") ? "\(text.dropLast(5))Z" : text
    }

    private static func scientific(_ value: Double) -> String {
        var exponent = 0
        var mantissa = value
        guard value != 0 else { return "0" }
        // At most 325 steps of an operation that is exact enough for four digits.
        while mantissa.magnitude >= 10 {
            mantissa /= 10
            exponent += 1
        }
        while mantissa.magnitude < 1 {
            mantissa *= 10
            exponent -= 1
        }
        let rounded = (mantissa * 1000).rounded() / 1000
        return "\(rounded)e\(exponent < 0 ? "-" : "+")\(abs(exponent))"
    }
}
