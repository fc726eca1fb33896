import StreamEngine

/// `count_over_time(x)`: the number of samples. A series without one gives no value, not 0.
public struct CountOverTime: SeriesFunction {
    public static let name = "count_over_time"
    public static let summary = "how many samples a series has in the window"
    public static let expectsCounter: Bool? = nil

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        values.isEmpty ? nil : Double(values.count)
    }
}
