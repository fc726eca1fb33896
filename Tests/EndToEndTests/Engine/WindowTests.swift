import Connectors
import StreamEngine
import Testing

/// The contract's windows and watermarks on small inputs whose result can be worked out by hand.
struct WindowTests {
    @Test func tumblingWindowsCountAndSum() throws {
        let job = try EngineHarness.job(
            window: WindowDefinition(sizeMs: 10_000), aggregates: [("n", "count()"), ("s", "sum(value)")])
        let run = try EngineHarness.replay(
            job,
            [
                """
                m{instance="b"} 1 1000
                m{instance="a"} 2 2000
                m{instance="a"} 3 12000
                bad line
                m{instance="a"} 4 3000

                """
            ])
        #expect(
            run.rows[0] == [
                #"{"query":"q","window_start":"1970-01-01T00:00:00.000Z","window_end":"1970-01-01T00:00:10.000Z","instance":"a","n":1,"s":2.0}"#,
                #"{"query":"q","window_start":"1970-01-01T00:00:00.000Z","window_end":"1970-01-01T00:00:10.000Z","instance":"b","n":1,"s":1.0}"#,
                #"{"query":"q","window_start":"1970-01-01T00:00:10.000Z","window_end":"1970-01-01T00:00:20.000Z","instance":"a","n":1,"s":3.0}"#,
            ])
        #expect(run.summary.late == 1)
        #expect(run.summary.badRecords == 1)
        #expect(run.summary.balances)
        #expect(run.deadLetters.count == 1)
        #expect(run.summary.closedByEnd == 1)
    }

    @Test func keepOpenLeavesWindowsThatOnlyTheEndWouldClose() throws {
        let job = try EngineHarness.job(
            window: WindowDefinition(sizeMs: 10_000), aggregates: [("n", "count()")])
        let run = try EngineHarness.replay(
            job, ["m{instance=\"a\"} 1 1000\nm{instance=\"a\"} 1 11000\n"], keepOpen: true)
        #expect(run.rows[0].count == 1)
        #expect(run.summary.closedByEnd == 0)
    }

    @Test func slidingWindowOfNothingButItsOwnPanes() throws {
        let job = try EngineHarness.job(
            window: WindowDefinition(sizeMs: 30_000, slideMs: 10_000), groupBy: [],
            aggregates: [("n", "count()"), ("f", "first(value)"), ("l", "last(value)")])
        let run = try EngineHarness.replay(job, ["m 1 5000\nm 2 15000\nm 3 25000\n"])
        let counts = run.rows[0].compactMap { $0.split(separator: ",").dropFirst(3).joined(separator: ",") }
        #expect(
            counts == [
                #""n":1,"f":1.0,"l":1.0}"#, #""n":2,"f":1.0,"l":2.0}"#, #""n":3,"f":1.0,"l":3.0}"#,
                #""n":2,"f":2.0,"l":3.0}"#, #""n":1,"f":3.0,"l":3.0}"#,
            ])
    }

    @Test func rateOverScatteredPartitionsIsThatOfOnePartition() throws {
        let job = try EngineHarness.job(
            delayMs: 60_000, window: WindowDefinition(sizeMs: 60_000), aggregates: [("r", "sum(rate(value))")])
        var lines: [String] = []
        for i in 0..<40 { lines.append("c_total{instance=\"a\"} \(i * 15 % 400) \(i * 5000 + 1)") }
        let whole = try EngineHarness.replay(job, [lines.joined(separator: "\n") + "\n"])
        let split = try EngineHarness.replay(
            job,
            (0..<3).map { p in
                lines.enumerated().filter { $0.offset % 3 == p }.map { $0.element + "\n" }.joined()
            })
        #expect(!whole.rows[0].isEmpty)
        #expect(whole.rows == split.rows)
    }

    /// Windows of many keys are handed to sinks in parts: all rows, once, in the order of keys.
    @Test(arguments: [1, 2])
    func largeWindowsComeOutWhole(workers: Int) throws {
        let job = try EngineHarness.job(window: WindowDefinition(sizeMs: 10_000), aggregates: [("n", "count()")])
        let keys = 40_000
        func lines(_ keys: some Sequence<Int>, at timestampMs: Int) -> String {
            keys.map { "m{instance=\"i\($0)\"} 1 \(timestampMs)\n" }.joined()
        }
        let even = Array(stride(from: 0, to: keys, by: 2))
        let odd = Array(stride(from: 1, to: keys, by: 2))
        // Keys of both partitions, and one of each in both.
        let run = try EngineHarness.replay(
            job,
            [
                lines(even.reversed(), at: 1000) + lines([1], at: 2000) + lines(even, at: 11_000),
                lines(odd, at: 1000) + lines([0], at: 2000) + lines(odd, at: 11_000),
            ], workers: workers)
        let names = (0..<keys).map { "i\($0)" }.sorted()
        let first = names.map { #""instance":"\#($0)","n":\#($0 == "i0" || $0 == "i1" ? 2 : 1)}"# }
        let second = names.map { #""instance":"\#($0)","n":1}"# }
        #expect(run.rows[0].count == 2 * keys)
        #expect(zip(run.rows[0], first + second).allSatisfy { $0.hasSuffix($1) })
        #expect(run.summary.balances)
    }
}
