import StreamEngine

/// `min_over_time(x)`: the smallest value; NaN only where there is nothing else.
public struct MinimumOverTime: SeriesFunction {
    public static let name = "min_over_time"
    public static let summary = "the smallest of a series' samples in the window"
    public static let expectsCounter: Bool? = nil

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        guard var minimum = values.first else { return nil }
        for value in values where value < minimum || minimum.isNaN { minimum = value }
        return minimum
    }
}
