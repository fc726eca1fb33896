import Operators
import Platform
import TestSupport
import Testing

@testable import StreamEngine

/// What holds for every detector there is.
@Suite struct DetectorLawTests {
    /// Options that a detector needs.
    static func options(_ name: String) -> [(String, String)] {
        switch name {
        case "threshold": [("outside", "[-1,1]")]
        case "rate_of_change": [("above", "1")]
        case "forecast": [("reach", "10"), ("within", "1h"), ("history", "30m")]
        case "peers": [("by", "[rack]")]
        default: []
        }
    }

    static func bench(_ name: String, _ change: (inout AnomalyDefinition) -> Void = { _ in }) throws -> DetectorBench {
        try DetectorBench(
            [
                try DetectorBench.anomaly(name, options(name)) {
                    $0.emit = .all
                    change(&$0)
                }
            ], groupBy: ["rack", "node"])
    }

    static let names = Detectors.all.map(\.name)

    /// Rows of a few keys that come and go, with jumps, nulls and now and then anything.
    static func story(_ random: inout SeededRandom, windows: Int) -> [(number: Int64, rows: [DetectorBench.Row])] {
        let strange = [Double.nan, .infinity, -.infinity, 1e300, -1e300, 0, -0.0, .leastNonzeroMagnitude]
        var number: Int64 = 0
        return (0..<windows).map { _ in
            number += random.below(12) == 0 ? Int64(2 + random.below(6)) : 1
            var rows: [DetectorBench.Row] = []
            for key in 0..<6 where random.below(10) > 0 {
                let base = Double(key) + Double(random.below(1000)) / 2000
                let jump = random.below(40) == 0 ? 50.0 : 0
                let value: Double? =
                    random.below(25) == 0
                    ? nil : random.below(25) == 0 ? strange[random.below(strange.count)] : base + jump
                rows.append((["r\(key % 2)", "n\(key)"], value))
            }
            return (number, rows)
        }
    }

    @Test(arguments: names)
    func aRestartChangesNothing(_ name: String) throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed: seed)
        for emit in AnomalyDefinition.Emit.allCases {
            let story = Self.story(&random, windows: 70)
            func configure(_ anomaly: inout AnomalyDefinition) {
                anomaly.emit = emit
                anomaly.groupInto = emit == .transitions && seed % 2 == 0 ? ["rack"] : []
                anomaly.keepFiringForMs = 120_000
            }
            let straight = try Self.bench(name, configure)
            let cut = try Self.bench(name, configure)
            for (number, rows) in story {
                straight.window(number, rows)
                cut.window(number, rows)
                if random.below(10) == 0 { try cut.restart() }
            }
            // As text: NaN is a value here, and not equal to itself.
            #expect(straight.rows.map { "\($0)" } == cut.rows.map { "\($0)" }, "seed \(seed)")
            #expect(straight.state == cut.state, "seed \(seed)")
            if emit == .all { #expect(!straight.rows.isEmpty) }
        }
    }

    @Test(arguments: names)
    func noValueBreaksIt(_ name: String) throws {
        let stories: [(String, (Int) -> Double?)] = [
            ("constant", { _ in 7 }), ("zero", { _ in 0 }), ("NaN", { _ in .nan }), ("null", { _ in nil }),
            ("one value", { $0 == 0 ? 3 : nil }), ("integers", { Double($0 % 3) }),
            ("huge", { $0 % 2 == 0 ? 1e300 : -1e300 }), ("infinite", { $0 % 5 == 0 ? .infinity : 1 }),
            ("largest", { $0 % 7 == 0 ? .greatestFiniteMagnitude : -.greatestFiniteMagnitude }),
            ("tiny", { $0 % 2 == 0 ? .leastNonzeroMagnitude : 0 }), ("counter", { Double($0) * 1000 }),
            ("late jump", { $0 < 90 ? 1 : 1e300 }),
        ]
        for (title, value) in stories {
            let bench = try Self.bench(name)
            for number in 0..<120 {
                bench.window(Int64(number), (0..<4).map { (["r", "n\($0)"], value(number)) })
            }
            for row in bench.rows {
                #expect(row.score >= 0 && row.score <= 1, "\(title)")
                #expect(!row.reason.isEmpty && !row.reason.contains("\n"), "\(title)")
                for bound in [row.expected, row.lower, row.upper] {
                    #expect(bound?.isFinite ?? true, "\(title): \(row)")
                }
            }
            let flags = bench.rows.count { $0.state == .flagged }
            if title == "constant" || title == "zero", name != "threshold" {
                // A series that never moves is what `flatline` looks for, and a new one what `new_series` does.
                let mayFlag = ["flatline", "new_series", "forecast"].contains(name)
                #expect(flags == 0 || mayFlag, "\(title): \(flags) flags")
            }
        }
    }

    @Test(arguments: names)
    func hostileStateIsRefused(_ name: String) throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed: seed)
        let bench = try Self.bench(name)
        for (number, rows) in Self.story(&random, windows: 60) { bench.window(number, rows) }
        let good = bench.state
        for _ in 0..<60 {
            var bytes = good
            if random.below(3) == 0 {
                bytes.removeLast(1 + random.below(bytes.count - 1))
            } else {
                for _ in 0...random.below(4) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            }
            let fresh = try #require(QueryAnomalies(plan: bench.plan, job: "job"))
            var reader = ByteReader(bytes)
            do throws(DecodingFailure) {
                try fresh.decodeState(of: .query, from: &reader, nowMs: 0)
            } catch {
                #expect(!error.description.isEmpty, "seed \(seed)")
            }
        }
    }

    @Test func changedSettingsKeepIncidentsAndLearnAnew() throws {
        let before = try DetectorBench([try DetectorBench.anomaly("threshold", [("above", "1")])])
        before.window(0, [(["a"], 2)])
        let after = try DetectorBench([try DetectorBench.anomaly("threshold", [("above", "1.5")])])
        var reader = ByteReader(before.state)
        try after.anomalies.decodeState(of: .query, from: &reader, nowMs: 0)
        after.window(1, [(["a"], 2)])
        after.window(2, [(["a"], 1.2)])
        #expect(after.told == ["2 resolved a"])
        #expect(after.rows[0].incidentID == before.rows[0].incidentID)
    }

    @Test func statesBelongToTheirOwner() throws {
        let id = PartitionID(source: "metrics", topic: "metrics", partition: 3)
        let bench = try DetectorBench(
            [try DetectorBench.anomaly("threshold", [("above", "1")])], owner: .partition(id))
        bench.window(0, [(["a"], 2)])
        #expect(bench.anomalies.hasChanged(.partition(id)))
        #expect(!bench.anomalies.hasChanged(.query))
        #expect(bench.anomalies.sharedState().isEmpty)
        let block = try #require(bench.anomalies.block(of: id, always: false))
        #expect(block.isWhole && block.rows == 1 && block.id == .detectors(query: "q", id))
        #expect(!bench.anomalies.hasChanged(.partition(id)))
        #expect(bench.anomalies.block(of: id, always: false) == nil)
        bench.anomalies.drop(.partition(id))
        #expect(!bench.anomalies.has(.partition(id)))
    }
}
