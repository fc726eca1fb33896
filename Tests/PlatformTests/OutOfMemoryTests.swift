import Testing

@testable import Platform

@Suite struct OutOfMemoryTests {
    @Test func theLastLineSaysWhatWasRefusedAndWhatToDo() async throws {
        let ended = try await #require(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            OutOfMemory.end("a table of series or groups", bytes: 18_446_744_073)
        }
        #expect(
            String(decoding: ended.standardErrorContent, as: UTF8.self)
                == "error: the system refused memory (a table of series or groups, 18446744073 bytes); raise the limit "
                + "(`ulimit -v`, a container's memory), or hold less: fewer series and groups, shorter windows; "
                + "limits.maxStateBytes stops a job before it comes to this\n")
    }

    @Test func aFullTableSaysSo() async throws {
        let ended = try await #require(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            OutOfMemory.end("full; use another")
        }
        #expect(String(decoding: ended.standardErrorContent, as: UTF8.self) == "error: full; use another\n")
    }
}
