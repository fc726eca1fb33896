/// What the events around a window do to a flag.
struct ContextFinding {
    /// At most so many events stand beside a verdict: the newest of each entry.
    static let eventsMax = 10

    /// Oldest first.
    private(set) var events: [AnomalyEvent] = []
    private(set) var isSuppressed = false
    /// Steps on the ladder of severities.
    private(set) var severityShift: Int8 = 0

    init(
        _ contexts: [ContextEvents], key: DetectorKey, startMs: Int64, endMs: Int64, positions: EventPositions?
    ) {
        for context in contexts {
            let found = context.matching(
                key, startMs: startMs, endMs: endMs, limit: Self.eventsMax, positions: positions)
            guard !found.isEmpty else { continue }
            events += found
            switch context.plan.action {
            case .annotate: break
            case .suppress: isSuppressed = true
            // More entries than a ladder has steps change nothing more.
            case .lower: severityShift = max(severityShift - 1, -8)
            case .raise: severityShift = min(severityShift + 1, 8)
            }
        }
        if contexts.count > 1 {
            // A stable order: time, then the entries as the job lists them.
            events = events.enumerated().sorted { a, b in
                a.element.timestampMs != b.element.timestampMs
                    ? a.element.timestampMs < b.element.timestampMs : a.offset < b.offset
            }.map(\.element)
        }
    }

    /// Said after the reason: `; suppressed during ClusterUpgrade (MasterUpgrade) since 10:02:00Z`.
    func suffix(severity: String, moved: String) -> String {
        func named(_ action: ContextPlan.Action) -> String? {
            guard let event = events.last(where: { $0.action == action }) else { return nil }
            var text = event.type.description
            if !event.reason.isEmpty { text += " \(event.reason)" }
            if !event.object.isEmpty { text += " of \(event.object)" }
            let others = events.count { $0.action == action } - 1
            if others > 0 { text += " and \(others) more" }
            return "\(text) at \(ReasonText.time(event.timestampMs))"
        }
        if isSuppressed, let cause = named(.suppress) { return "; suppressed by \(cause)" }
        var text = ""
        if severityShift != 0 {
            let cause = named(severityShift < 0 ? .lower : .raise) ?? ""
            let change =
                moved == severity ? "stays \(severity)" : "\(severityShift < 0 ? "lowered" : "raised") to \(moved)"
            text += "; \(change) by \(cause)"
        }
        if let cause = named(.annotate) { text += "; near \(cause)" }
        return text
    }
}
