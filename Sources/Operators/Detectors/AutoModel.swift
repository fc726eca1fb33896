import Glibc
import Platform
import StreamEngine

/// How `auto` judges a value and learns from it: see `AutoDetector` for the whole idea.
struct AutoModel: DetectorModel {
    /// Windows of a flagged stretch after which what goes on is the new usual.
    static let adoptAfter: UInt32 = 30
    /// Missing values after which the last ones say little, or nothing, about the next.
    static let shortGap: Float = 5
    static let longGap: Float = 60
    /// How many excursions lately make more of them usual, and how they are forgotten.
    static let usualExcursions: Float = 3
    static let excursionDecay: Float = 0.998
    /// Values for which the way back from an adopted level is known.
    static let leapMemory: UInt32 = 600
    /// What a probability is multiplied by: the statistics (they overlap, so that 12 tails are 8 chances) and the
    /// windows in which a healthy series may have one chance in a thousand.
    static let chances = 8.0
    static let horizon = 6.0

    let column: String
    let score: Double
    let warmup: UInt32
    let slideMs: Int64

    func makeState() -> AutoState { AutoState() }

    /// What was found at one value.
    struct Finding {
        var values = InlineArray<6, Double>(repeating: 0)
        /// How calm the last values were: the sixth statistic's lower side.
        var calm = 0.0
        var probability = 1.0
        var statistic = 0
        var isAbove = true
    }

    func judge(_ tick: DetectorTick, _ state: inout AutoState) -> DetectorVerdict {
        guard tick.isPresent, let value = Measurable.clamp(tick.value) else {
            if state.count > 0 { state.gap = min(state.gap + 1, 1_000_000) }
            return DetectorVerdict()
        }
        let timeMs = tick.windowEndMs - 1
        let dayPlace = TimeProfile.place(timeMs, periodMs: TimeProfile.dayMs, stretches: TimeProfile.dayStretches)
        let weekPlace = TimeProfile.place(timeMs, periodMs: TimeProfile.weekMs, stretches: TimeProfile.weekStretches)
        if state.count == 0 {
            state.dayStart = UInt8(truncatingIfNeeded: dayPlace.index)
            state.weekStart = UInt8(truncatingIfNeeded: weekPlace.index)
            state.dayLast = state.dayStart
            state.weekLast = state.weekStart
            state.origin = value
            state.firstMs = timeMs
            state.levels[0] = value
            state.experts.settle(value, profiles: InlineArray<2, Double>(repeating: .nan))
        }
        let missed = (Float(state.gap) + 1) / state.pace - 1
        if missed >= 0.5 { state.experts.forgetCycle() }
        if missed >= Self.longGap {
            state.settling = 8
        } else if state.count > 0 {
            state.pace += max((Float(state.gap) + 1 - state.pace) / min(Float(state.count), 16), 1 - state.pace)
        }

        let elapsedMs = EventTime.difference(timeMs, state.firstMs)
        beginRound(&state, dayPlace.index, weekPlace.index)
        let profiles = profiles(state, timeMs)
        let base = baseline(state, profiles)
        if Int(state.base) != base.index {
            // Deviations from something else say nothing beside new ones.
            state.base = UInt8(truncatingIfNeeded: base.index)
            state.deviations = InlineArray<64, Int8>(repeating: 0)
        }
        let scale = Self.scale(state, base.index)
        let expected = base.expected
        let forecast = state.experts.forecast(
            level: state.levels[0], scale: Self.scale(state, 0), profiles: profiles)
        let predicted = forecast.mixed
        let errorScale = max(1.25 * state.error, 0.05 * scale, Self.leastScale(state))

        // A series that hardly ever changed gives no scale for its first changes.
        let novelty = state.changes < 20 ? 4 + 2 * Double(state.changes) : 1e6
        func limited(_ number: Double) -> Double { min(max(number, -novelty), novelty) }
        let surprise = limited((value - predicted) / errorScale)
        let deviation = limited((value - expected) / scale)

        // After a flagged stretch its deviations must not go on counting for the averages.
        if state.stretch > 0, abs(deviation) < 1 {
            for place in 0..<64 { state.deviations[place] = min(max(state.deviations[place], -20), 20) }
            for place in 0..<8 { state.errors[place] = min(state.errors[place], 0.8) }
        }
        // After a gap the last values say little; coming back from an excursion is no news.
        let skipsSurprise = missed >= Self.shortGap || state.stretch > 0 && abs(deviation) < 2.5
        let at = Int(state.position)
        state.deviations[at % 64] = Int8((20 * min(max(deviation, -6), 6)).rounded())
        state.errors[at % 8] = Float(min(abs(surprise), skipsSurprise ? 0.8 : 6))
        state.calmness += (Float(min(abs(surprise), 4)) - state.calmness) / 32
        if state.count > 0 {
            state.repeats.learn(isRepeat: value == state.last, count: state.count)
        }
        state.recent[at % 16] = Float(min(max(value - state.origin, -3e38), 3e38))
        state.position = UInt32((at + 1) % 64)

        var finding = measure(state, surprise: surprise, deviation: deviation, at: at)
        let isReady = state.count >= 8
        let isJudging = isReady && state.settling == 0
        if isJudging {
            weigh(&finding, state, skipsSurprise: skipsSurprise)
            countExcursion(&finding, &state)
        }
        let score = exp(-finding.probability * Self.chances * Self.horizon)
        var isFlagged = isJudging && state.count >= warmup && score >= self.score
        if isFlagged, state.leapLeft > 0, abs(value - expected + state.leap) < 2.5 * scale {
            // Back where it was before a level was adopted: no news.
            leapBack(&state, to: value, profiles: profiles)
            isFlagged = false
        }

        var verdict = DetectorVerdict(
            score: isJudging ? score : 0, isFlagged: isFlagged, expected: state.count == 0 ? .nan : expected)
        if isJudging {
            bound(
                &verdict, state, predicted: predicted, errorScale: skipsSurprise ? .infinity : errorScale,
                expected: expected, scale: scale)
        }
        learn(
            value, timeMs, &state, finding, verdict, profiles: profiles, dayPlace: dayPlace, weekPlace: weekPlace,
            elapsedMs: elapsedMs, forecast: forecast, errorScale: errorScale)
        if state.experts.hasFoundCycle {
            // Surprises are smaller from now on: what they were says little.
            state.upper[0].weight = min(state.upper[0].weight, 8)
            state.lower[0].weight = min(state.lower[0].weight, 8)
        }
        state.gap = 0
        state.statistic = UInt8(truncatingIfNeeded: finding.statistic)
        state.isAbove = finding.isAbove
        return verdict
    }

    // MARK: - Standardising

    /// Usual time from value to value.
    func stepMs(_ state: AutoState) -> Int64 { max(Int64(Double(slideMs) * Double(state.pace)), 1) }

    /// What day and week say of a time; NaN where they do not know.
    func profiles(_ state: AutoState, _ timeMs: Int64) -> InlineArray<2, Double> {
        let elapsedMs = EventTime.difference(timeMs, state.firstMs)
        var profiles = InlineArray<2, Double>(repeating: .nan)
        if elapsedMs >= TimeProfile.dayMs {
            let place = TimeProfile.place(timeMs, periodMs: TimeProfile.dayMs, stretches: TimeProfile.dayStretches)
            profiles[0] = state.origin + TimeProfile.value(state.day.span, place, seam: Int(state.dayStart))
        }
        if elapsedMs >= TimeProfile.weekMs {
            let place = TimeProfile.place(timeMs, periodMs: TimeProfile.weekMs, stretches: TimeProfile.weekStretches)
            profiles[1] = state.origin + TimeProfile.value(state.week.span, place, seam: Int(state.weekStart))
        }
        return profiles
    }

    /// The level that fits best: without a profile, or with one that has shown to be better.
    func baseline(_ state: AutoState, _ profiles: InlineArray<2, Double>) -> (index: Int, expected: Double) {
        var best = 0
        var expected = state.levels[0]
        var least = 0.85 * state.spreads[0]
        for place in 0..<2 where profiles[place].isFinite {
            let needed = (place == 0 ? TimeProfile.dayMs : TimeProfile.weekMs / 2) / stepMs(state)
            guard Int64(state.seen[place + 1]) >= max(needed * 8 / 10, 24), state.spreads[place + 1] < least
            else { continue }
            least = 0.95 * state.spreads[place + 1]
            best = place + 1
            expected = state.levels[place + 1] + profiles[place]
        }
        return (best, expected)
    }

    /// The standard deviation that a mean absolute deviation stands for, not less than what a person would call a
    /// change.
    static func scale(_ state: AutoState, _ index: Int) -> Double {
        max(1.25 * state.spreads[index], leastScale(state))
    }

    /// Until a series has shown how little it moves, a fiftieth of its level.
    static func leastScale(_ state: AutoState) -> Double {
        max(
            abs(state.levels[0]) * max(0.02 / (1 + 0.2 * Double(state.changes)), 1e-9), 0.5 * state.quantum, 1e-200)
    }
}
