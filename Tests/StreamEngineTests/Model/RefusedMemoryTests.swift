import Glibc
import Testing

@testable import StreamEngine

/// The system gives no more memory: the program ends with a reason, not on a signal.
@Suite struct RefusedMemoryTests {
    /// What a process may have, and less than either test asks for. Addresses are not memory: what is asked for is not used.
    private static func limit() {
        var limit = rlimit(rlim_cur: 8 << 30, rlim_max: 8 << 30)
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
    }

    @Test func aRunThatCannotGrow() async throws {
        let ended = try await #require(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            RefusedMemoryTests.limit()
            var run = GrowingRun<UInt64>()
            _ = run.extend(by: 1 << 31)
        }
        let words = String(decoding: ended.standardErrorContent, as: UTF8.self)
        #expect(
            words.contains("error: the system refused memory (series, groups and their keys, 17179869184 bytes); raise")
        )
    }
}
