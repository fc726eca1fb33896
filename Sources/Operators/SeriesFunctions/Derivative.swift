import StreamEngine

/// `deriv(x)`: the slope of the straight line through a gauge's samples, a second. Needs two samples.
public struct Derivative: SeriesFunction {
    public static let name = "deriv"
    public static let summary = "a gauge's slope a second over the window, by linear regression"
    public static let expectsCounter: Bool? = false

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        guard values.count >= 2 else { return nil }
        // The intercept is not asked for; the first sample's time keeps the numbers small.
        return LinearRegression(timestampsMs, values, interceptMs: timestampsMs[0]).slope
    }
}
