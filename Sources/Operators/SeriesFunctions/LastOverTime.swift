import StreamEngine

/// `last_over_time(x)`: the newest value.
public struct LastOverTime: SeriesFunction {
    public static let name = "last_over_time"
    public static let summary = "the newest of a series' samples in the window"
    public static let expectsCounter: Bool? = nil

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        values.last
    }
}
