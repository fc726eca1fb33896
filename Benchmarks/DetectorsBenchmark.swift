import Operators
import StreamEngine

/// Each detector over 1,000 keys in groups of 10, 600 windows of noise around a daily curve, a spike now and then. One core;
/// rows a second. Wanted: 1,000,000 for each, 200,000 for `auto`.
func runDetectorsBenchmark() {
    let keys = 1000
    let windows = 600
    var state: UInt64 = 1
    let values = (0..<keys * windows).map { index -> Double in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let noise = Double(state >> 40) * 0x1p-24
        return 5 + Double(index / keys % 1440) / 720 + noise + (state >> 54 == 0 ? 20 : 0)
    }
    let required: [String: [(String, String)]] = [
        "threshold": [("above", "20")], "forecast": [("reach", "100"), ("within", "4h")],
        "rate_of_change": [("above", "15")],
    ]
    print("detectors: rows a second (best of 3 passes), flags")
    for factory in Detectors.all {
        let written = (required[factory.name] ?? []).map { key, text in
            OptionEntry(key, OptionNode(.scalar(OptionScalar(text))))
        }
        var check = OptionCheck()
        let options = factory.schema.check(OptionNode(.map(written)), path: "detector", into: &check)
        var best = Duration.seconds(3600)
        var flags = 0
        for _ in 0..<3 {
            let detector = factory.make(
                options, DetectorSetting(column: "value", windowMs: 60_000, slideMs: 60_000))
            detector.addKeys((0..<keys).map { DetectorKey(labels: [Label("key", ByteString("\($0)"))]) })
            let ticks = (0..<windows).map { window in
                DetectorTicks(
                    windowStartMs: Int64(window) * 60_000, windowEndMs: Int64(window + 1) * 60_000,
                    keys: (0..<UInt32(keys)).map { $0 }, values: Array(values[window * keys..<(window + 1) * keys]),
                    present: [Bool](repeating: true, count: keys))
            }
            var verdicts = [DetectorVerdict](repeating: DetectorVerdict(), count: keys)
            flags = 0
            let time = ContinuousClock().measure {
                for window in ticks {
                    for row in 0..<keys { verdicts[row] = DetectorVerdict() }
                    detector.judge(window, into: &verdicts)
                    for row in 0..<keys where verdicts[row].isFlagged { flags += 1 }
                }
            }
            best = min(best, time)
        }
        let seconds = Double(best.components.seconds) + Double(best.components.attoseconds) / 1e18
        print("  \(factory.name): \(Int(Double(keys * windows) / seconds))", flags)
    }
}
