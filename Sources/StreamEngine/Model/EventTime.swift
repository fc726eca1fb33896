/// Reading and writing points in time. Inside the engine event time is `Int64` milliseconds since the Unix epoch, UTC.
public enum EventTime {
    /// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible
    /// Low-Level Date Algorithms").
    public static func daysFromCivil(year: Int, month: Int, day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146097 + dayOfEra - 719468
    }

    /// The date of a day number; inverse of `daysFromCivil`.
    public static func civilFromDays(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let z = days + 719468
        let era = (z >= 0 ? z : z - 146096) / 146097
        let dayOfEra = z - era * 146097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let mp = (5 * dayOfYear + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * mp + 2) / 5 + 1)
    }

    /// Appends `2026-01-01T00:00:00.000Z`. Years outside 0...9999 are written with sign and as many digits as needed.
    public static func appendRFC3339(_ timestampMs: Int64, to out: inout [UInt8]) {
        appendDateTime(timestampMs, separator: UInt8(ascii: "T"), to: &out)
        let ms = millisecond(timestampMs)
        out.append(UInt8(ascii: "."))
        out.append(digit(ms / 100))
        out.append(digit(ms / 10 % 10))
        out.append(digit(ms % 10))
        out.append(UInt8(ascii: "Z"))
    }

    /// `2026-01-01T00:00:00.000Z`.
    public static func rfc3339(_ timestampMs: Int64) -> String {
        var out: [UInt8] = []
        out.reserveCapacity(24)
        appendRFC3339(timestampMs, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// `2026-01-01 00:00:00`, with `.123` only where there are milliseconds: the console's form, in UTC.
    public static func consoleText(_ timestampMs: Int64) -> String {
        var out: [UInt8] = []
        appendDateTime(timestampMs, separator: UInt8(ascii: " "), to: &out)
        let ms = millisecond(timestampMs)
        if ms != 0 {
            out.append(UInt8(ascii: "."))
            out.append(digit(ms / 100))
            out.append(digit(ms / 10 % 10))
            out.append(digit(ms % 10))
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The millisecond within its second; a product with 1000 would leave Int64 near its end.
    private static func millisecond(_ timestampMs: Int64) -> Int {
        let rest = Int(timestampMs % 1000)
        return rest < 0 ? rest + 1000 : rest
    }

    private static func digit(_ value: Int) -> UInt8 { UInt8(truncatingIfNeeded: 48 + value) }

    private static func appendDateTime(_ timestampMs: Int64, separator: UInt8, to out: inout [UInt8]) {
        let seconds = Int(floorDivide(timestampMs, 1000))
        let days = Int(floorDivide(Int64(seconds), 86_400))
        let inDay = seconds - days * 86_400
        let date = civilFromDays(days)
        if (0...9999).contains(date.year) {
            out.append(digit(date.year / 1000))
            out.append(digit(date.year / 100 % 10))
            out.append(digit(date.year / 10 % 10))
            out.append(digit(date.year % 10))
        } else {
            out.append(contentsOf: (date.year < 0 ? "\(date.year)" : "+\(date.year)").utf8)
        }
        for (mark, value) in [(UInt8(ascii: "-"), date.month), (UInt8(ascii: "-"), date.day)] {
            out.append(mark)
            out.append(digit(value / 10))
            out.append(digit(value % 10))
        }
        let time = [(separator, inDay / 3600), (UInt8(ascii: ":"), inDay / 60 % 60), (UInt8(ascii: ":"), inDay % 60)]
        for (mark, value) in time {
            out.append(mark)
            out.append(digit(value / 10))
            out.append(digit(value % 10))
        }
    }

    /// Division rounding towards negative infinity; `divisor` > 0.
    @inlinable
    public static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return (value % divisor < 0) ? quotient - 1 : quotient
    }

    /// `a - b`, held at the ends of Int64: two event times may lie further apart than that.
    @inlinable
    public static func difference(_ a: Int64, _ b: Int64) -> Int64 {
        let (result, overflow) = a.subtractingReportingOverflow(b)
        return overflow ? (b < 0 ? .max : .min) : result
    }

    /// Reads an RFC 3339 date-time with any offset (section 5.6; a blank for `T` and lower case are taken). Fractions
    /// finer than a millisecond floor. A date alone, a month 13 or a 30th of February give nil; a leap second (:60)
    /// counts as the next second.
    public static func parseRFC3339(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        func number(_ at: Int, _ digits: Int) -> Int? {
            guard at + digits <= text.count else { return nil }
            var value = 0
            for i in at..<(at + digits) {
                let d = text[i] &- 48
                guard d < 10 else { return nil }
                value = value * 10 + Int(d)
            }
            return value
        }
        func isByte(_ at: Int, _ byte: Unicode.Scalar) -> Bool { at < text.count && text[at] == UInt8(ascii: byte) }
        guard text.count >= 20, let year = number(0, 4), isByte(4, "-"), let month = number(5, 2), isByte(7, "-"),
            let day = number(8, 2), isByte(10, "T") || isByte(10, "t") || isByte(10, " "),
            let hour = number(11, 2), isByte(13, ":"), let minute = number(14, 2), isByte(16, ":"),
            let second = number(17, 2), (1...12).contains(month), day >= 1, hour <= 23, minute <= 59, second <= 60
        else { return nil }
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
        let lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= lengths[month - 1] else { return nil }
        var at = 19
        var ms: Int64 = 0
        if isByte(at, ".") {
            at += 1
            let first = at
            var scale: Int64 = 100
            while at < text.count, text[at] &- 48 < 10 {
                ms += Int64(text[at] &- 48) * scale
                scale /= 10
                at += 1
            }
            guard at > first else { return nil }
        }
        var offsetMinutes = 0
        if isByte(at, "Z") || isByte(at, "z") {
            at += 1
        } else if isByte(at, "+") || isByte(at, "-") {
            let negative = isByte(at, "-")
            guard let h = number(at + 1, 2), isByte(at + 3, ":"), let m = number(at + 4, 2), h <= 23, m <= 59 else {
                return nil
            }
            offsetMinutes = (h * 60 + m) * (negative ? -1 : 1)
            at += 6
        } else {
            return nil
        }
        guard at == text.count else { return nil }
        let days = daysFromCivil(year: year, month: month, day: day)
        let seconds = Int64(days) * 86_400 + Int64(hour * 3600 + minute * 60 + second - offsetMinutes * 60)
        return seconds * 1000 + ms
    }

    /// Reads an RFC 3339 date-time; see the buffer form.
    public static func parseRFC3339(_ text: String) -> Int64? {
        var text = text
        return text.withUTF8 { parseRFC3339($0) }
    }
}
