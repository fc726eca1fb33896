/// Durations counted in buckets of bounded relative width, after HdrHistogram's idea: exact below 64 ms, then 32 buckets for
/// each doubling (an error of 3 % at most), up to 24 days. 7 KB, whatever is counted.
public struct LatencyHistogram: Sendable {
    private static let exact = 64
    private static let perDoubling = 32
    /// Up to 2^31 ms.
    private static let doublings = 31 - 6
    private var counts: [Int] = []

    /// How many durations were counted.
    public private(set) var count = 0
    /// The longest, ms; 0 where nothing was counted.
    public private(set) var maxMs: Int64 = 0

    /// An empty one.
    public init() {}

    /// Counts a duration, `times` over. Less than nothing (clocks that differ) counts as nothing.
    public mutating func record(ms: Int64, times: Int = 1) {
        guard times > 0 else { return }
        if counts.isEmpty {
            counts = [Int](repeating: 0, count: Self.exact + Self.doublings * Self.perDoubling)
        }
        counts[Self.bucket(of: ms)] += times
        count += times
        maxMs = max(maxMs, ms)
    }

    /// The smallest duration, ms, that at least the share `q` (0 to 1) of those counted do not exceed, to the width of its
    /// bucket, never too small; nil where nothing was counted.
    public func quantileMs(_ q: Double) -> Int64? {
        guard count > 0 else { return nil }
        let rank = max(1, Int((min(max(q, 0), 1) * Double(count)).rounded(.up)))
        var seen = 0
        for (place, number) in counts.enumerated() {
            seen += number
            if seen >= rank { return min(Self.lastMs(of: place), maxMs) }
        }
        return maxMs
    }

    private static func bucket(of ms: Int64) -> Int {
        let value = Int(min(max(ms, 0), 1 << 31 - 1))
        guard value >= exact else { return value }
        // 6 for 64 to 127: the five bits below the leading one choose the bucket.
        let doubling = Int.bitWidth - 1 - value.leadingZeroBitCount
        return exact + (doubling - 6) * perDoubling + (value >> (doubling - 5)) - perDoubling
    }

    /// The longest duration of a bucket.
    private static func lastMs(of place: Int) -> Int64 {
        guard place >= exact else { return Int64(place) }
        let (doubling, rest) = (place - exact).quotientAndRemainder(dividingBy: perDoubling)
        return (Int64(perDoubling + rest + 1) << (doubling + 1)) - 1
    }
}
