import StreamEngine

extension AutoModel {
    /// Why a value is flagged: by itself, or with those before it.
    func reason(_ tick: DetectorTick, _ verdict: DetectorVerdict, _ state: AutoState) -> String {
        let value = ReasonText.number(tick.value)
        let side = state.isAbove ? "above" : "below"
        if state.statistic < 6, tick.value > verdict.upper || tick.value < verdict.lower {
            let isAbove = tick.value > verdict.upper
            return "\(column) \(value) is \(isAbove ? "above" : "below") "
                + "\(ReasonText.number(isAbove ? verdict.upper : verdict.lower)), "
                + "the \(isAbove ? "highest" : "lowest") expected\(time(tick, state))"
        }
        let usual = ReasonText.number(verdict.expected)
        switch state.statistic {
        case 2...4:
            let windows = [4, 16, 64][Int(state.statistic) - 2]
            return "\(column) \(value) and the \(windows - 1) windows before lie further \(side) "
                + "the usual \(usual)\(time(tick, state)) than chance allows"
        case 5:
            return
                "\(column) \(value) has moved \(state.isAbove ? "more in the last 8" : "less in the last 32") windows than it ever did"
        case 6:
            return "\(column) \(value) has not moved for longer than it ever did"
        default:
            return "\(column) \(value) is too far \(side) the usual \(usual)\(time(tick, state)) to be chance"
        }
    }

    /// ` for Mondays 09:00` where values are measured by the profile of the week, ` for 09:00` where by the day's.
    private func time(_ tick: DetectorTick, _ state: AutoState) -> String {
        let timeMs = tick.windowEndMs &- 1
        let index = baseline(state, profiles(state, timeMs)).index
        guard index > 0 else { return "" }
        return " for " + TimeProfile.name(timeMs, periodMs: index == 1 ? TimeProfile.dayMs : TimeProfile.weekMs)
    }
}
