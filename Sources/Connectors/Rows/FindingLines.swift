import StreamEngine

extension AnomalyRow {
    /// The row as a line for people: `2026-01-01 00:13:00Z  FIRING critical  memory/pressure node=node-1: used 0.95 is …`.
    var line: String {
        var text = "\(EventTime.consoleText(windowEndMs))Z  "
        switch state {
        case .firing: text += "FIRING \(severity)  "
        case .flagged: text += "flagged \(severity)  "
        case .resolved: text += "resolved  "
        case .normal: text += "normal  "
        }
        return text + FindingLine.subject("\(query)/\(detector)", labels) + ": \(reason)"
    }
}

extension ImpactRow {
    /// The row as a line for people: `2026-01-01 00:13:00Z  impact  cpu/upgrades node=a: busy 0.3 → 0.6 (+100 %) at …`.
    var line: String {
        func number(_ value: Double?) -> String { value.map { ReasonText.number($0) } ?? "-" }
        var text = "\(EventTime.consoleText(event.timestampMs))Z  impact  "
        text += FindingLine.subject("\(query)/\(impact)", labels)
        text += ": \(column) \(number(before)) → \(number(after))"
        if let relative, relative.isFinite {
            let percent = ReasonText.number((relative * 1000).rounded() / 10)
            text += " (\(relative > 0 ? "+" : "")\(percent) %)"
        }
        text += " at \(event.type)"
        if !event.reason.isEmpty { text += " \(event.reason)" }
        if !event.object.isEmpty { text += " of \(event.object)" }
        return text
    }
}

private enum FindingLine {
    static func subject(_ name: String, _ labels: [Label]) -> String {
        labels.isEmpty ? name : "\(name) \(labels.map { "\($0.name)=\($0.value)" }.joined(separator: ","))"
    }
}
