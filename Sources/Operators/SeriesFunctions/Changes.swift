import StreamEngine

/// `changes(x)`: how many samples differ from the one before. From NaN to NaN is no change.
public struct Changes: SeriesFunction {
    public static let name = "changes"
    public static let summary = "how often a series' value changed within the window"
    public static let expectsCounter: Bool? = nil

    public init(parameter: Double?) {}

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        guard var previous = values.first else { return nil }
        var changes = 0.0
        for value in values.dropFirst() {
            if value != previous, !(value.isNaN && previous.isNaN) { changes += 1 }
            previous = value
        }
        return changes
    }
}
