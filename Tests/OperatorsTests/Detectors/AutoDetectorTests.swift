import Glibc
import Testing

@testable import Operators
@testable import StreamEngine

/// What `auto` promises, over several seeds.
@Suite struct AutoDetectorTests {
    private static let seeds: [UInt64] = [1, 2, 3, 4, 5, 6]

    private func noise(_ count: Int, _ seed: UInt64) -> [Double] { NastySeries.noise(count, seed: seed, level: 50) }

    private func flags(_ series: [Double?], _ options: [(String, String)] = []) -> [Int] {
        var run = DetectorRun(AutoDetector(), options)
        return run.flags(series)
    }

    @Test func `noise raises no flag`() {
        var flagged = 0
        for seed in Self.seeds { flagged += flags(noise(1500, seed)).count }
        #expect(flagged == 0)
    }

    @Test(arguments: seeds) func `a spike is flagged at once, and nothing after it`(_ seed: UInt64) {
        var series = noise(400, seed)
        series[300] += 12
        #expect(flags(series) == [300])
        series[300] -= 24
        #expect(flags(series) == [300])
    }

    @Test(arguments: seeds) func `no flag before the warm-up is over`(_ seed: UInt64) {
        var series = noise(60, seed)
        series[20] += 100
        #expect(flags(series).isEmpty)
        #expect(flags(series, [("warmup", "15")]).first == 20)
    }

    @Test(arguments: seeds) func `a shift is flagged at once and adopted after half an hour`(_ seed: UInt64) {
        let series = noise(600, seed).enumerated().map { $0.offset < 200 ? $0.element : $0.element + 15 }
        let found = flags(series)
        #expect(found.first == 200)
        #expect(found.count > 20)
        #expect((found.last ?? 0) < 240, "\(found.suffix(5))")
    }

    @Test(arguments: seeds) func `an excursion is flagged to its end and does not move what is usual`(_ seed: UInt64) {
        let series = noise(600, seed).enumerated().map { index, value in
            (200..<230).contains(index) ? value + 12 : value
        }
        #expect(flags(series) == Array(200..<230))
    }

    @Test(arguments: seeds) func `the way back from an adopted level is no news`(_ seed: UInt64) {
        let series = noise(700, seed).enumerated().map { index, value in
            (300..<400).contains(index) ? value + 15 : value
        }
        let found = flags(series)
        #expect(found.first == 300)
        #expect(found.allSatisfy { $0 < 340 }, "\(found)")
    }

    @Test(arguments: seeds) func `a value that stands still is flagged`(_ seed: UInt64) {
        var series = noise(600, seed)
        for index in 400..<440 { series[index] = series[399] }
        let found = flags(series)
        #expect((401..<406).contains(found.first ?? 0), "\(found.prefix(3))")
        #expect(found.allSatisfy { $0 < 445 }, "\(found)")
    }

    @Test(arguments: seeds) func `a series that calms down is flagged`(_ seed: UInt64) {
        let series = noise(900, seed).enumerated().map { index, value in
            (600..<700).contains(index) ? 50 + (value - 50) * 0.02 : value
        }
        let found = flags(series)
        #expect((600..<690).contains(found.first ?? 0), "\(found.prefix(3))")
    }

    @Test(arguments: seeds) func `a job every 25 windows is usual, and missed`(_ seed: UInt64) {
        let series = noise(1000, seed).enumerated().map { index, value in
            index % 25 < 3 && !(900..<910).contains(index) ? value + 120 : value
        }
        let found = flags(series).filter { $0 > 500 }
        #expect(found.first == 900, "\(found)")
    }

    @Test(arguments: seeds) func `steady growth over days is usual`(_ seed: UInt64) {
        let series = noise(2500, seed).enumerated().map { $0.element + Double($0.offset) * 0.2 }
        var run = DetectorRun(AutoDetector(), slideMs: 300_000)
        #expect(run.flags(series).isEmpty)
    }

    @Test(arguments: seeds) func `values that come more seldom than windows are judged all the same`(_ seed: UInt64) {
        var values = noise(300, seed)
        values[250] += 12
        let series = values.flatMap { [$0] + [Double?](repeating: nil, count: 11) }
        #expect(flags(series) == [3000])
    }

    @Test(arguments: seeds) func `missing windows upset nothing`(_ seed: UInt64) {
        let values = noise(600, seed)
        let short = values.enumerated().map { (200..<230).contains($0.offset) ? nil : $0.element }
        #expect(flags(short).isEmpty)
        // After a long gap another level is taken as it is.
        let long = values.enumerated().map { index, value in
            (200..<300).contains(index) ? nil : index < 300 ? value : value + 20
        }
        #expect(flags(long).isEmpty)
    }

    @Test(arguments: seeds) func `a leak is found before it is large`(_ seed: UInt64) {
        let series = noise(400, seed).enumerated().map { $0.element + max(0, Double($0.offset - 300)) * 0.4 }
        let found = flags(series)
        #expect((300..<325).contains(found.first ?? 0), "\(found.prefix(3))")
    }

    @Test(arguments: seeds) func `a counter taken as it is does not flood`(_ seed: UInt64) {
        let series = noise(1200, seed).enumerated().map { Double($0.offset % 500) * 100 + $0.element }
        #expect(flags(series).count < 60)
    }

    @Test func `the profile of the day tells what is wrong for the hour`() {
        let day = 288
        let noise = NastySeries.noise(6 * day, seed: 9, deviation: 2)
        var run = DetectorRun(AutoDetector(), slideMs: 300_000)
        var reasons: [(window: Int, reason: String)] = []
        for index in 0..<6 * day {
            let curve = 100 - 60 * cos(2 * Double.pi * Double(index % day) / Double(day))
            // At night of the sixth day as busy as at noon.
            let value = (5 * day..<5 * day + 6).contains(index) ? 150 : curve
            let found = run.feed([value + noise[index]])[0]
            if found.verdict.isFlagged { reasons.append((index, found.reason)) }
        }
        #expect(reasons.first?.window == 5 * day)
        #expect(reasons.first?.reason.contains("the highest expected for 00:00") == true, "\(reasons)")
        #expect(reasons.allSatisfy { (5 * day..<5 * day + 12).contains($0.window) }, "\(reasons.map(\.window))")
    }

    @Test func `what is not flagged lies within its bounds`() {
        var run = DetectorRun(AutoDetector())
        for (index, value) in noise(300, 8).enumerated() {
            let verdict = run.feed([value])[0].verdict
            if index > 40 { #expect(verdict.lower <= value && value <= verdict.upper) }
        }
    }
}
