import Operators
import StreamEngine

/// Each per-series function over windows of 20 samples (5 minutes scraped every 15 s): 500 series, a counter that resets
/// now and then. One core; nanoseconds a sample.
func runSeriesFunctionsBenchmark() {
    let length = 20
    let series = 500
    var timestamps: [Int64] = []
    var values: [Double] = []
    var state: UInt64 = 1
    for _ in 0..<series {
        var value = 100.0
        for i in 0..<length {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            value = state >> 58 == 0 ? 0 : value + Double(state >> 54)
            timestamps.append(Int64(i) * 15_000 + Int64(state >> 55))
            values.append(value)
        }
    }
    print("series functions: ns a sample (best of 7 passes)")
    for type in SeriesFunctions.all {
        let function = type.init(parameter: type.parameter == nil ? nil : 0.9)
        var best = Duration.seconds(3600)
        var total = 0.0
        for _ in 0..<7 {
            total = 0
            let time = ContinuousClock().measure {
                timestamps.withUnsafeBufferPointer { timestamps in
                    values.withUnsafeBufferPointer { values in
                        for start in stride(from: 0, to: series * length, by: length) {
                            total +=
                                function.evaluate(
                                    UnsafeBufferPointer(rebasing: timestamps[start..<(start + length)]),
                                    UnsafeBufferPointer(rebasing: values[start..<(start + length)]),
                                    windowStartMs: -1000, windowEndMs: 300_000) ?? 0
                        }
                    }
                }
            }
            best = min(best, time)
        }
        let nanoseconds = Double(best.components.seconds) * 1e9 + Double(best.components.attoseconds) / 1e9
        let perSample = nanoseconds / Double(series * length)
        print("  \(type.name): \((perSample * 100).rounded() / 100)", total.isNaN ? "(NaN)" : "")
    }
}
