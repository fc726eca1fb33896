import StreamEngine

/// Writes samples in a format. What does not change of a series is written beforehand.
struct SampleText: Sendable {
    private let format: WorkloadFormat
    /// Up to the value (JSON: to the timestamp) of each series.
    private let heads: [[UInt8]]
    /// JSON: from the value's end.
    private let tails: [[UInt8]]
    /// `# TYPE` lines; empty for JSON.
    let types: [UInt8]

    init(_ format: WorkloadFormat, _ series: [GeneratedSeries]) {
        self.format = format
        heads = series.map { Array(Self.head(format, $0).utf8) }
        tails = series.map { Array(Self.tail(format, $0).utf8) }
        types = format == .sampleJSON ? [] : Array(Self.types(format, series).utf8)
    }

    private static func head(_ format: WorkloadFormat, _ series: GeneratedSeries) -> String {
        guard format != .sampleJSON else { return "{\"timestamp\":\"" }
        // All label values are this module's own and need no escapes.
        return "\(series.name){\(series.labels.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ","))} "
    }

    private static func tail(_ format: WorkloadFormat, _ series: GeneratedSeries) -> String {
        guard format == .sampleJSON else { return "\n" }
        let labels = ([("__name__", series.name)] + series.labels.map { ($0.name, $0.value) })
            .map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",")
        return "\",\"name\":\"\(series.name)\",\"labels\":{\(labels)}}\n"
    }

    private static func types(_ format: WorkloadFormat, _ series: [GeneratedSeries]) -> String {
        var seen: Set<String> = []
        var out = ""
        for one in series where seen.insert(one.family).inserted {
            // OpenMetrics names a counter's family without `_total` (1.0, "Counter").
            let isCounter = format == .openmetrics && one.kind == .counter && one.family.hasSuffix("_total")
            out += "# TYPE \(isCounter ? String(one.family.dropLast(6)) : one.family) \(one.kind.rawValue)\n"
        }
        return out
    }

    /// Appends one sample with its line end.
    func append(_ series: Int, _ value: Double, _ timestampMs: Int64, to out: inout [UInt8]) {
        out += heads[series]
        switch format {
        case .prometheus:
            Self.append(value, to: &out)
            out.append(0x20)
            out += String(timestampMs).utf8
        case .openmetrics:
            Self.append(value, to: &out)
            out.append(0x20)
            Self.appendThousandths(timestampMs, to: &out)
        case .sampleJSON:
            EventTime.appendRFC3339(timestampMs, to: &out)
            out += "\",\"value\":\"".utf8
            Self.append(value, to: &out)
        }
        out += tails[series]
    }

    /// A number with at most three digits behind the point: what metrics need, quick to write, the same everywhere.
    static func append(_ value: Double, to out: inout [UInt8]) {
        let scaled = (value * 1000).rounded()
        guard scaled.magnitude < 9e15 else {
            out += "\(value)".utf8
            return
        }
        appendThousandths(Int64(scaled), to: &out)
    }

    static func appendThousandths(_ scaled: Int64, to out: inout [UInt8]) {
        if scaled < 0 { out.append(UInt8(ascii: "-")) }
        let whole = scaled.magnitude / 1000
        out += String(whole).utf8
        let rest = UInt16(scaled.magnitude % 1000)
        guard rest != 0 else { return }
        out.append(UInt8(ascii: "."))
        out.append(48 + UInt8(rest / 100))
        guard rest % 100 != 0 else { return }
        out.append(48 + UInt8(rest / 10 % 10))
        if rest % 10 != 0 { out.append(48 + UInt8(rest % 10)) }
    }
}
