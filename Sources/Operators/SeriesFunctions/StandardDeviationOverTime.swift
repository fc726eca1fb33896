import StreamEngine

/// `stddev_over_time(x)`: the standard deviation of the population (divided by n), 0 for one sample. B. P. Welford,
/// "Note on a method for calculating corrected sums of squares and products", 1962, with compensated sums.
public struct StandardDeviationOverTime: SeriesFunction {
    public static let name = "stddev_over_time"
    public static let summary = "the standard deviation (population) of a series' samples in the window"
    public static let expectsCounter: Bool? = nil

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        guard !values.isEmpty else { return nil }
        var count = 0.0
        var mean = CompensatedAddition()
        var squares = CompensatedAddition()
        for value in values {
            count += 1
            let difference = value - mean.total
            mean.add(difference / count)
            squares.add(difference * (value - mean.total))
        }
        return (squares.total / count).squareRoot()
    }
}
