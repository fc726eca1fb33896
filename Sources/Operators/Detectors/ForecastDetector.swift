import Platform
import StreamEngine

/// `forecast`: the time until a value reaches a bound, if it goes on as it does: "disk full in 4 h".
///
/// Finds what fills up or drains away steadily: disks, memory, quotas, certificates' days left; misses jumps, and what
/// swings more than it moves. The trend is the median of the slopes between all pairs of points (Theil 1950, Sen 1968),
/// once over `history` and once over its last eighth, each cut into at most 16 points (means of their windows), so that
/// outliers and a swing shorter than a quarter of it do not turn it; it counts where three quarters of the slopes say
/// the same direction. What jumps away from the bound (a clean-up) begins its history anew. Which side of the bound a
/// key comes from is where its history began; beyond the bound it is flagged as well. 456 bytes a key.
public struct ForecastDetector: DetectorFactory {
    public let name = "forecast"
    public let summary = "the time until a bound is reached, if the trend goes on"
    public let defaultWarmup = 0
    public let parameters: [OptionKey] = [
        .required("reach", .number(-1e100...1e100), "the bound: 0 for what runs out, the size for what fills up"),
        .required("within", .positiveDuration, "flags what will be there within this time"),
        .defaulted("history", .positiveDuration, .duration(21_600_000), "how far back the trend looks"),
    ]

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<ForecastModel.State>.stride
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        KeyedDetector(
            ForecastModel(
                column: setting.column, reach: options.number("reach") ?? 0,
                withinMs: options.requiredDurationMs("within"), historyMs: options.requiredDurationMs("history"),
                slideMs: max(setting.slideMs, 1)))
    }
}

/// The trends of `forecast`.
struct ForecastModel: DetectorModel {
    struct State: DetectorState {
        /// Over the whole history, and over its last part.
        var long = TrendHistory()
        var short = TrendHistory()
        /// Average distance between a value and the one before it, for telling jumps.
        var step = 0.0
        var last = 0.0
        /// Values since the history began.
        var count: UInt32 = 0
        /// Whether the history began above the bound.
        var isFromAbove = false

        init() {}

        func encode(to writer: inout ByteWriter) {
            long.encode(to: &writer)
            short.encode(to: &writer)
            writer.write(step)
            writer.write(last)
            writer.write(count)
            writer.write(isFromAbove ? UInt8(1) : 0)
        }

        init(from reader: inout ByteReader) throws(DecodingFailure) {
            long = try TrendHistory(from: &reader)
            short = try TrendHistory(from: &reader)
            step = try reader.readMagnitude("step")
            last = try reader.readFinite("value", limit: 1e101)
            count = try reader.read()
            isFromAbove = try reader.read(UInt8.self) != 0
        }
    }

    let column: String
    let reach: Double
    let withinMs: Int64
    let historyMs: Int64
    let slideMs: Int64

    func makeState() -> State { State() }

    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict {
        guard tick.isPresent, let value = Measurable.clamp(tick.value) else { return DetectorVerdict() }
        learn(value, tick.windowEndMs, &state)
        if state.isFromAbove ? value <= reach : value >= reach {
            return DetectorVerdict(score: 1, isFlagged: true, expected: value)
        }
        guard let (etaMs, ahead) = soonest(value, state) else { return DetectorVerdict(expected: value) }
        let isFlagged = etaMs <= Double(withinMs)
        // `expected` is where it will be by then; the bound is the one it must not reach.
        return DetectorVerdict(
            score: isFlagged ? 1 : 0.99 * Double(withinMs) / etaMs, isFlagged: isFlagged, expected: ahead,
            lower: state.isFromAbove ? reach : -.infinity, upper: state.isFromAbove ? .infinity : reach)
    }

    private func learn(_ value: Double, _ timeMs: Int64, _ state: inout State) {
        let move = value - state.last
        if state.count > 0 {
            let isAway = state.isFromAbove ? move > 0 : move < 0
            // A clean-up: far more than usual, and a good part of the way to the bound, in one step away from it.
            if state.count > 3, isAway, abs(move) > 8 * state.step, abs(move) > 0.1 * abs(state.last - reach) {
                state.long = TrendHistory()
                state.short = TrendHistory()
                state.count = 0
            } else {
                let usual = state.count > 3 ? min(abs(move), 8 * state.step + Double.leastNormalMagnitude) : abs(move)
                state.step += (usual - state.step) / Double(min(state.count, 100))
            }
        }
        if state.count == 0 { state.isFromAbove = value > reach }
        state.last = value
        state.count = min(state.count + 1, 1_000_000)
        state.long.append(value, timeMs, slideMs: slideMs, lengthMs: historyMs)
        state.short.append(value, timeMs, slideMs: slideMs, lengthMs: max(historyMs / 8, slideMs * 16))
    }

    /// The shorter of the times the two trends give, ms, and the value `withinMs` ahead by that trend.
    private func soonest(_ value: Double, _ state: State) -> (etaMs: Double, ahead: Double)? {
        var best: (etaMs: Double, ahead: Double)?
        for slope in [state.long.slope, state.short.slope] where slope != 0 && (slope < 0) == state.isFromAbove {
            let etaMs = (reach - value) / slope
            guard etaMs.isFinite, etaMs >= 0, etaMs < best?.etaMs ?? .infinity else { continue }
            best = (etaMs, value + slope * Double(withinMs))
        }
        return best
    }

    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String {
        let value = ReasonText.number(tick.value)
        let bound = ReasonText.number(reach)
        guard let (etaMs, _) = soonest(tick.value, state),
            state.isFromAbove ? tick.value > reach : tick.value < reach
        else { return "\(column) \(value) has reached \(bound)" }
        let perHour = ReasonText.number((reach - tick.value) / etaMs * 3_600_000)
        return
            "\(column) \(value) will reach \(bound) in \(Self.roughly(etaMs)) "
            + "if it goes on changing by \(perHour) an hour"
    }

    /// A duration with its two largest units: `4 h 10 m`.
    static func roughly(_ durationMs: Double) -> String {
        let unit: Int64 = durationMs < 3_600_000 ? 1000 : durationMs < 172_800_000 ? 60_000 : 3_600_000
        return DurationText.spaced(Int64(min(durationMs, Double(DurationText.maxMs))) / unit * unit)
    }
}
