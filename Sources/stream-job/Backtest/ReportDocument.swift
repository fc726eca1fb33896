import Backtest
import StreamEngine

/// `report.json`: what the detectors did against the labels (docs/backtesting.md).
struct ReportDocument {
    let json: JSONValue

    init(_ recorder: BacktestRecorder, job: String) {
        let scores = recorder.scores()
        let lanes = recorder.lanes[0]
        let starts = lanes.compactMap(\.observed?.startMs).min()
        let ends = lanes.compactMap(\.observed?.endMs).max()
        json = .object([
            ("job", .string(job)), ("start", Self.time(starts)), ("end", Self.time(ends)),
            (
                "incidents",
                .array(
                    recorder.incidents.map { incident in
                        .object([
                            ("start", Self.time(incident.startMs)), ("end", Self.time(incident.endMs)),
                            ("kind", .string(incident.kind)),
                            ("selector", .string(incident.selector?.description ?? "")),
                        ])
                    })
            ),
            (
                "detectors",
                .array(
                    zip(lanes, scores.each).map { lane, score in
                        .object(
                            [
                                ("query", .string(lane.query)), ("detector", .string(lane.detector)),
                                ("type", .string(lane.type)), ("column", lane.column.map { .string($0) } ?? .null),
                                ("keys", .integer(lane.tracks.count)),
                            ] + Self.members(score) + [("firings", .array(lane.alerts.map(Self.alert)))])
                    })
            ), ("all", .object(Self.members(scores.all))),
        ])
    }

    /// A score's members.
    static func members(_ score: Score) -> [(String, JSONValue)] {
        [
            ("detected", .integer(score.count(.detected))), ("missed", .integer(score.count(.missed))),
            ("alreadyFiring", .integer(score.count(.alreadyFiring))),
            ("notCovered", .integer(score.count(.notCovered))), ("alerts", .integer(score.alerts)),
            ("falseAlarms", .integer(score.falseAlarms)), ("falseAlarmsPerDay", number(score.falseAlarmsPerDay)),
            ("precision", number(score.precision)), ("recall", number(score.recall)), ("f1", number(score.f1)),
            ("meanDelaySeconds", number(score.meanDelayMs.map { $0 / 1000 })),
            ("medianDelaySeconds", number(score.medianDelayMs.map { $0 / 1000 })),
            ("alertsPerIncident", number(score.alertsPerIncident)),
            ("observedSeconds", .number(Double(score.observedMs) / 1000)),
            (
                "windows",
                .object([
                    ("truePositives", .integer(score.windows.truePositives)),
                    ("falsePositives", .integer(score.windows.falsePositives)),
                    ("falseNegatives", .integer(score.windows.falseNegatives)),
                    ("trueNegatives", .integer(score.windows.trueNegatives)),
                    ("precision", number(score.windows.precision)), ("recall", number(score.windows.recall)),
                    ("f1", number(score.windows.f1)),
                ])
            ),
            (
                "incidents",
                .array(
                    score.incidents.map {
                        .object([
                            ("outcome", .string($0.outcome.rawValue)),
                            ("delaySeconds", number($0.delayMs.map { Double($0) / 1000 })),
                            ("alerts", .integer($0.alerts)),
                        ])
                    })
            ),
        ]
    }

    private static func alert(_ alert: Alert) -> JSONValue {
        .object([
            ("labels", labels(alert.key)), ("fired", time(alert.firedMs)), ("resolved", time(alert.resolvedMs)),
            ("severity", .string(alert.severity)), ("reason", .string(alert.reason)),
            ("incidentId", alert.incidentID.map { .string($0) } ?? .null),
            ("incidents", .array(alert.incidents.map { .integer($0) })),
        ])
    }

    static func labels(_ key: [Label]) -> JSONValue {
        .object(key.map { ($0.name.description, .string($0.value.description)) })
    }

    static func time(_ timeMs: Int64?) -> JSONValue { timeMs.map { .string(EventTime.rfc3339($0)) } ?? .null }

    static func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
}
