/// A straight line through samples by least squares, as `deriv` and `predict_linear` share it (`linearRegression` in
/// Prometheus's `promql/functions.go`).
struct LinearRegression {
    /// Units a second.
    let slope: Double
    /// The line's value at `interceptMs`.
    let intercept: Double

    /// Fits a line; at least one sample. A constant series has the slope 0 exactly, one of infinities has none (NaN).
    init(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>, interceptMs: Int64
    ) {
        // Both callers ask for two samples at least.
        precondition(!values.isEmpty, "a line needs samples")
        let first = values[0]
        var isConstant = true
        var count = 0.0
        var x = CompensatedAddition()
        var y = CompensatedAddition()
        var xy = CompensatedAddition()
        var xx = CompensatedAddition()
        for i in 0..<values.count {
            let value = values[i]
            // Not for the first sample: a NaN differs from itself, and alone it is constant.
            if i > 0, value != first { isConstant = false }
            count += 1
            let seconds = Double(timestampsMs[i] - interceptMs) / 1e3
            x.add(seconds)
            y.add(value)
            xy.add(seconds * value)
            xx.add(seconds * seconds)
        }
        if isConstant {
            slope = first.isInfinite ? .nan : 0
            intercept = first.isInfinite ? .nan : first
            return
        }
        let covariance = xy.total - x.total * y.total / count
        let variance = xx.total - x.total * x.total / count
        slope = covariance / variance
        intercept = y.total / count - slope * x.total / count
    }
}
