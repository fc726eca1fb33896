import StreamEngine

/// `avg_over_time(x)`: the arithmetic mean, carried along from sample to sample so that large values do not overflow.
///
/// Prometheus 3 divides the compensated sum by the count and carries the mean only where the sum overflows; the two
/// agree but for the last bits.
public struct AverageOverTime: SeriesFunction {
    public static let name = "avg_over_time"
    public static let summary = "the mean of a series' samples in the window"
    public static let expectsCounter: Bool? = nil

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        guard !values.isEmpty else { return nil }
        var mean = CompensatedAddition()
        var count = 0.0
        for value in values {
            count += 1
            if mean.sum.isInfinite {
                // An infinite mean stays what it is, unless NaN or the other infinity comes.
                if value.isInfinite ? (mean.sum > 0) == (value > 0) : !value.isNaN { continue }
            }
            mean.add(value / count - mean.sum / count)
        }
        return mean.sum.isInfinite ? mean.sum : mean.total
    }
}
