import Connectors
import Platform
import StreamEngine
import Testing

/// What fails on the way ends a replay with its reason, and nothing else.
struct FailureTests {
    private static let lines = (0..<300).map { "m{instance=\"a\"} 1 \($0 * 10)\n" }.joined()

    private static var job: JobDefinition {
        get throws {
            var job = try EngineHarness.job(window: WindowDefinition(sizeMs: 100), aggregates: [("n", "count()")])
            job.trigger = .interval(ms: 0)
            return job
        }
    }

    private static func reader(_ number: Int32) -> any PartitionReader {
        MemoryReader(id: EngineHarness.partition(number, of: "metrics"), text: lines, cuts: [20])
    }

    @Test(arguments: ["write", "prepare", "publish", "close"])
    func aSinkThatFailsEndsTheRun(_ call: String) throws {
        let sink = CapturingSink(query: "q")
        sink.failsAt = call
        let error = #expect(throws: SinkError.self) {
            try EngineHarness.replay(
                try Self.job, readers: [[Self.reader(0), Self.reader(1)]], sinks: [sink], workers: 3)
        }
        #expect(error?.description == "the disk is full (at \(call))")
    }

    @Test func aDamagedPartitionEndsTheRunAndIsNamed() throws {
        let sink = CapturingSink(query: "q")
        let damaged = DamagedReader(id: EngineHarness.partition(1, of: "metrics"), after: Self.reader(1), pieces: 4)
        let others = [Self.reader(0), damaged, Self.reader(2)] as [any PartitionReader]
        let error = #expect(throws: JobFailure.self) {
            try EngineHarness.replay(try Self.job, readers: [others], sinks: [sink], workers: 3)
        }
        #expect(error?.description.contains("metrics/1") ?? false)
        #expect(error?.description.contains("damaged at byte 42") ?? false)
        #expect(damaged.isClosed)
    }

    @Test func aStopLeavesAPrefixOfTheRows() throws {
        let whole = try EngineHarness.replay(try Self.job, [Self.lines, Self.lines], cuts: [[20], [20]])
        let sink = CapturingSink(query: "q")
        let run = try EngineHarness.replay(
            try Self.job, readers: [[Self.reader(0), Self.reader(1)]], sinks: [sink], stopAfter: 5)
        #expect(run.summary.interrupted && run.summary.balances)
        #expect(!run.rows[0].isEmpty && run.rows[0].count < whole.rows[0].count)
        #expect(run.rows[0] == Array(whole.rows[0].prefix(run.rows[0].count)))
    }
}

/// Gives some pieces of another reader, then fails as a damaged file does.
private final class DamagedReader: PartitionReader {
    let id: PartitionID
    private let inner: any PartitionReader
    private var left: Int
    private(set) var isClosed = false

    init(id: PartitionID, after inner: any PartitionReader, pieces: Int) {
        self.id = id
        self.inner = inner
        left = pieces
    }

    func read(maxBytes: Int, _ body: (RawRecord) throws -> Void) throws -> ReadOutcome {
        left -= 1
        if left < 0 { throw JobFailure("file.zst: damaged at byte 42") }
        return try inner.read(maxBytes: maxBytes, body)
    }

    var progress: (consumed: Int64, total: Int64)? { nil }
    func hibernate() {}
    func close() { isClosed = true }
}
