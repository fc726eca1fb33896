/// An outer aggregate over the buckets of a classic histogram, such as `histogram_quantile(0.99, rate(value))`.
///
/// It needs to know of each series the upper bound of its bucket, which stands in the label `le`. For each group and
/// window the engine hands it the bounds and the values (of the per-series function) of all the group's series, in
/// order of their label bytes; several series may have the same bound, as when a histogram is summed over instances.
/// Series without the label, with one that is not a number, or without a value in the window are left out.
public protocol BucketAggregate: Sendable {
    /// The name in a job.
    static var name: String { get }
    /// One line for `--help` and the reference.
    static var summary: String { get }
    /// The leading number: its name, the range in which it is taken, and the range in which it makes sense.
    static var parameter: SeriesFunctionParameter { get }

    /// An aggregate for one column of a query.
    init(parameter: Double)

    /// The result for one group and window, or nil (null) where no series has a bucket.
    func result(buckets: [HistogramBucket]) -> Double?
}

/// One bucket of a classic histogram: how much was counted at or below a bound.
public struct HistogramBucket: Sendable, Equatable {
    /// The label that carries the upper bound.
    public static let boundLabel: ByteString = "le"

    /// Inclusive; +Inf for the last bucket.
    public var upperBound: Double
    /// Cumulative: includes the buckets below.
    public var count: Double

    /// A bucket.
    public init(upperBound: Double, count: Double) {
        self.upperBound = upperBound
        self.count = count
    }
}

extension HistogramBucket {
    /// The bound a label's text stands for: a decimal number or `+Inf`, as Go's `strconv.ParseFloat` reads it (hexadecimal
    /// numbers excepted). Nil where it is none or too large for a double: such a series is not a bucket.
    public static func upperBound(ofLabel text: ByteString) -> Double? {
        var digits = text.bytes[...]
        let isNegative = digits.first == UInt8(ascii: "-")
        if isNegative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
        let word = String(decoding: digits, as: UTF8.self).lowercased()
        if word == "inf" || word == "infinity" { return isNegative ? -.infinity : .infinity }
        // Swift reads more than Go takes: hexadecimal digits without an exponent, `nan(…)`.
        guard digits.allSatisfy({ (0x30...0x39).contains($0) || [0x2b, 0x2d, 0x2e, 0x45, 0x65].contains($0) }),
            let first = digits.first, (0x30...0x39).contains(first) || first == UInt8(ascii: "."),
            let bound = Double(word), bound.isFinite
        else { return nil }
        return isNegative ? -bound : bound
    }
}
