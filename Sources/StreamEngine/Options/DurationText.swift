/// Durations as jobs write them: `250ms 10s 5m 1h 1d 1w 1m30s`, units from large to small, each once.
public enum DurationText {
    /// The longest duration taken: 10,000 years of 365 days, in milliseconds. Sums of a few of them fit Int64.
    public static let maxMs: Int64 = 315_360_000_000_000

    /// Units from large to small.
    private static let units: [(name: String, ms: Int64)] = [
        ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// Milliseconds, negative with a leading `-`; `0` needs no unit. nil for anything else, or beyond `maxMs`.
    public static func parseMs(_ text: String) -> Int64? {
        var rest = Substring(text)
        let isNegative = rest.first == "-"
        if isNegative { rest = rest.dropFirst() }
        if rest == "0" { return 0 }
        guard !rest.isEmpty else { return nil }
        var total: Int64 = 0
        var nextUnit = 0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest[digits.endIndex...]
            let name = rest.prefix { $0.isLetter }
            rest = rest[name.endIndex...]
            guard let count = Int64(digits), let unit = units.firstIndex(where: { $0.name == name }), unit >= nextUnit
            else { return nil }
            nextUnit = unit + 1
            let (product, tooLong) = count.multipliedReportingOverflow(by: units[unit].ms)
            guard !tooLong, product <= maxMs, total + product <= maxMs else { return nil }
            total += product
        }
        return isNegative ? -total : total
    }

    /// As a job would write it: `1m30s`; `0s` for zero.
    public static func compact(_ ms: Int64) -> String {
        let joined = parts(ms).map { "\($0.count)\($0.unit)" }.joined()
        return (ms < 0 ? "-" : "") + (joined.isEmpty ? "0s" : joined)
    }

    /// For people: `1 m 30 s`; `0 s` for zero.
    public static func spaced(_ ms: Int64) -> String {
        let joined = parts(ms).map { "\($0.count) \($0.unit)" }.joined(separator: " ")
        return (ms < 0 ? "-" : "") + (joined.isEmpty ? "0 s" : joined)
    }

    private static func parts(_ ms: Int64) -> [(count: UInt64, unit: String)] {
        var rest = ms.magnitude
        var parts: [(UInt64, String)] = []
        // Weeks are written as days: "14 d" reads better than "2 w".
        for unit in units.dropFirst() {
            let count = rest / UInt64(unit.ms)
            if count > 0 { parts.append((count, unit.name)) }
            rest %= UInt64(unit.ms)
        }
        return parts
    }
}

/// Sizes as jobs write them: bytes as an integer, or `64KiB`, `128MiB`, `1GiB`.
public enum SizeText {
    private static let units: [(name: String, bytes: Int64)] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

    /// Bytes; nil for anything else or too much for Int64.
    public static func parseBytes(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits) else { return nil }
        let name = text[digits.endIndex...]
        if name.isEmpty { return count }
        guard let unit = units.first(where: { $0.name == name }) else { return nil }
        let (bytes, tooLarge) = count.multipliedReportingOverflow(by: unit.bytes)
        return tooLarge ? nil : bytes
    }

    /// As a job would write it: the largest unit that divides it.
    public static func compact(_ bytes: Int64) -> String {
        for unit in units where bytes != 0 && bytes % unit.bytes == 0 { return "\(bytes / unit.bytes)\(unit.name)" }
        return "\(bytes)"
    }
}
