import Glibc
import Platform
import StreamEngine

/// How strange a value is by each of the statistics of `auto`: see `AutoDetector` for the whole idea.
extension AutoModel {
    func measure(_ state: AutoState, surprise: Double, deviation: Double, at: Int) -> Finding {
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
    func weigh(_ finding: inout Finding, _ state: AutoState, skipsSurprise: Bool) {
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
    func countExcursion(_ finding: inout Finding, _ state: inout AutoState) {
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
    func bound(
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
}
