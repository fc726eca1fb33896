import Platform

/// The means of at most 16 equally long stretches of time, and the slope through them.
///
/// It begins with stretches of one window; when there are 16 and they cover less than its length, neighbours are joined
/// in pairs, else the oldest goes. So a young history has a trend too, and an old one costs no more. 216 bytes.
struct TrendHistory: BitwiseCopyable, Sendable {
    static let capacity = 16
    /// Fewer points have no trend.
    static let fewest = 6

    /// Mean and number of values of each stretch, oldest first. Stretches without a value have none.
    private var means = InlineArray<16, Double>(repeating: 0)
    private var values = InlineArray<16, UInt32>(repeating: 0)
    /// Stretches in use; the last is not full.
    private var count: UInt32 = 0
    /// Windows a stretch covers.
    private var width: UInt32 = 1
    /// Where the first stretch begins, ms.
    private var startMs: Int64 = 0
    /// Change a millisecond; 0 where there is no trend. Of the full stretches.
    private(set) var slope = 0.0

    init() {}

    /// Adds the value of the window that ends at `timeMs`, not earlier than those before. `lengthMs`: how much to keep.
    /// O(1), O(capacity²) where a stretch ends.
    mutating func append(_ value: Double, _ timeMs: Int64, slideMs: Int64, lengthMs: Int64) {
        if count == 0 {
            startMs = timeMs
            count = 1
        }
        while true {
            let (elapsedMs, overflow) = timeMs.subtractingReportingOverflow(startMs)
            let (widthMs, isTooWide) = Int64(width).multipliedReportingOverflow(by: slideMs)
            if overflow || isTooWide || elapsedMs / widthMs >= 1 << 20 {
                // Out of sight: a gap of many histories.
                self = TrendHistory()
                return append(value, timeMs, slideMs: slideMs, lengthMs: lengthMs)
            }
            let place = Int(max(0, elapsedMs) / widthMs)
            if place < Self.capacity {
                if place >= Int(count) {
                    count = UInt32(place + 1)
                    measure(stretchMs: Double(widthMs))
                }
                values[place] += values[place] < .max ? 1 : 0
                means[place] += (value - means[place]) / Double(values[place])
                return
            }
            if widthMs < lengthMs / Int64(Self.capacity), width < 1 << 24 {
                joinPairs()
            } else if place >= 2 * Self.capacity {
                self = TrendHistory()
                return append(value, timeMs, slideMs: slideMs, lengthMs: lengthMs)
            } else {
                dropOldest(widthMs)
            }
        }
    }

    private mutating func joinPairs() {
        for place in 0..<Self.capacity {
            let first = place * 2
            guard first < Self.capacity else {
                means[place] = 0
                values[place] = 0
                continue
            }
            let total = Double(values[first]) + Double(values[first + 1])
            means[place] =
                total == 0
                ? 0
                : means[first] * (Double(values[first]) / total) + means[first + 1]
                    * (Double(values[first + 1]) / total)
            values[place] = UInt32(clamping: UInt64(values[first]) + UInt64(values[first + 1]))
        }
        count = (count + 1) / 2
        width *= 2
    }

    private mutating func dropOldest(_ widthMs: Int64) {
        for place in 1..<Self.capacity {
            means[place - 1] = means[place]
            values[place - 1] = values[place]
        }
        means[Self.capacity - 1] = 0
        values[Self.capacity - 1] = 0
        count = max(count, 1) - 1
        startMs += widthMs
    }

    /// The median slope between the full stretches, 0 unless three quarters of the slopes have its sign.
    private mutating func measure(stretchMs: Double) {
        var slopes = InlineArray<128, Double>(repeating: 0)
        var found = 0
        var points = 0
        var rising = 0
        var falling = 0
        for later in 0..<Int(count) - 1 where values[later] > 0 {
            points += 1
            for earlier in 0..<later where values[earlier] > 0 {
                let one = (means[later] - means[earlier]) / (Double(later - earlier) * stretchMs)
                slopes[found] = one
                found += 1
                rising += one > 0 ? 1 : 0
                falling += one < 0 ? 1 : 0
            }
        }
        // Most keys have no trend, and are done here.
        guard points >= Self.fewest, max(rising, falling) >= found - found / 4 else {
            slope = 0
            return
        }
        var span = slopes.mutableSpan
        slope = Self.nth(&span, found, found / 2)
        if !slope.isFinite { slope = 0 }
    }

    /// The number that would stand at `place` in order (C. A. R. Hoare's FIND, 1961).
    private static func nth(_ numbers: inout MutableSpan<Double>, _ count: Int, _ place: Int) -> Double {
        var low = 0
        var high = count - 1
        while low < high {
            let pivot = numbers[place]
            var left = low
            var right = high
            while left <= right {
                while numbers[left] < pivot { left += 1 }
                while pivot < numbers[right] { right -= 1 }
                guard left <= right else { break }
                numbers.swapAt(left, right)
                left += 1
                right -= 1
            }
            if right < place { low = left }
            if place < left { high = right }
        }
        return numbers[place]
    }

    func encode(to writer: inout ByteWriter) {
        for place in 0..<Self.capacity {
            writer.write(means[place])
            writer.write(values[place])
        }
        writer.write(count)
        writer.write(width)
        writer.write(startMs)
        writer.write(slope)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        for place in 0..<Self.capacity {
            means[place] = try reader.readFinite("mean", limit: 1e101)
            values[place] = try reader.read()
        }
        count = try reader.read()
        width = try reader.read()
        startMs = try reader.read()
        slope = try reader.readFinite("slope")
        guard count <= UInt32(Self.capacity), width > 0, width <= 1 << 24 else {
            throw DecodingFailure("a trend of \(count) stretches of \(width) windows")
        }
    }
}
