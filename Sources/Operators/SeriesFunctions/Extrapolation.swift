import StreamEngine

/// The arithmetic `rate`, `increase` and `delta` share (`extrapolatedRate` in Prometheus's `promql/functions.go`).
///
/// The difference between first and last sample, made good for counter resets, is stretched to the edges of the window:
/// all the way to an edge that is nearer than 1.1 average distances between samples (the next sample would be expected
/// beyond it), else by half an average distance (the series began or ended within the window). A counter is not
/// stretched to before the time at which it would have been zero.
enum Extrapolation {
    /// The increase over the whole window; nil for fewer than two samples.
    @inline(__always)
    static func increase(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64, isCounter: Bool
    ) -> Double? {
        guard
            let (difference, factor) = differenceAndFactor(
                timestampsMs, values, windowStartMs: windowStartMs, windowEndMs: windowEndMs, isCounter: isCounter)
        else { return nil }
        return difference * factor
    }

    /// The increase a second. Dividing the factor, not the product, rounds as Prometheus does.
    @inline(__always)
    static func perSecond(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        guard
            let (difference, factor) = differenceAndFactor(
                timestampsMs, values, windowStartMs: windowStartMs, windowEndMs: windowEndMs, isCounter: true)
        else { return nil }
        return difference * (factor / seconds(windowEndMs - windowStartMs))
    }

    /// A length of time in seconds, rounded as Go's `Duration.Seconds()` does.
    private static func seconds(_ lengthMs: Int64) -> Double {
        let (whole, restMs) = lengthMs.quotientAndRemainder(dividingBy: 1000)
        return Double(whole) + Double(restMs * 1_000_000) / 1e9
    }

    @inline(__always)
    private static func differenceAndFactor(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64, isCounter: Bool
    ) -> (difference: Double, factor: Double)? {
        let count = values.count
        guard count >= 2 else { return nil }
        let first = values[0]
        var difference = values[count - 1] - first
        if isCounter {
            var previous = first
            for value in values.dropFirst() {
                // After a reset the counter began again at zero: what it had reached before is added.
                if value < previous { difference += previous }
                previous = value
            }
        }

        let firstMs = timestampsMs[0]
        let lastMs = timestampsMs[count - 1]
        var toStart = Double(firstMs - windowStartMs) / 1000
        let toEnd = Double(windowEndMs - lastMs) / 1000
        let sampled = Double(lastMs - firstMs) / 1000
        let averageDistance = sampled / Double(count - 1)

        // Prometheus 2.42 looks for the zero before it compares with the threshold. Prometheus 3 does so after: where the
        // start is far and the zero is nearer than the threshold, but further than half an average distance, it
        // stretches by the half only.
        if isCounter, difference > 0, first >= 0 {
            let toZero = sampled * (first / difference)
            if toZero < toStart { toStart = toZero }
        }
        let threshold = averageDistance * 1.1
        var stretched = sampled
        stretched += toStart < threshold ? toStart : averageDistance / 2
        stretched += toEnd < threshold ? toEnd : averageDistance / 2
        return (difference, stretched / sampled)
    }
}
