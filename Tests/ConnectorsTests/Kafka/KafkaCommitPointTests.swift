import EmbeddedBroker
import Platform
import StreamEngine
import Testing

@testable import Connectors

/// Each outcome is checked by what a reader of committed transactions sees, and by the committed offsets with metadata.
@Suite struct KafkaCommitPointTests {
    @Test func decidesOutputAndOffsetsTogether() async throws {
        try await withCommitBroker { _, connection in
            let bench = try CommitPointBench(connection)
            #expect(bench.sink.isTransactional)
            #expect(try bench.epoch(1, ["a", "b"]).name == "committed")
            #expect(try bench.committed() == CommitPointBench.offsets(1).values.first)
            #expect(try bench.visible() == ["a", "b"])
            // No output at all.
            #expect(try bench.epoch(2, []).name == "committed")
            #expect(try bench.committed()?.metadata == "v1 a.2 a.2")
            // Given up: neither.
            try bench.point.begin()
            try bench.send(["never"])
            bench.point.abort()
            bench.point.abort()
            #expect(try bench.epoch(3, ["c"]).name == "committed")
            #expect(try bench.committed()?.offset == 3)
            #expect(try bench.visible() == ["a", "b", "c"])
            bench.close()
        }
    }
}
