import StreamEngine

/// `irate(x)`: how much a counter grew a second between its last two samples. Not stretched to the window's edges.
public struct InstantRate: SeriesFunction {
    public static let name = "irate"
    public static let summary = "a counter's increase a second between the window's last two samples"
    public static let expectsCounter: Bool? = true

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        let count = values.count
        guard count >= 2 else { return nil }
        let last = values[count - 1]
        let previous = values[count - 2]
        // After a reset the counter began again at zero.
        let difference = last < previous ? last : last - previous
        return difference / (Double(timestampsMs[count - 1] - timestampsMs[count - 2]) / 1000)
    }
}
