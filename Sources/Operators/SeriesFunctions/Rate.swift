import StreamEngine

/// `rate(x)`: how much a counter grew a second, over the whole window. Needs two samples. See `Extrapolation`.
public struct Rate: SeriesFunction {
    public static let name = "rate"
    public static let summary =
        "a counter's increase a second over the window, resets made good, stretched to its edges"
    public static let expectsCounter: Bool? = true

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        Extrapolation.perSecond(timestampsMs, values, windowStartMs: windowStartMs, windowEndMs: windowEndMs)
    }
}
