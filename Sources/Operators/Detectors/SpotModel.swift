import Platform
import StreamEngine

/// The tails of `spot` and `dspot`.
struct SpotModel: DetectorModel {
    /// Flagged windows after which it starts anew.
    static let adoptAfter: UInt32 = 60

    static let parameters: [OptionKey] = [
        .defaulted("risk", .number(1e-9...0.05), .number(1e-4), "flags values less likely than this"),
        .defaulted("depth", .integer(1...100_000), .integer(10), "values of the moving mean; `spot` has none"),
    ]

    struct State: DetectorState {
        /// What values are measured by; of distances with `dspot`.
        var usual = RunningLevel()
        var mean = 0.0
        var count: UInt32 = 0
        var stretch: UInt32 = 0
        var upper = TailModel()
        var lower = TailModel()

        init() {}

        func encode(to writer: inout ByteWriter) {
            usual.encode(to: &writer)
            writer.write(mean)
            writer.write(count)
            writer.write(stretch)
            upper.encode(to: &writer)
            lower.encode(to: &writer)
        }

        init(from reader: inout ByteReader) throws(DecodingFailure) {
            usual = try RunningLevel(from: &reader)
            mean = try reader.readFinite("mean")
            count = try reader.read()
            stretch = try reader.read()
            upper = try TailModel(from: &reader)
            lower = try TailModel(from: &reader)
        }
    }

    let column: String
    let risk: Double
    let rate: Double
    let warmup: Int
    let followsDrift: Bool

    init(_ options: CheckedOptions, _ setting: DetectorSetting, followsDrift: Bool) {
        column = setting.column
        risk = options.number("risk") ?? 1e-4
        // An exponential mean that is as old as one of `depth` values.
        rate = 2 / Double(options.requiredInteger("depth") + 1)
        warmup = options.requiredInteger("warmup")
        self.followsDrift = followsDrift
    }

    func makeState() -> State { State() }

    func judge(_ tick: DetectorTick, _ state: inout State) -> DetectorVerdict {
        guard tick.isPresent, let value = Measurable.clamp(tick.value) else { return DetectorVerdict() }
        if state.count == 0 { state.mean = value }
        let centre = followsDrift ? state.mean : 0
        let distance = value - centre
        var verdict = DetectorVerdict()
        let unit = state.usual.deviation
        let standard = (distance - state.usual.level) / unit
        if state.count >= 8 {
            let chance = standard > 0 ? state.upper.probability(standard) : state.lower.probability(-standard)
            let middle = centre + state.usual.level
            verdict = DetectorVerdict(
                score: 1 - chance, isFlagged: Int(state.count) >= warmup && chance < risk, expected: middle,
                lower: middle - unit * state.lower.quantile(risk), upper: middle + unit * state.upper.quantile(risk))
        }
        if verdict.isFlagged {
            state.stretch += 1
            if state.stretch >= Self.adoptAfter { state = State() }
            return verdict
        }
        state.stretch = 0
        // Measured by the first values alone: what comes later is for the tails to learn.
        if Int(state.count) < max(warmup, 8) { state.usual.learn(distance) }
        if state.count >= 8 {
            state.upper.learn(standard, count: state.count, flaggedLimit: nil)
            state.lower.learn(-standard, count: state.count, flaggedLimit: nil)
        }
        state.count = min(state.count + 1, 1_000_000)
        state.mean += max(rate, 1 / Double(state.count)) * (value - state.mean)
        return verdict
    }

    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: State) -> String {
        let isAbove = tick.value > verdict.expected
        return "\(column) \(ReasonText.number(tick.value)) is \(isAbove ? "above" : "below") "
            + "\(ReasonText.number(isAbove ? verdict.upper : verdict.lower)), passed with a probability of less than "
            + ReasonText.number(risk)
    }
}
