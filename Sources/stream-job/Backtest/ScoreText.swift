import Backtest
import StreamEngine

/// How detectors did, as tables for a terminal.
enum ScoreText {
    /// The detectors of a replay, then the incidents.
    static func table(_ recorder: BacktestRecorder, hasLabels: Bool) -> String {
        let scores = recorder.scores()
        let lanes = recorder.lanes[0]
        var rows = zip(lanes, scores.each).map { lane, score in
            ["\(lane.query).\(lane.detector)", lane.type] + figures(score)
        }
        if lanes.count > 1 { rows.append(["all together", ""] + figures(scores.all)) }
        var text = "\n" + columns(["detector", "type"] + heads, rows, left: 2)
        let covered = scores.all.coveredCount
        guard hasLabels else {
            return text + "  note     no labelled incidents (--labels FILE): every alert counts as a false alarm\n"
        }
        if covered < recorder.incidents.count {
            let left = recorder.incidents.count - covered
            text +=
                "  note     \(Plural.of(left, "incident")) of \(recorder.incidents.count) not covered: no window of a key that"
                + " \(left == 1 ? "it concerns" : "they concern") overlaps\n"
        }
        return text + "\n" + incidents(recorder, scores.each)
    }

    private static let incidentsMax = 20

    private static func incidents(_ recorder: BacktestRecorder, _ scores: [Score]) -> String {
        let lanes = recorder.lanes[0]
        var rows: [[String]] = []
        for (index, incident) in recorder.incidents.prefix(incidentsMax).enumerated() {
            var row = [
                "\(EventTime.consoleText(incident.startMs / 1000 * 1000))Z",
                FigureText.duration(seconds: Double(incident.endMs - incident.startMs) / 1000), incident.kind,
                incident.selector?.description ?? "all",
            ]
            for score in scores {
                let own = score.incidents[index]
                row.append(outcome(own))
            }
            rows.append(row)
        }
        let text = columns(
            ["incident", "lasts", "kind", "selector"] + lanes.map(\.detector), rows, left: 4 + lanes.count)
        let rest = recorder.incidents.count - rows.count
        return rest > 0 ? text + "(and \(FigureText.count(rest)) more incidents)\n" : text
    }

    private static func outcome(_ score: Score.IncidentScore) -> String {
        switch score.outcome {
        case .detected:
            "after \(delay(score.delayMs.map(Double.init)))" + (score.alerts > 1 ? ", \(score.alerts) alerts" : "")
        case .alreadyFiring: "already firing"
        case .missed: "missed"
        case .notCovered: "not covered"
        }
    }

    /// The variants of a grid, the best first.
    static func ranking(_ recorder: BacktestRecorder, names: [String]) -> String {
        let rows = recorder.ranking.enumerated().map { place, variant in
            ["\(place + 1)"] + figures(recorder.scores(of: variant).all) + [names[variant]]
        }
        return "\n" + columns(["rank"] + heads + ["variant"], rows, left: 0, lastIsLeft: true)
    }

    private static let heads = [
        "detected", "missed", "alerts", "precision", "recall", "F1", "false/day", "delay", "alerts/incident",
        "window F1",
    ]

    private static func figures(_ score: Score) -> [String] {
        [
            "\(score.count(.detected))", "\(score.count(.missed) + score.count(.alreadyFiring))",
            FigureText.count(score.alerts), ratio(score.precision), ratio(score.recall), ratio(score.f1),
            score.falseAlarmsPerDay.map { FigureText.decimals($0, $0 < 10 ? 2 : 0) } ?? "-",
            delay(score.medianDelayMs), score.alertsPerIncident.map { FigureText.decimals($0, 1) } ?? "-",
            ratio(score.windows.f1),
        ]
    }

    private static func ratio(_ value: Double?) -> String { value.map { FigureText.decimals($0, 3) } ?? "-" }

    private static func delay(_ ms: Double?) -> String {
        ms.map { $0 == 0 ? "0 s" : FigureText.duration(seconds: $0 / 1000) } ?? "-"
    }

    /// Columns two blanks apart; the first `left` ones begin at the left.
    private static func columns(_ head: [String], _ rows: [[String]], left: Int, lastIsLeft: Bool = false) -> String {
        var text = ""
        let all = [head] + rows
        let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        for row in all {
            var line = ""
            for (index, cell) in row.enumerated() {
                let room = String(repeating: " ", count: widths[index] - cell.count)
                let isLeft = index < left || lastIsLeft && index == row.count - 1
                line += (index == 0 ? "" : "  ") + (isLeft ? cell + room : room + cell)
            }
            while line.hasSuffix(" ") { line.removeLast() }
            text += line + "\n"
        }
        return text
    }
}
