import StreamEngine

/// `resets(x)`: how many samples are smaller than the one before.
public struct Resets: SeriesFunction {
    public static let name = "resets"
    public static let summary = "how often a counter fell within the window"
    public static let expectsCounter: Bool? = true

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        guard var previous = values.first else { return nil }
        var resets = 0.0
        for value in values.dropFirst() {
            if value < previous { resets += 1 }
            previous = value
        }
        return resets
    }
}
