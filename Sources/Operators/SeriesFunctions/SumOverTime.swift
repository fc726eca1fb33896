import StreamEngine

/// `sum_over_time(x)`: the compensated sum.
public struct SumOverTime: SeriesFunction {
    public static let name = "sum_over_time"
    public static let summary = "the sum of a series' samples in the window"
    public static let expectsCounter: Bool? = nil

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        guard !values.isEmpty else { return nil }
        var sum = CompensatedAddition()
        for value in values { sum.add(value) }
        // The compensation of an infinite sum is NaN.
        return sum.sum.isInfinite ? sum.sum : sum.total
    }
}
