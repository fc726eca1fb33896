import StreamEngine

extension ReasonText {
    /// `cpu 0.97 is above 0.61, the highest expected where its average is 0.4`
    static func beyond(
        _ column: String, _ tick: DetectorTick, _ verdict: DetectorVerdict, _ circumstance: String
    ) -> String {
        let isAbove = tick.value > verdict.expected
        return "\(column) \(number(tick.value)) is \(isAbove ? "above" : "below") "
            + "\(number(isAbove ? verdict.upper : verdict.lower)), the \(isAbove ? "highest" : "lowest") expected "
            + "where \(circumstance)"
    }
}
