import Testing

@testable import StreamEngine

struct LatencyHistogramTests {
    @Test func nothingHasNoQuantiles() {
        #expect(LatencyHistogram().quantileMs(0.5) == nil)
        #expect(LatencyFigures(LatencyHistogram()) == nil)
    }

    @Test func shortOnesAreExact() {
        var histogram = LatencyHistogram()
        for ms in 0..<64 { histogram.record(ms: Int64(ms)) }
        #expect(histogram.quantileMs(0) == 0)
        #expect(histogram.quantileMs(0.5) == 31)
        #expect(histogram.quantileMs(1) == 63)
    }

    @Test func quantilesAreNeverTooSmallAndAtMostAThirtiethTooLarge() {
        let seed = UInt64.random(in: 0 ... .max)
        var state = seed | 1
        for _ in 0..<50 {
            var histogram = LatencyHistogram()
            var all: [Int64] = []
            for _ in 0..<300 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let ms = Int64(state >> 33) >> Int64(state & 31)
                histogram.record(ms: ms)
                all.append(ms)
            }
            all.sort()
            for q in [0.01, 0.5, 0.9, 0.99, 1] {
                let exact = all[max(0, Int((q * 300).rounded(.up)) - 1)]
                let found = histogram.quantileMs(q) ?? -1
                #expect(found >= exact && Double(found) <= Double(exact) * (1 + 1.0 / 30), "seed \(seed), q \(q)")
            }
            #expect(histogram.maxMs == all.last)
        }
    }

    @Test func extremesFindABucket() {
        var histogram = LatencyHistogram()
        histogram.record(ms: -5)
        histogram.record(ms: .max, times: 3)
        histogram.record(ms: 7, times: 0)
        #expect(histogram.count == 4)
        #expect(histogram.quantileMs(0.2) == 0)
        #expect(histogram.quantileMs(0.9) == 2_147_483_647)
    }

    @Test func rowsCountOnceTheyCanBeRead() {
        var latency = RowLatency()
        latency.wrote(rows: 3, recordMs: 1000)
        latency.wrote(rows: 1, recordMs: 1000)
        latency.discarded()
        latency.published(nowMs: 1010)
        #expect(latency.histogram.count == 0 && latency.lastMs == nil)
        latency.wrote(rows: 2, recordMs: 1000)
        latency.wrote(rows: 1, recordMs: 1030)
        latency.published(nowMs: 1050)
        #expect(latency.histogram.count == 3 && latency.lastMs == 50)
        #expect(latency.histogram.quantileMs(0.3) == 20)
    }
}
