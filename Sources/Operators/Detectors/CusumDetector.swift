import Platform
import StreamEngine

/// `cusum`: sums of deviations beyond what is usual, up and down (Page 1954).
///
/// Finds shifts too small to see in one value, soon: one of a deviation is found after about `limit / (1 - drift)`
/// windows. Misses single spikes (each counts as four deviations at most) and what moves slower than some hundred
/// windows. Flagged for as long as the sum is above the limit; after 60 windows of that the new level is adopted. 48
/// bytes a key.
public struct CusumDetector: DetectorFactory {
    public let name = "cusum"
    public let summary = "sums of small deviations, up and down"
    public let defaultWarmup = 30
    public let parameters: [OptionKey] = [
        .defaulted("drift", .number(0...1e6), .number(0.5), "deviations that do not count, of each value"),
        .defaulted("limit", .number(0.1...1e6), .number(8), "flags where the sum is above it, in deviations"),
    ]

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<CusumModel.State>.stride
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        KeyedDetector(
            CusumModel(
                column: setting.column, drift: options.number("drift") ?? 0.5, limit: options.number("limit") ?? 8,
                warmup: options.requiredInteger("warmup")))
    }
}

/// The sums of `cusum`.
struct CusumModel: DetectorModel {
    /// Flagged windows after which the level is adopted.
    static let adoptAfter: UInt32 = 60

    struct State: DetectorState {
        var usual = RunningLevel()
        var up = 0.0
        var down = 0.0
        var stretch: UInt32 = 0

        init() {}

        func encode(to writer: inout ByteWriter) {
            usual.encode(to: &writer)
            writer.write(up)
            writer.write(down)
            writer.write(stretch)
        }

        init(from reader: inout ByteReader) throws(DecodingFailure) {
            usual = try RunningLevel(from: &reader)
            up = try reader.readMagnitude("sum")
            down = try reader.readMagnitude("sum")
            stretch = try reader.read()
        }
    }

    let column: String
    let drift: Double
    let limit: Double
    let warmup: Int

    func makeState() -> State { State() }

    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict {
        guard tick.isPresent, let value = Measurable.clamp(tick.value) else { return DetectorVerdict() }
        let usual = state.usual
        guard Int(usual.count) >= max(warmup, 8) else {
            state.usual.learn(value)
            return DetectorVerdict(expected: state.usual.level)
        }
        let standard = min(max((value - usual.level) / usual.deviation, -4 - drift), 4 + drift)
        // No higher than twice the limit, so that it is over soon after what caused it.
        state.up = min(max(0, state.up + standard - drift), 2 * limit)
        state.down = min(max(0, state.down - standard - drift), 2 * limit)
        let sum = max(state.up, state.down)
        let isFlagged = sum > limit
        let verdict = DetectorVerdict(
            score: sum / (sum + limit), isFlagged: isFlagged, expected: usual.level,
            lower: usual.level - drift * usual.deviation, upper: usual.level + drift * usual.deviation)
        if isFlagged {
            state.stretch += 1
            if state.stretch >= Self.adoptAfter {
                state.usual.adopt(value)
                state.up = 0
                state.down = 0
                state.stretch = 0
            }
        } else {
            state.stretch = 0
            state.usual.learn(value)
        }
        return verdict
    }

    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String {
        let isUp = state.up >= state.down
        let sum = ReasonText.number(max(state.up, state.down))
        return "\(column) \(ReasonText.number(tick.value)) has been \(isUp ? "above" : "below") "
            + "\(ReasonText.number(verdict.expected)) by \(sum) deviations in sum, "
            + "more than \(ReasonText.number(limit))"
    }
}
