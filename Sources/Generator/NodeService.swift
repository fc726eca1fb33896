import Glibc

/// What an HTTP service on a node tells: requests by code, and a histogram of their latency.
struct NodeService: NodePart {
    /// Upper bounds of the buckets, seconds; +Inf comes behind.
    private static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

    let series: [GeneratedSeries]
    private let requestsPerSecond: Double
    private var good = 0.0
    private var failed = 0.0
    private var buckets = [Double](repeating: 0, count: bounds.count + 1)
    private var latencySum = 0.0

    init(node: Int, _ random: inout SeededRandom) {
        let own = [("instance", "node-\(node + 1):8080"), ("job", node % 2 == 0 ? "api" : "checkout")]
        var all = ["200", "500"].map { GeneratedSeries("http_requests_total", .counter, own + [("code", $0)]) }
        for bound in Self.bounds.map({ "\($0)" }) + ["+Inf"] {
            all.append(GeneratedSeries("http_request_duration_seconds_bucket", .histogram, own + [("le", bound)]))
        }
        all.append(GeneratedSeries("http_request_duration_seconds_sum", .histogram, own))
        all.append(GeneratedSeries("http_request_duration_seconds_count", .histogram, own))
        series = all
        requestsPerSecond = 20 + 60 * random.uniform()
    }

    mutating func advance(
        seconds: Double, _ condition: NodeCondition, _ random: inout SeededRandom, _ out: inout [Double]
    ) {
        // Now and then a release: the process starts anew, and so do its counters.
        if random.uniform() < seconds / 21_600 { restart() }
        let daily = 1 + 0.5 * sin(2 * Double.pi * (condition.timeOfDay - 0.375))
        let count = max(0, seconds * requestsPerSecond * daily * (1 + 0.1 * random.noise()))
        good += count * (1 - condition.errorShare)
        failed += count * condition.errorShare
        out.append(good.rounded(.down))
        out.append(failed.rounded(.down))
        // Log-logistic with shape 2: share below x is x²/(x² + scale²), the 99th percentile about 10 scales.
        let scale = 0.02 * condition.slowdown * (1 + 0.05 * random.noise())
        for (place, bound) in Self.bounds.enumerated() {
            buckets[place] += count * (bound * bound) / (bound * bound + scale * scale)
            out.append(buckets[place].rounded(.down))
        }
        buckets[Self.bounds.count] += count
        out.append(buckets[Self.bounds.count].rounded(.down))
        latencySum += count * scale * Double.pi / 2
        out.append(latencySum)
        out.append(buckets[Self.bounds.count].rounded(.down))
    }

    mutating func restart() {
        good = 0
        failed = 0
        latencySum = 0
        for index in buckets.indices { buckets[index] = 0 }
    }
}
