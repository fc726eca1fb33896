import Platform
import StreamEngine

/// What `auto` learns of a value, and what it does not: see `AutoDetector` for the whole idea.
extension AutoModel {
    func learn(
        _ value: Double, _ timeMs: Int64, _ state: inout AutoState, _ finding: Finding, _ verdict: DetectorVerdict,
        profiles: InlineArray<2, Double>, dayPlace: (index: Int, part: Double), weekPlace: (index: Int, part: Double),
        elapsedMs: Int64, forecast: AutoExperts.Forecast, errorScale: Double
    ) {
        let predicted = forecast.mixed
        let before = state.last
        state.last = value
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
                adopt(&state, profiles: profiles, values: 16)
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
            followed, forecast, level: state.levels[0],
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

    func learnTails(_ state: inout AutoState, _ finding: Finding, isFlagged: Bool) {
        guard state.count > 8 else { return }
        let rare = (1 - score) / (Self.chances * Self.horizon)
        for place in 0..<AutoState.statistics where Double(state.count) >= AutoState.lengths[place] {
            let value = finding.values[place]
            state.upper[place].learn(
                value, count: state.count, flaggedLimit: isFlagged ? state.upper[place].quantile(rare) : nil)
            state.lower[place].learn(
                place == 5 ? finding.calm : -value, count: state.count,
                flaggedLimit: isFlagged ? state.lower[place].quantile(rare) : nil)
        }
    }

    func learnLevels(_ value: Double, _ state: inout AutoState, _ profiles: InlineArray<2, Double>) {
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

    func learnProfiles(
        _ value: Double, _ state: inout AutoState, _ dayPlace: (index: Int, part: Double),
        _ weekPlace: (index: Int, part: Double), _ elapsedMs: Int64
    ) {
        let relative = value - state.origin
        let stepMs = stepMs(state)
        let widest = 6 * max(state.spreads[0], Self.leastScale(state))
        var day = state.day.mutableSpan
        TimeProfile.learn(
            relative, &day, dayPlace, periodMs: TimeProfile.dayMs, slideMs: stepMs, elapsedMs: elapsedMs,
            seam: Int(state.dayStart), level: state.levels[1], widest: widest, stretches: TimeProfile.dayStretches)
        var week = state.week.mutableSpan
        TimeProfile.learn(
            relative, &week, weekPlace, periodMs: TimeProfile.weekMs, slideMs: stepMs, elapsedMs: elapsedMs,
            seam: Int(state.weekStart), level: state.levels[2], widest: widest, stretches: TimeProfile.weekStretches)
    }

    /// Where a new round of a profile begins: what the profile falls back there, the level makes up for, since what grows
    /// goes on growing.
    func beginRound(_ state: inout AutoState, _ day: Int, _ week: Int) {
        if day == Int(state.dayStart), day != Int(state.dayLast) {
            let fall = TimeProfile.fall(state.day.span, seam: day)
            rise(&state, 1, by: fall, stretchMs: TimeProfile.dayMs / Int64(TimeProfile.dayStretches))
        }
        if week == Int(state.weekStart), week != Int(state.weekLast) {
            let fall = TimeProfile.fall(state.week.span, seam: week)
            rise(&state, 2, by: fall, stretchMs: TimeProfile.weekMs / Int64(TimeProfile.weekStretches))
        }
        state.dayLast = UInt8(truncatingIfNeeded: day)
        state.weekLast = UInt8(truncatingIfNeeded: week)
    }

    /// Raises a level by what its profile falls, if that is more than the noise of the stretches it was learnt from and
    /// the level has risen like that since.
    private func rise(_ state: inout AutoState, _ place: Int, by fall: Double, stretchMs: Int64) {
        guard state.seen[place] > 0, fall.isFinite else { return }
        let windows = max(Double(stretchMs / stepMs(state)), 1)
        guard abs(fall) > 6 * 1.25 * state.spreads[place] / windows.squareRoot(),
            state.levels[place] / fall > 0.6
        else { return }
        state.levels[place] += fall
        state.experts.shift(place - 1, by: fall)
    }

    /// Takes the level of the last values for the usual one.
    func adopt(_ state: inout AutoState, profiles: InlineArray<2, Double>, values: Int) {
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
    func leapBack(_ state: inout AutoState, to value: Double, profiles: InlineArray<2, Double>) {
        for place in 0..<3 where state.seen[place] > 0 { state.levels[place] -= state.leap }
        state.leap = -state.leap
        state.leapLeft = Self.leapMemory
        state.experts.settle(value, profiles: profiles)
        state.deviations = InlineArray<64, Int8>(repeating: 0)
        state.errors = InlineArray<8, Float>(repeating: 0.8)
        state.stretch = 0
        state.calm = 0
    }

    /// The median of the last values, at most 16.
    func median(_ state: AutoState, _ values: Int) -> Double {
        var sorted = InlineArray<16, Float>(repeating: .infinity)
        for back in 0..<values {
            let value = state.recent[(Int(state.position) + 63 - back) % 16]
            var place = back
            while place > 0, sorted[place - 1] > value {
                sorted[place] = sorted[place - 1]
                place -= 1
            }
            sorted[place] = value
        }
        return state.origin + Double(sorted[values / 2])
    }
}
