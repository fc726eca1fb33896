import StreamEngine

/// `increase(x)`: how much a counter grew over the whole window. Needs two samples. See `Extrapolation`.
public struct Increase: SeriesFunction {
    public static let name = "increase"
    public static let summary = "a counter's increase over the window, resets made good, stretched to its edges"
    public static let expectsCounter: Bool? = true

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        Extrapolation.increase(
            timestampsMs, values, windowStartMs: windowStartMs, windowEndMs: windowEndMs, isCounter: true)
    }
}
