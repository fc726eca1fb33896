import Platform

/// Forecasts of the next value by several simple models, mixed by how well each did lately.
///
/// No model of a handful fits all metrics: the last value fits random walks, an average fits noise, Holt's trend what
/// fills up, an autoregression of three lags what swings, the profiles of day and week what people cause, a cycle what programs cause. Each
/// forecast's weight falls with the sixth power of its recent error, so the best of them leads and a change of
/// character is followed.
struct AutoExperts: BitwiseCopyable, Sendable {
    /// Last value, average, Holt, autoregression, level, profile of the day, of the week, cycle.
    static let count = 8

    private var last = 0.0
    private var average = 0.0
    private var holtLevel = 0.0
    private var holtTrend = 0.0
    /// Average of what the profile leaves over, for the two profiles.
    private var rest = InlineArray<2, Double>(repeating: 0)
    /// Recent standardised values, newest first, and the autoregression's coefficients and inverse correlations (upper
    /// triangle).
    private var lags = InlineArray<3, Double>(repeating: 0)
    private var weights = InlineArray<3, Double>(repeating: 0)
    private var inverse = InlineArray<6, Double>(repeating: 0)
    /// Recent mean error of each.
    private var errors = InlineArray<8, Double>(repeating: 0)
    /// Values each profile's error was measured on.
    private var seen = InlineArray<2, UInt32>(repeating: 0)
    private var cycle = CycleModel()

    /// What they say of the next value.
    struct Forecast {
        /// Mixed by how well each does.
        var mixed = 0.0
        /// NaN where one does not know.
        fileprivate var said = InlineArray<8, Double>(repeating: .nan)
        fileprivate var profiles: InlineArray<2, Double>
    }

    init() { resetInverse() }

    private mutating func resetInverse() {
        inverse = InlineArray<6, Double>(repeating: 0)
        inverse[0] = 1
        inverse[3] = 1
        inverse[5] = 1
    }

    /// Whether a cycle has just been found that says far more than the others do.
    var hasFoundCycle: Bool {
        cycle.age == 32 && errors[7] < 0.6 * min(min(errors[0], errors[1]), min(errors[2], errors[3]))
    }

    /// After missing values nothing is in its place in a cycle.
    mutating func forgetCycle() { cycle.reset() }

    /// Takes a value as if it had been there all along.
    mutating func settle(_ value: Double, profiles: InlineArray<2, Double>) {
        last = value
        average = value
        holtLevel = value
        holtTrend = 0
        for place in 0..<2 where profiles[place].isFinite { rest[place] = value - profiles[place] }
        lags = InlineArray<3, Double>(repeating: 0)
    }

    /// Moves what is left over of a profile that has fallen by `change`.
    mutating func shift(_ place: Int, by change: Double) { rest[place] += change }

    /// What they say. `level` and `scale` standardise for the autoregression; `profiles`: what day and week say,
    /// NaN where they do not.
    func forecast(level: Double, scale: Double, profiles: InlineArray<2, Double>) -> Forecast {
        var forecast = Forecast(profiles: profiles)
        forecast.said[0] = last
        forecast.said[1] = average
        forecast.said[2] = holtLevel + holtTrend
        let autoregressive = weights[0] * lags[0] + weights[1] * lags[1] + weights[2] * lags[2]
        forecast.said[3] = level + scale * min(max(autoregressive, -8), 8)
        forecast.said[4] = level
        forecast.said[5] = profiles[0] + rest[0]
        forecast.said[6] = profiles[1] + rest[1]
        forecast.said[7] = level + scale * cycle.forecast
        var least = Double.infinity
        for place in 0..<Self.count where isReady(place, forecast) { least = min(least, errors[place]) }
        least = max(least, 1e-300)
        var total = 0.0
        var sum = 0.0
        for place in 0..<Self.count where isReady(place, forecast) {
            let ratio = least / max(errors[place], least)
            let square = ratio * ratio
            let weight = square * square * square
            total += weight
            sum += weight * (forecast.said[place] - last)
        }
        forecast.mixed = last + sum / total
        return forecast
    }

    private func isReady(_ place: Int, _ forecast: Forecast) -> Bool {
        place < 5 || (place == 7 ? cycle.age >= 16 : seen[place - 5] >= 48) && forecast.said[place].isFinite
    }

    /// Learns a value; of one that is not trusted no errors.
    mutating func learn(
        _ value: Double, _ forecast: Forecast, level: Double, scale: Double, count: UInt32, isTrusted: Bool
    ) {
        let said = forecast.said
        if isTrusted {
            let rate = max(1 / Double(count + 1), 0.01)
            for place in 0..<5 { errors[place] += (missed(value, said[place], place, scale) - errors[place]) * rate }
            for place in 0..<2 where said[5 + place].isFinite {
                seen[place] = min(seen[place] + 1, 1_000_000)
                let rate = max(1 / Double(seen[place]), 0.01)
                errors[5 + place] += (missed(value, said[5 + place], 5 + place, scale) - errors[5 + place]) * rate
            }
        }
        if isTrusted, said[7].isFinite {
            let rate = max(1 / (Double(cycle.age) + 1), 0.01)
            errors[7] += (missed(value, said[7], 7, scale) - errors[7]) * rate
        }
        let standard = min(max((value - level) / scale, -6), 6)
        let due = cycle.forecast
        // What is flagged must not come back a cycle later.
        cycle.learn(isTrusted || !due.isFinite ? (value - level) / scale : due)
        if isTrusted { regress(standard) }
        lags[2] = lags[1]
        lags[1] = lags[0]
        lags[0] = standard
        for place in 0..<2 where forecast.profiles[place].isFinite {
            rest[place] += 0.2 * (value - forecast.profiles[place] - rest[place])
        }
        let before = holtLevel
        let foreseen = holtLevel + holtTrend
        holtLevel = foreseen + 0.4 * (value - foreseen)
        holtTrend += 0.1 * (holtLevel - before - holtTrend)
        average += 0.25 * (value - average)
        last = value
    }

    /// By how much a forecast missed, cut so that one value alone does not change the mix.
    private func missed(_ value: Double, _ said: Double, _ place: Int, _ scale: Double) -> Double {
        min(abs(value - said), max(10 * errors[place], scale))
    }

    /// Recursive least squares with forgetting (Plackett 1950).
    private mutating func regress(_ standard: Double) {
        let a = lags[0]
        let b = lags[1]
        let c = lags[2]
        let forget = 0.998
        let p = inverse[0] * a + inverse[1] * b + inverse[2] * c
        let q = inverse[1] * a + inverse[3] * b + inverse[4] * c
        let r = inverse[2] * a + inverse[4] * b + inverse[5] * c
        let denominator = forget + a * p + b * q + c * r
        guard denominator > 1e-9 else { return resetInverse() }
        let error = (standard - weights[0] * a - weights[1] * b - weights[2] * c) / denominator
        weights[0] = min(max(weights[0] + p * error, -3), 3)
        weights[1] = min(max(weights[1] + q * error, -3), 3)
        weights[2] = min(max(weights[2] + r * error, -3), 3)
        inverse[0] = (inverse[0] - p * p / denominator) / forget
        inverse[1] = (inverse[1] - p * q / denominator) / forget
        inverse[2] = (inverse[2] - p * r / denominator) / forget
        inverse[3] = (inverse[3] - q * q / denominator) / forget
        inverse[4] = (inverse[4] - q * r / denominator) / forget
        inverse[5] = (inverse[5] - r * r / denominator) / forget
        // A constant series teaches nothing and lets them grow without end.
        let trace = inverse[0] + inverse[3] + inverse[5]
        if !(trace < 1000) || inverse[0] <= 0 || inverse[3] <= 0 || inverse[5] <= 0 { resetInverse() }
    }

    func encode(to writer: inout ByteWriter) {
        for part in [last, average, holtLevel, holtTrend, rest[0], rest[1]] { writer.write(part) }
        for place in 0..<3 { writer.write(lags[place]) }
        for place in 0..<3 { writer.write(weights[place]) }
        for place in 0..<6 { writer.write(inverse[place]) }
        for place in 0..<Self.count { writer.write(errors[place]) }
        for place in 0..<2 { writer.write(seen[place]) }
        cycle.encode(to: &writer)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        last = try reader.readFinite("last value")
        average = try reader.readFinite("average")
        holtLevel = try reader.readFinite("level")
        holtTrend = try reader.readFinite("trend")
        for place in 0..<2 { rest[place] = try reader.readFinite("rest") }
        for place in 0..<3 { lags[place] = try reader.readFinite("lag", limit: 6) }
        for place in 0..<3 { weights[place] = try reader.readFinite("weight", limit: 3) }
        for place in 0..<6 { inverse[place] = try reader.readFinite("inverse correlation", limit: 1e6) }
        for place in 0..<Self.count { errors[place] = try reader.readMagnitude("error") }
        for place in 0..<2 { seen[place] = try reader.read() }
        cycle = try CycleModel(from: &reader)
    }
}
