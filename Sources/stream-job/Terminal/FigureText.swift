/// Figures as people read them (UX rules).
enum FigureText {
    /// `12,345,678`
    static func count(_ value: Int) -> String {
        var digits = String(value.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        groups.insert(digits, at: 0)
        return (value < 0 ? "-" : "") + groups.joined(separator: ",")
    }

    /// `1.4 GiB`, `128 MiB`, `512 B`
    static func bytes(_ value: Int64) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        guard value.magnitude >= 1024 else { return "\(value) B" }
        var scaled = Double(value)
        var unit = -1
        // 1023.95 would be shown as 1024.0: the next unit takes over.
        while scaled.magnitude >= 1023.95, unit < units.count - 1 {
            scaled /= 1024
            unit += 1
        }
        let figure = scaled == scaled.rounded() ? decimals(scaled, 0) : decimals(scaled, 1)
        return "\(figure) \(units[max(unit, 0)])"
    }

    /// `3 ms`, `12.4 s`, `2 m 13 s`, `1 h 4 m`, `3 d 2 h`
    static func duration(seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e15 else { return "-" }
        if seconds < 0.9995 { return "\(Int((seconds * 1000).rounded())) ms" }
        if seconds < 59.95 { return "\(decimals(seconds, 1)) s" }
        let whole = Int(seconds.rounded())
        if whole < 3600 { return "\(whole / 60) m \(whole % 60) s" }
        if whole < 86_400 { return "\(whole / 3600) h \(whole % 3600 / 60) m" }
        return "\(whole / 86_400) d \(whole % 86_400 / 3600) h"
    }

    /// `6.1 M`, `182 k`, `950`, for rates.
    static func rate(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        switch value.magnitude {
        case 9.9995e8...: return "\(decimals(value / 1e9, 1)) G"
        case 9.9995e5...: return "\(decimals(value / 1e6, 1)) M"
        case 9_999.5...: return "\(Int((value / 1000).rounded())) k"
        case 99.5...: return "\(count(Int(value.rounded())))"
        case 0: return "0"
        default: return decimals(value, value.magnitude < 1 ? 2 : 1)
        }
    }

    /// A number with so many digits behind the point, rounded half away from zero.
    static func decimals(_ value: Double, _ digits: Int) -> String {
        var scale = 1
        for _ in 0..<digits { scale *= 10 }
        guard value.magnitude < 1e15 / Double(scale) else { return "\(value)" }
        let scaled = Int((value.magnitude * Double(scale)).rounded())
        let fraction = String(scaled % scale)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(scaled)" }
        return "\(sign)\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}

/// `1 error`, `2 errors`.
enum Plural {
    /// A count with its noun.
    static func of(_ count: Int, _ noun: String, _ plural: String? = nil) -> String {
        "\(FigureText.count(count)) \(count == 1 ? noun : plural ?? "\(noun)s")"
    }
}
