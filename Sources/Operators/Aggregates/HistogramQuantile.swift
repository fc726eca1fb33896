import StreamEngine

/// `histogram_quantile(q, rate(value))`: the q-quantile estimated from the buckets of a classic histogram, linear within
/// a bucket (`bucketQuantile` in Prometheus's `promql/quantile.go`).
///
/// Buckets of one bound are added. Counts that fall towards higher bounds are raised to the largest before them. Without
/// a bucket +Inf, with only one bucket, or without observations the result is NaN. q below 0 gives -Inf, above 1
/// +Inf. Within the lowest bucket the line begins at 0, but for one whose bound is not positive: then its bound is the
/// result. In the last bucket the result is the highest finite bound.
///
/// Prometheus 3 also evens out differences between neighbours of less than 1e-12 relative before it raises counts.
public struct HistogramQuantile: BucketAggregate {
    public static let name = "histogram_quantile"
    public static let summary = "the q-quantile of classic histograms, over series with the label le"
    public static let parameter = SeriesFunctionParameter(
        name: "q", position: .leading, range: -.infinity ... .infinity, usualRange: 0...1)

    private let q: Double

    public init(parameter: Double) { q = parameter }

    public func result(buckets given: [HistogramBucket]) -> Double? {
        guard !given.isEmpty else { return nil }
        if q.isNaN { return .nan }
        if q < 0 { return -.infinity }
        if q > 1 { return .infinity }
        let buckets = Self.repaired(given)
        guard let last = buckets.last, last.upperBound == .infinity, buckets.count >= 2, last.count != 0 else {
            return .nan
        }

        var rank = q * last.count
        // The last bucket is where the search ends if no other reaches the rank, also where counts are NaN.
        var low = 0
        var high = buckets.count - 1
        while low < high {
            let middle = (low + high) / 2
            if buckets[middle].count >= rank { high = middle } else { low = middle + 1 }
        }
        let found = buckets[low]
        if low == buckets.count - 1 { return buckets[low - 1].upperBound }
        if low == 0 {
            if found.upperBound <= 0 { return found.upperBound }
            return found.upperBound * (rank / found.count)
        }
        let below = buckets[low - 1]
        rank -= below.count
        return below.upperBound + (found.upperBound - below.upperBound) * (rank / (found.count - below.count))
    }

    /// Sorted by bound, buckets of one bound added in the order given, counts never falling.
    private static func repaired(_ given: [HistogramBucket]) -> [HistogramBucket] {
        // The place breaks ties, so that the order of additions is the order given (`sort` promises no stability).
        let sorted = given.enumerated().sorted { a, b in
            a.element.upperBound != b.element.upperBound
                ? a.element.upperBound < b.element.upperBound : a.offset < b.offset
        }
        var buckets: [HistogramBucket] = []
        for (_, bucket) in sorted {
            if let last = buckets.last, last.upperBound == bucket.upperBound {
                buckets[buckets.count - 1].count += bucket.count
            } else {
                buckets.append(bucket)
            }
        }
        var largest = buckets[0].count
        for i in 1..<max(buckets.count, 1) {
            if buckets[i].count > largest {
                largest = buckets[i].count
            } else if buckets[i].count < largest {
                buckets[i].count = largest
            }
        }
        return buckets
    }
}
