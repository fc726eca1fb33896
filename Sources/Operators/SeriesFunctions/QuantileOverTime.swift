import StreamEngine

/// `quantile_over_time(q, x)`: the exact q-quantile, linear between the two samples next to the rank q·(n-1).
///
/// NaNs sort before all numbers. q below 0 gives -Inf, above 1 +Inf. O(n log n).
public struct QuantileOverTime: SeriesFunction {
    public static let name = "quantile_over_time"
    public static let summary = "the q-quantile of a series' samples in the window, exact"
    public static let parameter: SeriesFunctionParameter? = SeriesFunctionParameter(
        name: "q", position: .leading, range: -.infinity ... .infinity, usualRange: 0...1)
    public static let expectsCounter: Bool? = nil

    private let q: Double

    public init(parameter: Double?) {
        guard let parameter else { preconditionFailure("the plan hands over q") }
        q = parameter
    }

    public func evaluate(
        _ timestampsMs: UnsafeBufferPointer<Int64>, _ values: UnsafeBufferPointer<Double>,
        windowStartMs: Int64, windowEndMs: Int64
    ) -> Double? {
        guard !values.isEmpty else { return nil }
        if q.isNaN { return .nan }
        if q < 0 { return -.infinity }
        if q > 1 { return .infinity }
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: values.count) { scratch in
            var sorted = scratch
            _ = sorted.initialize(from: values)
            sorted.sort { a, b in a < b || (a.isNaN && !b.isNaN) }
            let rank = q * Double(values.count - 1)
            let lower = Int(rank.rounded(.down))
            let upper = min(values.count - 1, lower + 1)
            let weight = rank - rank.rounded(.down)
            return sorted[lower] * (1 - weight) + sorted[upper] * weight
        }
    }
}
