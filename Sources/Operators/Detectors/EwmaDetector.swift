import Glibc
import Platform
import StreamEngine

/// `ewma`: the distance from an exponentially weighted mean, in exponentially weighted deviations (Roberts 1959).
///
/// Finds spikes and shifts of series that hover around a level; misses drifts slower than the half-life, and takes a
/// daily rhythm for noise. A flagged value counts as the bound only; what stays beyond it for a half-life is the new
/// level. 24 bytes a key.
public struct EwmaDetector: DetectorFactory {
    public let name = "ewma"
    public let summary = "the distance from an exponentially weighted mean"
    public let defaultWarmup = 30
    public let parameters: [OptionKey] = [
        .defaulted("halfLife", .positiveDuration, .duration(3_600_000), "after which a value counts half"),
        .defaulted("sigmas", .number(0.1...1e6), .number(4), "flags beyond this many deviations"),
    ]

    /// The one factory there is.
    public init() {}

    public func bytesPerKey(_ options: CheckedOptions, _ setting: DetectorSetting) -> Int {
        MemoryLayout<EwmaModel.State>.stride
    }

    public func make(_ options: CheckedOptions, _ setting: DetectorSetting) -> any Detector {
        let windows = setting.windows(inMs: options.requiredDurationMs("halfLife"))
        return KeyedDetector(
            EwmaModel(
                column: setting.column, sigmas: options.number("sigmas") ?? 4, halfLife: windows,
                warmup: options.requiredInteger("warmup")))
    }
}

/// The averages of `ewma`.
struct EwmaModel: DetectorModel {
    struct State: DetectorState {
        var mean = 0.0
        var variance = 0.0
        var count: UInt32 = 0
        /// Flagged windows in a row.
        var stretch: UInt32 = 0

        init() {}

        func encode(to writer: inout ByteWriter) {
            writer.write(mean)
            writer.write(variance)
            writer.write(count)
            writer.write(stretch)
        }

        init(from reader: inout ByteReader) throws(DecodingFailure) {
            mean = try reader.readFinite("mean", limit: 1e101)
            variance = try reader.readMagnitude("variance")
            count = try reader.read()
            stretch = try reader.read()
        }
    }

    let column: String
    let sigmas: Double
    let halfLife: Int
    let warmup: Int
    private let rate: Double

    init(column: String, sigmas: Double, halfLife: Int, warmup: Int) {
        self.column = column
        self.sigmas = sigmas
        self.halfLife = halfLife
        self.warmup = warmup
        rate = 1 - exp2(-1 / Double(max(halfLife, 1)))
    }

    func makeState() -> State { State() }

    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict {
        guard tick.isPresent, let value = Measurable.clamp(tick.value) else { return DetectorVerdict() }
        guard state.count > 0 else {
            state.mean = value
            state.count = 1
            return DetectorVerdict(expected: value)
        }
        let width = sigmas * max(state.variance.squareRoot(), 1e-6 * abs(state.mean), 1e-12)
        let distance = value - state.mean
        let isFlagged = Int(state.count) >= max(warmup, 2) && abs(distance) > width
        let verdict = DetectorVerdict(
            // 1/2 at the bound.
            score: abs(distance) / (abs(distance) + width), isFlagged: isFlagged, expected: state.mean,
            lower: state.mean - width, upper: state.mean + width)
        state.stretch = isFlagged ? min(state.stretch + 1, 1_000_000) : 0
        if Int(state.stretch) > halfLife {
            // So wide at first that the way there would just not have been flagged: it narrows with the half-life.
            state.mean = value
            state.variance = (distance / sigmas) * (distance / sigmas)
            state.stretch = 0
            return verdict
        }
        let learnt = isFlagged ? min(max(distance, -width), width) : distance
        let step = max(rate, 1 / Double(state.count + 1))
        state.mean += step * learnt
        // West 1979, with the weight of the newest fixed.
        state.variance = (1 - step) * (state.variance + step * learnt * learnt)
        state.count = min(state.count + 1, 1_000_000)
        return verdict
    }

    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String {
        ReasonText.beyond(column, tick, verdict, "its average is \(ReasonText.number(verdict.expected))")
    }
}
