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
}
