import Operators
import Platform
import Testing

@testable import StreamEngine

/// Flags become incidents: `for`, `keepFiringFor`, `cooldown`, `missing`, `groupInto`, `emit`.
@Suite struct AlertTests {
    static let minute: Int64 = 60_000

    /// A detector that flags above 1, over a story of 1-minute windows: `.` clear, `x` flagged, `_` no row.
    static func run(
        _ story: String, _ change: (inout AnomalyDefinition) -> Void
    ) throws -> [String] {
        let bench = try DetectorBench([try DetectorBench.anomaly("threshold", [("above", "1")], change)])
        bench.windows(story.map { $0 == "x" ? 2 : $0 == "." ? 0 : nil })
        return bench.told
    }

    @Test(arguments: [
        (".x.", ["1 firing a", "2 resolved a"]),
        ("xxx", ["0 firing a"]),
        ("x_x", ["0 firing a", "1 resolved a", "2 firing a"]),
        ("...", []),
    ])
    func flagsFireOnce(_ story: String, _ told: [String]) throws {
        #expect(try Self.run(story) { _ in } == told)
    }

    @Test(arguments: [
        // The window that begins the stretch counts as its start: two minutes later it fires.
        (".xxxx.", ["3 firing a", "5 resolved a"]),
        (".xx.xx.", []),
        (".xx_xx.", []),
        ("xxx", ["2 firing a"]),
    ])
    func holdsForSomeTime(_ story: String, _ told: [String]) throws {
        #expect(try Self.run(story) { $0.forMs = 2 * Self.minute } == told)
    }

    @Test(arguments: [
        ("x..x...", ["0 firing a", "6 resolved a"]),
        ("x...", ["0 firing a", "3 resolved a"]),
        ("x..", ["0 firing a"]),
        ("x_._", ["0 firing a", "3 resolved a"]),
    ])
    func firesOnForSomeTime(_ story: String, _ told: [String]) throws {
        #expect(try Self.run(story) { $0.keepFiringForMs = 2 * Self.minute } == told)
    }

    @Test(arguments: [
        ("x.x.x.x", ["0 firing a", "1 resolved a", "4 firing a", "5 resolved a"]),
        ("x.xxxx.", ["0 firing a", "1 resolved a", "4 firing a", "6 resolved a"]),
    ])
    func isQuietAfterItResolved(_ story: String, _ told: [String]) throws {
        #expect(try Self.run(story) { $0.cooldownMs = 3 * Self.minute } == told)
    }

    @Test(arguments: [
        ("x__x.", ["0 firing a", "4 resolved a"]),
        ("x___", ["0 firing a"]),
        ("x_._", ["0 firing a", "2 resolved a"]),
    ])
    func missingRowsMayMeanNothing(_ story: String, _ told: [String]) throws {
        #expect(try Self.run(story) { $0.missing = .hold } == told)
    }

    @Test func emitsEveryFlag() throws {
        #expect(try Self.run(".xx_x.") { $0.emit = .flags } == ["1 flagged a", "2 flagged a", "4 flagged a"])
        #expect(
            try Self.run(".x_.") { $0.emit = .all } == ["0 normal a", "1 flagged a", "3 normal a"])
    }

    @Test func everyRowOfAnIncidentHasItsName() throws {
        let bench = try DetectorBench([
            try DetectorBench.anomaly("threshold", [("above", "1")], name: "t") { $0.forMs = Self.minute },
            try DetectorBench.anomaly("threshold", [("above", "1")], name: "f") { $0.emit = .flags },
        ])
        bench.windows([2, 2, 0, 2, 2, 0])
        let ofIncidents = bench.rows.filter { $0.detector == "t" }
        #expect(ofIncidents.map(\.startedAtMs) == [60_000, 60_000, 240_000, 240_000])
        #expect(ofIncidents[0].incidentID == ofIncidents[1].incidentID)
        #expect(ofIncidents[0].incidentID != ofIncidents[2].incidentID)
        #expect(ofIncidents[0].incidentID?.count == 16)
        let flags = bench.rows.filter { $0.detector == "f" }
        #expect(flags.map(\.startedAtMs) == [60_000, 60_000, 240_000, 240_000])
        #expect(Set(flags.map(\.incidentID)).count == 2)
        #expect(Set(flags.map(\.incidentID)).isDisjoint(with: ofIncidents.map(\.incidentID)))
    }

    @Test func reasonsAreSentences() throws {
        let bench = try DetectorBench([
            try DetectorBench.anomaly("threshold", [("above", "1"), ("clearAbove", "0.5")]) { $0.forMs = Self.minute },
            try DetectorBench.anomaly("threshold", [("outside", "[0,1]")], name: "all") { $0.emit = .all },
        ])
        bench.windows([1.25, 0.75, 0.25, -3, nil, 1])
        #expect(
            bench.rows.filter { $0.detector == "a" }.map(\.reason) == [
                "v 0.75 is still above 0.5, where it clears, for 1m", "v 0.25 is as it should be again after 2m",
            ])
        #expect(
            bench.rows.filter { $0.detector == "all" }.map(\.reason) == [
                "v 1.25 is above 1", "v 0.75 is as it should be", "v 0.25 is as it should be", "v -3 is below 0",
                "v 1 is as it should be",
            ])
    }

    @Test func labelsOfTheJobWin() throws {
        let bench = try DetectorBench([
            try DetectorBench.anomaly("threshold", [("above", "1")]) {
                $0.labels = [OptionPair("team", .text("infra")), OptionPair("node", .text("renamed"))]
                $0.annotations = [OptionPair("runbook", .text("x"))]
            }
        ])
        bench.windows([2])
        #expect(bench.rows[0].labels == [Label("team", "infra"), Label("node", "renamed")])
        #expect(bench.rows[0].key == [Label("node", "a")])
        #expect(bench.rows[0].annotations == [Label("runbook", "x")])
    }

    /// Keys `r1/n1`, `r1/n2`, `r2/n3` in racks r1 and r2.
    private func racks(_ change: (inout AnomalyDefinition) -> Void = { _ in }) throws -> DetectorBench {
        try DetectorBench(
            [
                try DetectorBench.anomaly("threshold", [("above", "1")]) {
                    $0.groupInto = ["rack"]
                    change(&$0)
                }
            ], groupBy: ["rack", "node"])
    }

    private func racks(_ bench: DetectorBench, _ number: Int64, _ values: [Double]) {
        bench.window(number, [(["r1", "n1"], values[0]), (["r1", "n2"], values[1]), (["r2", "n3"], values[2])])
    }

    @Test func manyKeysAreOneIncident() throws {
        let bench = try racks()
        let story: [[Double]] = [[0, 0, 0], [2, 0, 0], [2, 3, 0], [0, 3, 5], [0, 0, 0]]
        for (number, values) in story.enumerated() {
            racks(bench, Int64(number), values)
        }
        #expect(bench.told == ["1 firing r1", "3 firing r2", "4 resolved r1", "4 resolved r2"])
        #expect(bench.rows[0].incidentID == bench.rows[2].incidentID)
        #expect(bench.rows[0].incidentID != bench.rows[1].incidentID)
        #expect(bench.rows[0].labels == [Label("rack", "r1")])
    }

    @Test func anIncidentPassesFromKeyToKey() throws {
        let bench = try racks { $0.forMs = Self.minute }
        let story: [[Double]] = [[2, 0, 0], [2, 2, 0], [0, 2, 0], [0, 2, 0], [0, 0, 0]]
        for (number, values) in story.enumerated() {
            racks(bench, Int64(number), values)
        }
        // At 2 one key ends and the other begins to fire.
        #expect(bench.told == ["1 firing r1", "4 resolved r1"])
        #expect(Set(bench.rows.map(\.startedAtMs)) == [60_000])
    }

    @Test func aGroupCoolsDownAsAWhole() throws {
        let bench = try racks { $0.cooldownMs = 3 * Self.minute }
        for number in 0..<8 { racks(bench, Int64(number), number % 2 == 0 ? [2, 0, 0] : [0, 0, 0]) }
        #expect(bench.told == ["0 firing r1", "1 resolved r1", "4 firing r1", "5 resolved r1"])
    }

    @Test func gapsAreMissingWindows() throws {
        let bench = try DetectorBench([
            try DetectorBench.anomaly("threshold", [("above", "1")]), try DetectorBench.anomaly("absent", name: "gone"),
        ])
        bench.window(0, [(["a"], 2)])
        bench.window(10, [(["a"], 2)])
        #expect(bench.told.contains("1 resolved a") && bench.told.contains("10 firing a"))
        let gone = bench.rows.filter { $0.detector == "gone" }.map { "\($0.windowEndMs / 60_000) \($0.state.rawValue)" }
        #expect(gone == ["4 firing", "11 resolved"])
    }

    @Test func keysAreForgottenAndResolved() throws {
        let bench = try DetectorBench(
            [try DetectorBench.anomaly("threshold", [("above", "1")]) { $0.missing = .hold }],
            keyTTLMs: 5 * Self.minute)
        bench.window(0, [(["a"], 2), (["b"], 0)])
        for number in 1...6 { bench.window(Int64(number), [(["b"], 0)]) }
        #expect(bench.told == ["0 firing a", "5 resolved a"])
        #expect(bench.rows[1].reason == "no row for 5m: forgotten, 5m after it began")
        #expect(bench.anomalies.keyCount == 1)
        // It comes again as a key that was never seen.
        bench.window(7, [(["a"], 2), (["b"], 0)])
        #expect(bench.told.last == "7 firing a")
    }

    /// A gap longer than `keyTTL`: what was known is forgotten in it, and the window behind it begins anew.
    @Test func keysAreForgottenInAGap() throws {
        let bench = try DetectorBench(
            [try DetectorBench.anomaly("threshold", [("above", "1")]) { $0.missing = .hold }],
            keyTTLMs: 5 * Self.minute)
        bench.window(0, [(["a"], 2), (["b"], 0), (["c"], 2)])
        bench.window(20, [(["b"], 2), (["c"], 0)])
        bench.window(21, [(["a"], 2), (["b"], 2), (["c"], 0)])
        #expect(
            bench.told == ["0 firing a", "0 firing c", "5 resolved a", "5 resolved c", "20 firing b", "21 firing a"])
    }

    @Test func nothingIsFlaggedWhileLearning() throws {
        let bench = try DetectorBench([
            try DetectorBench.anomaly("threshold", [("above", "1"), ("warmup", "2")]) { $0.emit = .all }
        ])
        bench.windows([2, nil, 2, 2])
        #expect(bench.told == ["0 normal a", "2 normal a", "3 flagged a"])
        #expect(bench.rows[0].reason == "learning: 1 of 2 windows")
    }

    @Test func columnsMayBeNull() throws {
        let bench = try DetectorBench([
            try DetectorBench.anomaly("threshold", [("above", "1")]), try DetectorBench.anomaly("absent", name: "gone"),
        ])
        bench.window(0, [(["a"], 2)])
        for number in 1...4 { bench.window(Int64(number), [(["a"], nil)]) }
        #expect(bench.told == ["0 firing a", "1 resolved a", "3 firing a"])
        #expect(bench.rows[1].value == nil)
    }
}
