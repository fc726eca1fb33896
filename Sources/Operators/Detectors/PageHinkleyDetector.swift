import Platform
import StreamEngine

/// `page_hinkley`: the moment at which the mean of a series changes (Page 1954, Hinkley 1971).
///
/// Finds changes of level, each flagged in one window, from which it starts anew at the new level; misses single spikes
/// (each counts as four deviations at most). `cusum` flags for as long as a departure lasts. 48 bytes a key.
public struct PageHinkleyDetector: DetectorFactory {
    public let name = "page_hinkley"
    public let summary = "the moment at which the mean changes"
    public let defaultWarmup = 30
    public let parameters: [OptionKey] = [
        .defaulted("drift", .number(0...1e6), .number(0.5), "deviations that do not count, of each value"),
        .defaulted("limit", .number(0.1...1e6), .number(8), "flags where the sum has moved by more, in deviations"),
    ]

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<PageHinkleyModel.State>.stride
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        KeyedDetector(
            PageHinkleyModel(
                column: setting.column, drift: options.number("drift") ?? 0.5, limit: options.number("limit") ?? 8,
                warmup: options.requiredInteger("warmup")))
    }
}

/// The sums of `page_hinkley`.
struct PageHinkleyModel: DetectorModel {
    struct State: DetectorState {
        var usual = RunningLevel()
        /// Sums since the last change with the drift taken off and put on, above their lowest and below their highest
        /// point.
        var rise = 0.0
        var fall = 0.0
        /// What was usual before the last change.
        var before = 0.0

        init() {}

        func encode(to writer: inout ByteWriter) {
            usual.encode(to: &writer)
            writer.write(rise)
            writer.write(fall)
            writer.write(before)
        }

        init(from reader: inout ByteReader) throws(DecodingFailure) {
            usual = try RunningLevel(from: &reader)
            rise = try reader.readMagnitude("sum")
            fall = try reader.readMagnitude("sum")
            before = try reader.readFinite("level")
        }
    }

    let column: String
    let drift: Double
    let limit: Double
    let warmup: Int

    func makeState() -> State { State() }

    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict {
        guard tick.isPresent, let value = Measurable.clamp(tick.value) else { return DetectorVerdict() }
        // The mean takes in the newest value first, as Hinkley has it.
        let distance = value - state.usual.level
        let deviation = state.usual.deviation
        state.usual.learn(value)
        guard Int(state.usual.count) > max(warmup, 8) else { return DetectorVerdict(expected: state.usual.level) }
        let standard = min(max(distance / deviation, -4), 4)
        state.rise = max(0, state.rise + standard - drift)
        state.fall = max(0, state.fall - standard - drift)
        let sum = max(state.rise, state.fall)
        let isFlagged = sum > limit
        let verdict = DetectorVerdict(
            score: sum / (sum + limit), isFlagged: isFlagged, expected: state.usual.level)
        if isFlagged {
            state.before = state.usual.level
            state.usual = RunningLevel()
            state.usual.learn(value)
            state.rise = 0
            state.fall = 0
        }
        return verdict
    }

    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String {
        "the mean of \(column) has changed from \(ReasonText.number(state.before)) "
            + "towards \(ReasonText.number(tick.value))"
    }
}
