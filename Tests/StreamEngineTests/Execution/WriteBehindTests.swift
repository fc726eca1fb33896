import Platform
import Testing

@testable import StreamEngine

/// A sink that keeps what it is told; used by one thread at a time, as `WriteBehindSink` promises.
private final class NotingSink: Sink {
    var notes: [String] = []
    var failsAt: Int?

    let description = "noting"
    let written: (files: Int, bytes: Int64)? = nil

    func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        notes.append("rows \(rows.rowCount)")
        if rows.rowCount == failsAt { throw SinkError("the disk is full") }
    }

    func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {
        notes.append("documents \(documents.documents.count)")
    }

    func prepare(_ epoch: EpochToken) { notes.append("prepare \(epoch.number)") }
    func publish(_ epoch: EpochToken) { notes.append("publish \(epoch.number)") }
    func discard(_ epoch: EpochToken) { notes.append("discard \(epoch.number)") }
    func abandon(_ epoch: EpochToken) { notes.append("abandon \(epoch.number)") }
    func close() { notes.append("close") }
}

/// Its encoder writes how many rows a batch has; whether `write` was given rows or their bytes shows.
private final class NotingEncodedSink: EncodedRowSink {
    final class Encoder: RowEncoder {
        /// Opened by the first batch that is encoded for the sink: its thread stands still until then.
        let gate: Monitor<Bool>

        init(_ gate: Monitor<Bool>) { self.gate = gate }

        func encode(_ rows: RowBatch, into out: inout EncodedRows) {
            out.bytes.append(contentsOf: "\(rows.rowCount)".utf8)
            out.endRow()
            gate.withLock { $0 = true }
        }

        func another() -> any RowEncoder { self }
    }

    private let gate = Monitor(false)
    var notes: [String] = []
    var failsAt: String?

    let description = "noting"
    let written: (files: Int, bytes: Int64)? = nil

    func makeEncoder() -> (any RowEncoder)? { Encoder(gate) }

    func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        _ = gate.wait { $0 ? true : nil }
        try note("\(rows.rowCount) rows")
    }

    func write(_ rows: EncodedRows, _ info: EmissionInfo) throws(SinkError) {
        try note("bytes of \(String(decoding: rows.bytes, as: UTF8.self))")
    }

    private func note(_ text: String) throws(SinkError) {
        notes.append(text)
        if text == failsAt { throw SinkError("the disk is full") }
    }

    func write(_ documents: DocumentBatch, _ info: EmissionInfo) {}
    func prepare(_ epoch: EpochToken) {}
    func publish(_ epoch: EpochToken) {}
    func discard(_ epoch: EpochToken) {}
    func abandon(_ epoch: EpochToken) {}
    func close() {}
}

@Suite struct WriteBehindTests {
    private static let token = EpochToken(incarnation: "0", number: 7)
    private static let info = EmissionInfo(job: "j", query: "q", epoch: token, watermarkMs: nil)

    private static func rows(_ count: Int) -> RowBatch {
        RowBatch(schema: RowSchema(columns: []), rowCount: count, columns: [])
    }

    @Test func everyCallComesInItsOrder() throws {
        let sink = NotingSink()
        let behind = WriteBehindSink(sink, behind: try WriteBehind())
        var expected: [String] = []
        for epoch in 0..<20 {
            for count in 1...50 {
                // Many times what may wait.
                try behind.write(Self.rows(count * 10_000), Self.info)
                expected.append("rows \(count * 10_000)")
            }
            try behind.write(DocumentBatch(documents: [[], []]), Self.info)
            let token = EpochToken(incarnation: "0", number: epoch)
            try behind.prepare(token)
            try behind.publish(token)
            expected += ["documents 2", "prepare \(epoch)", "publish \(epoch)"]
        }
        behind.discard(Self.token)
        try behind.close()
        #expect(sink.notes == expected + ["discard 7", "close"])
    }

    @Test func afterAFailureNothingIsWrittenAndEveryoneIsTold() throws {
        let sink = NotingSink()
        sink.failsAt = 2
        let behind = WriteBehindSink(sink, behind: try WriteBehind())
        try behind.write(Self.rows(1), Self.info)
        try behind.write(Self.rows(2), Self.info)
        #expect(throws: SinkError.self) {
            // It may take a moment until it is known.
            for _ in 0..<1_000_000 { try behind.write(Self.rows(3), Self.info) }
        }
        #expect(throws: SinkError.self) { try behind.prepare(Self.token) }
        #expect(throws: SinkError.self) { try behind.close() }
        behind.discard(Self.token)
        #expect(sink.notes == ["rows 1", "rows 2", "discard 7"])
    }

    @Test func whoWaitsForRoomEncodes() throws {
        let sink = NotingEncodedSink()
        let behind = WriteBehindSink(sink, behind: try WriteBehind())
        // The first two fill the queue; their thread goes on when the third is encoded.
        for count in [5000, 3000, 2000] { try behind.write(Self.rows(count), Self.info) }
        try behind.close()
        #expect(sink.notes == ["5000 rows", "3000 rows", "bytes of 2000"])
    }

    @Test func afterAFailureBytesAreNotWrittenEither() throws {
        let sink = NotingEncodedSink()
        sink.failsAt = "5000 rows"
        let behind = WriteBehindSink(sink, behind: try WriteBehind())
        for count in [5000, 3000] { try behind.write(Self.rows(count), Self.info) }
        #expect(throws: SinkError.self) {
            try behind.write(Self.rows(2000), Self.info)
            try behind.close()
        }
        behind.discard(Self.token)
        #expect(sink.notes == ["5000 rows"])
    }
}
