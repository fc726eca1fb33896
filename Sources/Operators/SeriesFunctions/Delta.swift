import StreamEngine

/// `delta(x)`: how much a gauge changed over the whole window. Needs two samples. See `Extrapolation`.
public struct Delta: SeriesFunction {
    public static let name = "delta"
    public static let summary = "a gauge's difference over the window, stretched to its edges"
    public static let expectsCounter: Bool? = false

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        Extrapolation.increase(
            timestampsMs, values, windowStartMs: windowStartMs, windowEndMs: windowEndMs, isCounter: false)
    }
}
