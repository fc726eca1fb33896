import StreamEngine
import Testing

@testable import Backtest

/// Scoring by hand-made verdicts and labels.
@Suite struct ScoreTests {
    static func key(_ node: String) -> [Label] { [Label("node", ByteString(node))] }

    static func incident(_ start: Int64, _ end: Int64, _ selector: String? = nil) throws -> LabelledIncident {
        LabelledIncident(
            startMs: start, endMs: end, kind: "k", selector: try selector.map { try SeriesSelector.parse($0) })
    }

    static func lane(_ incidents: [LabelledIncident]) -> DetectorLane {
        DetectorLane(
            query: "q", detector: "d", type: "threshold", column: "v", incidents: incidents, keepsTracks: true)
    }

    /// Windows of 10 ms from 0 to 100 for a key, flagged where said.
    static func run(_ lane: DetectorLane, _ node: String, flagged: Set<Int64>) {
        for start in stride(from: Int64(0), to: 100, by: 10) {
            lane.take(
                Verdict(
                    key: key(node), windowStartMs: start, windowEndMs: start + 10, isFlagged: flagged.contains(start)))
        }
    }

    static func fire(_ lane: DetectorLane, _ node: String, _ start: Int64, resolved: Int64? = nil) {
        lane.fire(Alert(key: key(node), windowStartMs: start, firedMs: start + 10, incidentID: "\(node)/\(start)"))
        if let resolved { lane.resolve(key: key(node), incidentID: "\(node)/\(start)", atMs: resolved) }
    }

    @Test func outcomesDelaysAndFigures() throws {
        let labels = [
            try Self.incident(15, 35, #"{node="a"}"#), try Self.incident(50, 60, #"{node="a"}"#),
            try Self.incident(70, 80, #"{node="b"}"#), try Self.incident(70, 80, #"{node="z"}"#),
            try Self.incident(500, 600),
        ]
        let lane = Self.lane(labels)
        Self.run(lane, "a", flagged: [20, 30, 40])
        Self.run(lane, "b", flagged: [60, 70])
        Self.fire(lane, "a", 20, resolved: 30)
        Self.fire(lane, "a", 30, resolved: 50)
        // Still firing when the second one begins? No: resolved at its start.
        Self.fire(lane, "b", 60)
        let score = Score([lane], incidents: labels)
        #expect(score.incidents.map(\.outcome) == [.detected, .missed, .alreadyFiring, .notCovered, .notCovered])
        #expect(score.incidents[0].delayMs == 15 && score.incidents[0].alerts == 2)
        #expect(score.alerts == 3 && score.falseAlarms == 1)
        #expect(score.precision == 2.0 / 3 && score.recall == 1.0 / 3)
        #expect(abs((score.f1 ?? 0) - 4.0 / 9) < 1e-15)
        #expect(score.alertsPerIncident == 2 && score.meanDelayMs == 15 && score.medianDelayMs == 15)
        #expect(score.observedMs == 100 && score.falseAlarmsPerDay == 864_000)
        // In incidents of a: windows 10, 20, 30 and 50; of b: 70.
        #expect(score.windows.truePositives == 3 && score.windows.falsePositives == 2)
        #expect(score.windows.falseNegatives == 2 && score.windows.trueNegatives == 13)
        #expect(score.windows.precision == 0.6 && score.windows.recall == 0.6 && score.windows.f1 == 0.6)
    }

    @Test func nothingToFindAndNothingFound() throws {
        let lane = Self.lane([])
        let none = Score([lane], incidents: [])
        #expect(none.f1 == nil && none.precision == nil && none.recall == nil && none.falseAlarmsPerDay == nil)
        Self.run(lane, "a", flagged: [])
        #expect(Score([lane], incidents: []).falseAlarmsPerDay == 0)
        let labels = [try Self.incident(15, 35)]
        let silent = Self.lane(labels)
        Self.run(silent, "a", flagged: [])
        let missed = Score([silent], incidents: labels)
        #expect(missed.f1 == 0 && missed.precision == nil && missed.recall == 0)
        #expect(missed.isBetter(than: none) == false)
    }

    @Test func labelsThatTheKeyDoesNotHaveSayNothing() throws {
        let incident = try Self.incident(0, 10, #"cpu{node=~"a|b",zone="x"}"#)
        #expect(incident.concerns(Self.key("a")))
        #expect(!incident.concerns(Self.key("ab")))
        #expect(!incident.concerns(Self.key("a") + [Label("zone", "y")]))
        #expect(incident.concerns([]))
    }

    @Test func aLanesIncidentsThatEndOutOfOrder() throws {
        // A long incident holds a short one: passing by the short one keeps the long one.
        let labels = [try Self.incident(0, 90), try Self.incident(10, 20)]
        let lane = Self.lane(labels)
        Self.run(lane, "a", flagged: [])
        #expect(lane.windows.falseNegatives == 9 && lane.windows.trueNegatives == 1)
    }
}
