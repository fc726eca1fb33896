import TestSupport
import Testing

@testable import Operators
@testable import StreamEngine

/// Series and the windows that each detector flags in them.
@Suite struct DetectorTables {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let detector: String
        let options: [(String, String)]
        let series: [Double?]
        let flags: [Int]
        var reason: String? = nil
        var testDescription: String { "\(detector): \(name)" }
    }

    private static let noise = NastySeries.noise(400, seed: 21)
    private static func hold(_ value: Double?, _ count: Int) -> [Double?] { .init(repeating: value, count: count) }

    static let cases: [Case] = [
        Case(
            name: "three windows away, then back", detector: "absent", options: [],
            series: [1, 1, nil, nil, nil, nil, 1, nil], flags: [4, 5],
            reason: "no busy for 3 windows, the last one at 2026-01-05 00:02:00"),
        Case(
            name: "after one", detector: "absent", options: [("after", "1")], series: [1, nil, 1, nil], flags: [1, 3]),
        Case(name: "never there", detector: "absent", options: [], series: hold(nil, 20), flags: []),
        Case(
            name: "falls by 1 a minute, 240 minutes ahead", detector: "forecast",
            options: [("reach", "0"), ("within", "4h")], series: (0..<100).map { 300 - Double($0) },
            flags: Array(60..<100), reason: "busy 240 will reach 0 in 4 h if it goes on changing by -60 an hour"),
        Case(
            name: "rises away", detector: "forecast", options: [("reach", "0"), ("within", "4h")],
            series: (0..<100).map { 10 + Double($0) }, flags: []),
        Case(
            name: "fills up", detector: "forecast", options: [("reach", "100"), ("within", "10m")],
            series: (0..<100).map { Double($0) }, flags: Array(90..<100)),
        Case(
            name: "noise around a level", detector: "forecast", options: [("reach", "0"), ("within", "4h")],
            series: noise.map { 50 + $0 }, flags: []),
        Case(
            name: "a clean-up begins anew", detector: "forecast", options: [("reach", "0"), ("within", "30m")],
            series: (0..<80).map { 100 - Double($0) } + (0..<60).map { 100 - Double($0) },
            flags: Array(70..<80)),
        Case(
            name: "rise and fall", detector: "rate_of_change",
            options: [("above", "5"), ("below", "-5"), ("warmup", "0")],
            series: [1, 2, 8, 8, 2, nil, -9], flags: [2, 4, 6],
            reason: "busy went from 2 to 8, above 7, which 5 a minute would have come to"),
        Case(
            name: "in parts of itself", detector: "rate_of_change",
            options: [("above", "0.5"), ("relative", "true"), ("warmup", "0")], series: [10, 14, 22, 22, 0, 5],
            flags: [2]),
        Case(
            name: "a spike", detector: "ewma", options: [], series: noise[..<100] + [9] + noise[100..<150], flags: [100]
        ),
        Case(
            name: "a shift is adopted within a half-life", detector: "ewma", options: [("halfLife", "20m")],
            series: noise[..<100].map { $0 } + noise[100..<200].map { $0 + 20 }, flags: Array(100...107)),
        Case(
            name: "a spike", detector: "robust", options: [], series: noise[..<100] + [9] + noise[100..<150],
            flags: [100]),
        Case(
            name: "the same minute a day later", detector: "seasonal", options: [("sigmas", "6")],
            series: (0..<3000).map { index in
                let hour = index % 1440 / 60
                let base = (8..<18).contains(hour) ? 100.0 : 10
                return base + noise[index % 400] + (index == 2900 ? 90 : 0)
            }, flags: [2900]),
        Case(
            name: "a small shift", detector: "cusum", options: [],
            series: noise[..<150].map { $0 } + noise[150..<165].map { $0 + 3 }, flags: Array(153..<165)),
        Case(name: "noise", detector: "cusum", options: [("limit", "14")], series: noise.map { $0 }, flags: []),
        Case(
            name: "one flag a change", detector: "page_hinkley", options: [],
            series: noise[..<150].map { $0 } + noise[150..<250].map { $0 + 10 }, flags: [152]),
        Case(
            name: "a spike", detector: "spot", options: [], series: noise[..<300] + [12] + noise[300..<400],
            flags: [300]),
        Case(
            name: "a spike on a ramp", detector: "dspot", options: [],
            series: noise[..<300].enumerated().map { Double($0.offset) * 2 + $0.element } + [650], flags: [300]),
        Case(
            name: "stands still", detector: "flatline", options: [("after", "4")],
            series: [1, 2, 3, 3, 3, 3, nil, 3, 4], flags: [5, 6, 7],
            reason: "busy has been 3 for 4 windows"),
        Case(name: "has always stood still", detector: "flatline", options: [], series: hold(7, 40), flags: []),
    ]

    @Test(arguments: cases) func flags(_ example: Case) throws {
        let factory = try #require(Detectors.all.first { $0.name == example.detector })
        var run = DetectorRun(factory, example.options)
        var flagged: [Int] = []
        var reason: String?
        for (window, value) in example.series.enumerated() {
            let found = run.feed([value])[0]
            guard found.verdict.isFlagged else { continue }
            flagged.append(window)
            if reason == nil { reason = found.reason }
        }
        // Warm-up is the runner's to keep where a detector has no use for it itself.
        #expect(flagged == example.flags)
        if let expected = example.reason { #expect(reason == expected) }
    }

    @Test func `peers: one of ten differs, all together do not`() {
        var run = DetectorRun(PeersDetector(), [("by", "[job]"), ("warmup", "0")], keys: 10) { key in
            [Label("instance", ByteString("n\(key)")), Label("job", "etl")]
        }
        var random = SeededRandom(seed: 2)
        for window in 0..<100 {
            // All double at window 50; key 3 alone is six times as high from 80 on.
            let level = window < 50 ? 4.0 : 8
            let values = (0..<10).map { (key: Int) -> Double? in
                let own: Double = level * (1 + 0.05 * Double(key))
                let skew: Double = key == 3 && window >= 80 ? 6 : 1
                return own * skew * Double.random(in: 0.95..<1.05, using: &random)
            }
            let found = run.feed(values)
            for key in 0..<10 {
                #expect(found[key].verdict.isFlagged == (key == 3 && window >= 80), "key \(key), window \(window)")
            }
        }
    }

    @Test func `peers: groups apart, small groups not judged`() {
        var run = DetectorRun(PeersDetector(), [("by", "[job]"), ("warmup", "0")], keys: 7) { key in
            [Label("instance", ByteString("n\(key)")), Label("job", key < 4 ? "a" : "b")]
        }
        for _ in 0..<20 {
            let found = run.feed([1, 1.1, 0.9, 1, 100, 200, 900])
            #expect(found.allSatisfy { !$0.verdict.isFlagged })
        }
        #expect(run.feed([1, 1.1, 0.9, 50, 100, 200, 900]).map(\.verdict.isFlagged).firstIndex(of: true) == 3)
    }

    @Test func `new_series: only what comes after the start`() {
        var run = DetectorRun(NewSeriesDetector(), keys: 2)
        for window in 0..<50 {
            let found = run.feed([1, window >= 40 ? 1 : nil])
            #expect(!found[0].verdict.isFlagged)
            #expect(found[1].verdict.isFlagged == (window == 40))
        }
    }

    @Test func `seasonal says for what time`() throws {
        var run = DetectorRun(SeasonalDetector(), [("period", "1w"), ("warmup", "0")], slideMs: 3_600_000)
        let noise = NastySeries.noise(800, seed: 4, deviation: 0.02)
        var reason = ""
        for hour in 0..<(3 * 168 + 10) {
            let value = 0.4 + noise[hour] + (hour == 3 * 168 + 9 ? 0.5 : 0)
            reason = run.feed([value])[0].reason
        }
        #expect(reason.hasSuffix("the highest expected for Mondays 09:00"), "\(reason)")
    }
}
