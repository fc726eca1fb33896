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
        flatten(&state, elapsedMs)
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
            for place in 0..<8 { state.errors[place] = min(state.errors[place], 1.5) }
        }
        let at = Int(state.position)
        state.deviations[at % 64] = Int8((20 * min(max(deviation, -6), 6)).rounded())
        state.errors[at % 8] = Float(min(abs(surprise), 6))
        state.calmness += (Float(min(abs(surprise), 4)) - state.calmness) / 32
        if state.count > 0 {
            state.repeats.learn(isRepeat: value == state.recent[(at + 7) % 8], count: state.count)
        }
        state.recent[at % 8] = value
        state.position = UInt32((at + 1) % 64)

        var finding = measure(state, surprise: surprise, deviation: deviation, at: at)
        let isReady = state.count >= 8
        let isJudging = isReady && state.settling == 0
        // After a gap the last values say little; coming back from an excursion is no news.
        let skipsSurprise = missed >= Self.shortGap || state.stretch > 0 && abs(deviation) < 2.5
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
        state.gap = 0
        state.statistic = UInt8(truncatingIfNeeded: finding.statistic)
        state.isAbove = finding.isAbove
        return verdict
    }

    // MARK: - Standardising

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
            let needed = (place == 0 ? TimeProfile.dayMs : TimeProfile.weekMs / 2) / max(slideMs, 1)
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

    // MARK: - Statistics

    private func measure(_ state: AutoState, surprise: Double, deviation: Double, at: Int) -> Finding {
        var finding = Finding()
        finding.values[0] = surprise
        finding.values[1] = deviation
        var whole = 0
        for back in 0..<4 { whole += Int(state.deviations[(at + 64 - back) % 64]) }
        finding.values[2] = Double(whole) / (20 * 4)
        for back in 4..<16 { whole += Int(state.deviations[(at + 64 - back) % 64]) }
        finding.values[3] = Double(whole) / (20 * 16)
        whole = 0
        for place in 0..<64 { whole += Int(state.deviations[place]) }
        finding.values[4] = Double(whole) / (20 * 64)
        var sum: Float = 0
        for place in 0..<8 { sum += state.errors[place] }
        // Around 0, with deviation about 1 for noise that does not change.
        // A series that stands still says nothing before it has moved.
        finding.values[5] = state.changes < 20 ? 0 : log(max(Double(sum) / 8, 0.1) / 0.8) * 3
        finding.calm = state.changes < 20 ? 0 : -log(max(Double(state.calmness), 0.01) / 0.8) * 3
        return finding
    }

    /// Finds the least likely statistic.
    private func weigh(_ finding: inout Finding, _ state: AutoState, skipsSurprise: Bool) {
        for place in 0..<AutoState.statistics {
            if place == 0 && skipsSurprise { continue }
            // A statistic needs some values of its own before it may speak.
            guard Double(state.count) >= 2 * AutoState.lengths[place] else { continue }
            let value = finding.values[place]
            var above = state.upper[place].probability(value)
            var below = place == 5 ? 1 : state.lower[place].probability(-value)
            if place < 2 {
                // Where leaps up are common, leaps down of that size are not as rare as none seen yet would say.
                if value > 0 {
                    above = max(above, 0.02 * state.lower[place].probability(value))
                } else {
                    below = max(below, 0.02 * state.upper[place].probability(-value))
                }
            }
            // Calm comes with the night: more must speak for it.
            if place == 5, state.changes >= 100 { below = 10 * state.lower[5].probability(finding.calm) }
            if min(above, below) < finding.probability {
                finding.probability = min(above, below)
                finding.statistic = place
                finding.isAbove = above <= below
            }
        }
        if state.count >= 100, state.changes >= 20 {
            let still = state.repeats.probability
            if still < finding.probability {
                finding.probability = still
                finding.statistic = AutoState.statistics
                finding.isAbove = false
            }
        }
    }

    /// Where strange values come again and again, one more of them is less strange than its size says.
    private func countExcursion(_ finding: inout Finding, _ state: inout AutoState) {
        let rare = (1 - score) / (Self.chances * Self.horizon)
        state.excursions *= Self.excursionDecay
        if finding.probability < rare {
            if state.sinceExcursion > 8 { state.excursions += 1 }
            state.sinceExcursion = 0
        } else {
            state.sinceExcursion = min(state.sinceExcursion + 1, 1000)
        }
        if state.excursions > Self.usualExcursions {
            finding.probability = max(finding.probability, 1e-4 * Double(state.excursions - Self.usualExcursions))
        }
    }

    /// From where to where a value would not have been flagged by itself.
    private func bound(
        _ verdict: inout DetectorVerdict, _ state: AutoState, predicted: Double, errorScale: Double, expected: Double,
        scale: Double
    ) {
        let rare = (1 - score) / (Self.chances * Self.horizon)
        verdict.upper = expected + scale * state.upper[1].quantile(rare)
        verdict.lower = expected - scale * state.lower[1].quantile(rare)
        guard errorScale < .infinity else { return }
        let upper = min(verdict.upper, predicted + errorScale * state.upper[0].quantile(rare))
        let lower = max(verdict.lower, predicted - errorScale * state.lower[0].quantile(rare))
        // While the forecasts have followed an excursion and the level has not, nothing would be between.
        guard lower < upper else { return }
        verdict.upper = upper
        verdict.lower = lower
    }

    // MARK: - Learning

    private func learn(
        _ value: Double, _ timeMs: Int64, _ state: inout AutoState, _ finding: Finding, _ verdict: DetectorVerdict,
        profiles: InlineArray<2, Double>, dayPlace: (index: Int, part: Double), weekPlace: (index: Int, part: Double),
        elapsedMs: Int64, forecast: AutoExperts.Forecast, errorScale: Double
    ) {
        let predicted = forecast.mixed
        let before = state.recent[(Int(state.position) + 6) % 8]
        if state.count > 0, value != before {
            state.changes = min(state.changes + 1, 1000)
            let step = abs(value - before)
            state.quantum = state.quantum == 0 ? step : min(1.02 * state.quantum, step)
        }
        state.count = min(state.count + 1, 1_000_000)
        state.leapLeft -= min(state.leapLeft, 1)

        if state.settling > 0 {
            state.settling -= 1
            if state.settling == 0 { adopt(&state, profiles: profiles, values: 8) }
            return
        }
        let isFrozen = verdict.isFlagged || state.stretch > 0 && verdict.score > 0.9
        if isFrozen {
            state.stretch += 1
            state.calm = 0
            learnTails(&state, finding, isFlagged: true)
            if state.stretch >= Self.adoptAfter {
                let before = state.levels[0]
                adopt(&state, profiles: profiles, values: 8)
                state.leap = state.levels[0] - before
                state.leapLeft = Self.leapMemory
                return
            }
        } else if state.stretch > 0 {
            state.calm += 1
            if state.calm == 1 { state.experts.settle(value, profiles: profiles) }
            if state.calm >= 3 { state.stretch = 0 }
        }
        // The forecasts follow what is there, but a short excursion must not become the value expected next.
        let widest = 4 * errorScale
        let followed =
            isFrozen && state.stretch < 3 ? min(max(value, predicted - widest), predicted + widest) : value
        state.experts.learn(
            followed, forecast, judged: min(max(value, predicted - widest), predicted + widest), level: state.levels[0],
            scale: Self.scale(state, 0), count: state.count, isTrusted: !isFrozen)
        if isFrozen {
            if state.stretch == 3 { state.experts.settle(median(state, 3), profiles: profiles) }
            return
        }
        learnTails(&state, finding, isFlagged: state.stretch > 0)
        let errorRate = max(1 / Double(state.count), 0.005)
        let error = state.count > 8 ? min(abs(value - predicted), 4 * max(errorScale, 1e-300)) : abs(value - predicted)
        state.error += (error - state.error) * errorRate
        learnLevels(value, &state, profiles)
        learnProfiles(value, &state, dayPlace, weekPlace, elapsedMs)
    }

    private func learnTails(_ state: inout AutoState, _ finding: Finding, isFlagged: Bool) {
        guard state.count > 8 else { return }
        let rare = (1 - score) / (Self.chances * Self.horizon)
        for place in 0..<AutoState.statistics where Double(state.count) >= AutoState.lengths[place] {
            let value = finding.values[place]
            state.upper[place].learn(
                value, count: state.count, flaggedLimit: isFlagged ? state.upper[place].quantile(rare) : nil)
            state.lower[place].learn(
                place == 5 ? finding.calm : -value, count: state.count, flaggedLimit: isFlagged ? state.lower[place].quantile(rare) : nil)
        }
    }

    private func learnLevels(_ value: Double, _ state: inout AutoState, _ profiles: InlineArray<2, Double>) {
        for place in 0..<3 {
            var rest = value
            if place > 0 {
                guard profiles[place - 1].isFinite else { continue }
                rest -= profiles[place - 1]
            }
            if state.seen[place] == 0 { state.levels[place] = rest }
            state.seen[place] = min(state.seen[place] + 1, 1_000_000)
            let seen = Double(state.seen[place])
            let rate = max(1 / seen, 1 / AutoState.memory)
            let scale = Self.scale(state, place)
            var move = rest - state.levels[place]
            if seen > 8 { move = min(max(move, -3 * scale), 3 * scale) }
            state.levels[place] += move * rate
            // Its mean is a little less than a deviation of so few values.
            let distance = abs(move) * (seen > 1 ? seen / (seen - 1) : 1)
            state.spreads[place] += (distance - state.spreads[place]) * rate
        }
    }

    private func learnProfiles(
        _ value: Double, _ state: inout AutoState, _ dayPlace: (index: Int, part: Double),
        _ weekPlace: (index: Int, part: Double), _ elapsedMs: Int64
    ) {
        let relative = value - state.origin
        let widest = 6 * max(state.spreads[0], Self.leastScale(state))
        var day = state.day.mutableSpan
        TimeProfile.learn(
            relative, &day, dayPlace, periodMs: TimeProfile.dayMs, slideMs: slideMs, elapsedMs: elapsedMs,
            level: state.levels[1], widest: widest, stretches: TimeProfile.dayStretches)
        var week = state.week.mutableSpan
        TimeProfile.learn(
            relative, &week, weekPlace, periodMs: TimeProfile.weekMs, slideMs: slideMs, elapsedMs: elapsedMs,
            level: state.levels[2], widest: widest, stretches: TimeProfile.weekStretches)
    }

    /// Takes steady growth out of a profile after its second round.
    private func flatten(_ state: inout AutoState, _ elapsedMs: Int64) {
        if state.flattened & 1 == 0, elapsedMs >= 2 * TimeProfile.dayMs {
            state.flattened |= 1
            var day = state.day.mutableSpan
            TimeProfile.flatten(&day, growth: state.levels[1], seam: Int(state.dayStart))
            state.experts.shift(0, by: state.levels[1])
            state.levels[1] *= 2
        }
        if state.flattened & 2 == 0, elapsedMs >= 2 * TimeProfile.weekMs {
            state.flattened |= 2
            var week = state.week.mutableSpan
            TimeProfile.flatten(&week, growth: state.levels[2], seam: Int(state.weekStart))
            state.experts.shift(1, by: state.levels[2])
            state.levels[2] *= 2
        }
    }

    /// Takes the level of the last values for the usual one.
    private func adopt(_ state: inout AutoState, profiles: InlineArray<2, Double>, values: Int) {
        let level = median(state, values)
        let shift = level - state.levels[0]
        state.levels[0] = level
        // Habits stay: what day and week add moves with the level.
        for place in 0..<2 {
            if profiles[place].isFinite {
                state.levels[place + 1] = level - profiles[place]
            } else if state.seen[place + 1] > 0 {
                state.levels[place + 1] += shift
            }
        }
        state.experts.settle(level, profiles: profiles)
        state.deviations = InlineArray<64, Int8>(repeating: 0)
        state.errors = InlineArray<8, Float>(repeating: 0.8)
        state.calmness = 0.8
        state.repeats.adopt()
        state.stretch = 0
        state.calm = 0
        for place in 0..<3 { state.seen[place] = min(state.seen[place], 30) }
    }

    /// Takes the levels from before the last adoption, which it has come back to.
    private func leapBack(_ state: inout AutoState, to value: Double, profiles: InlineArray<2, Double>) {
        for place in 0..<3 where state.seen[place] > 0 { state.levels[place] -= state.leap }
        state.leap = -state.leap
        state.leapLeft = Self.leapMemory
        state.experts.settle(value, profiles: profiles)
        state.deviations = InlineArray<64, Int8>(repeating: 0)
        state.errors = InlineArray<8, Float>(repeating: 0.8)
        state.stretch = 0
        state.calm = 0
    }

    /// The median of the last values, at most 8.
    private func median(_ state: AutoState, _ values: Int) -> Double {
        var sorted = InlineArray<8, Double>(repeating: .infinity)
        for back in 0..<values {
            let value = state.recent[(Int(state.position) + 63 - back) % 8]
            var place = back
            while place > 0, sorted[place - 1] > value {
                sorted[place] = sorted[place - 1]
                place -= 1
            }
            sorted[place] = value
        }
        return sorted[values / 2]
    }
}
