import StreamEngine

/// `max_over_time(x)`: the largest value; NaN only where there is nothing else.
public struct MaximumOverTime: SeriesFunction {
    public static let name = "max_over_time"
    public static let summary = "the largest of a series' samples in the window"
    public static let expectsCounter: Bool? = nil

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        guard var maximum = values.first else { return nil }
        for value in values where value > maximum || maximum.isNaN { maximum = value }
        return maximum
    }
}
