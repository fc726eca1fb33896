import Platform
import StreamEngine

/// `robust`: the distance from the median of the recent past, in median absolute deviations (Hampel 1974).
///
/// Finds spikes and shifts however wild the past was, up to half of it; misses drifts slower than the history, and
/// takes a daily rhythm for noise. A shift is adopted after half the history. At most 48 values spread over the history
/// are kept; where most of them are equal, their mean distance counts instead of the median one. 792 bytes a key.
public struct RobustDetector: DetectorFactory {
    public let name = "robust"
    public let summary = "the distance from the median of the recent past"
    public let defaultWarmup = 30
    public let parameters: [OptionKey] = [
        .defaulted("history", .positiveDuration, .duration(21_600_000), "how far back the median looks"),
        .defaulted("mads", .number(0.1...1e6), .number(5), "flags beyond this many deviations"),
    ]

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<RobustModel.State>.stride
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        let windows = setting.windows(inMs: options.requiredDurationMs("history"))
        return KeyedDetector(
            RobustModel(
                column: setting.column, mads: options.number("mads") ?? 5,
                every: UInt32(clamping: (windows + RobustModel.capacity - 1) / RobustModel.capacity),
                warmup: options.requiredInteger("warmup")))
    }
}

/// The history of `robust`.
struct RobustModel: DetectorModel {
    static let capacity = 48

    struct State: DetectorState {
        /// In the order they came, oldest at `next` once all places are taken, and sorted.
        var ring = InlineArray<48, Double>(repeating: 0)
        var sorted = InlineArray<48, Double>(repeating: 0)
        var kept: UInt32 = 0
        var next: UInt32 = 0
        var count: UInt32 = 0
        /// Of what is kept.
        var deviation = 0.0

        init() {}

        var median: Double {
            let half = Int(kept) / 2
            return kept % 2 == 1 ? sorted[half] : sorted[half - 1] / 2 + sorted[half] / 2
        }

        mutating func keep(_ value: Double) {
            var end = Int(kept)
            if end == RobustModel.capacity {
                var place = 0
                while place < end - 1, sorted[place] != ring[Int(next)] { place += 1 }
                for moved in place..<end - 1 { sorted[moved] = sorted[moved + 1] }
                end -= 1
            } else {
                kept += 1
            }
            var place = end
            while place > 0, sorted[place - 1] > value {
                sorted[place] = sorted[place - 1]
                place -= 1
            }
            sorted[place] = value
            ring[Int(next)] = value
            next = (next + 1) % UInt32(RobustModel.capacity)
            measure()
        }

        /// The median distance from the median: the nearer of two neighbours, outwards from the middle.
        private mutating func measure() {
            let middle = median
            let count = Int(kept)
            var below = count / 2 - 1
            var above = count / 2
            var distance = 0.0
            for _ in 0...count / 2 {
                let down = below >= 0 ? middle - sorted[below] : .infinity
                let up = above < count ? sorted[above] - middle : .infinity
                if down < up {
                    distance = down
                    below -= 1
                } else if up < .infinity {
                    distance = up
                    above += 1
                }
            }
            deviation = 1.4826 * distance
            if distance == 0 {
                var sum = 0.0
                for place in 0..<count { sum += abs(sorted[place] - middle) / Double(count) }
                deviation = 1.2533 * sum
            }
        }

        func encode(to writer: inout ByteWriter) {
            writer.write(kept)
            writer.write(next)
            writer.write(count)
            for place in 0..<Int(kept) { writer.write(ring[place]) }
        }

        init(from reader: inout ByteReader) throws(DecodingFailure) {
            let kept: UInt32 = try reader.read()
            let next: UInt32 = try reader.read()
            let count: UInt32 = try reader.read()
            guard kept <= UInt32(RobustModel.capacity), next == kept % 48 || kept == 48 && next < 48 else {
                throw DecodingFailure("a history of \(kept) values, the next at \(next)")
            }
            for _ in 0..<Int(kept) { keep(try reader.readFinite("value")) }
            self.next = next
            self.count = count
        }
    }

    let column: String
    let mads: Double
    /// Every how many values one is kept.
    let every: UInt32
    let warmup: Int

    func makeState() -> State { State() }

    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict {
        guard tick.isPresent, let value = Measurable.clamp(tick.value) else { return DetectorVerdict() }
        var verdict = DetectorVerdict()
        if state.kept > 0 {
            let median = state.median
            let width = mads * max(state.deviation, 1e-6 * abs(median), 1e-12)
            let distance = abs(value - median)
            verdict = DetectorVerdict(
                // 1/2 at the bound.
                score: distance / (distance + width), isFlagged: Int(state.count) >= max(warmup, 3) && distance > width,
                expected: median, lower: median - width, upper: median + width)
        }
        // While it is young it keeps every value.
        if state.kept < UInt32(Self.capacity) / 2 || state.count % max(every, 1) == 0 { state.keep(value) }
        state.count = state.count == .max ? 0 : state.count + 1
        if state.count == 0 { state.count = 1 << 31 }
        return verdict
    }

    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String {
        ReasonText.beyond(column, tick, verdict, "the median is \(ReasonText.number(verdict.expected))")
    }
}
