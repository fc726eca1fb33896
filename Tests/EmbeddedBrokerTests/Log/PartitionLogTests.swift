import Glibc
import Testing

@testable import EmbeddedBroker

@Suite struct PartitionLogTests {
    private func logFile(_ folder: TemporaryFolder, _ suffix: String = ".log") throws -> String {
        let storage = LogStorage.directory(folder.path + "/topics/t-0")
        let names = try storage.names().filter { $0.hasSuffix(suffix) }
        return folder.path + "/topics/t-0/" + (names.last ?? "none")
    }

    /// Cut at every byte of the last batch, the log comes back with the batches before it, and goes on.
    @Test func tornTailAtEveryByte() throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t")
        kit.produce(TestBatch("a", "b"))
        kit.produce(.of(["c"], producer: (9, 0), sequence: 0))
        let path = try logFile(folder)
        let whole = try #require(try stat(path))
        kit.produce(.of(["d", "e"], producer: (9, 0), sequence: 1))
        let all = try #require(try stat(path))
        let bytes = LogFile(descriptor: open(path, O_RDONLY), path: path).read(at: 0, count: all)
        for length in whole..<all {
            let file = LogFile(descriptor: open(path, O_RDWR | O_TRUNC), path: path)
            bytes.withUnsafeBytes { _ = pwrite(file.descriptor, $0.baseAddress, length, 0) }
            try kit.reopen()
            #expect(kit.read() == ["a", "b", "c"], "cut at \(length)")
            #expect(try stat(path) == whole)
            #expect(kit.produce(.of(["d", "e"], producer: (9, 0), sequence: 1)).offset == 3)
        }
        // A damaged byte is a torn tail too.
        let file = LogFile(descriptor: open(path, O_RDWR), path: path)
        var byte: UInt8 = 0xee
        pwrite(file.descriptor, &byte, 1, off_t(all - 2))
        try kit.reopen()
        #expect(kit.read() == ["a", "b", "c"])
    }

    private func stat(_ path: String) throws -> Int? {
        let descriptor = open(path, O_RDONLY)
        return descriptor < 0 ? nil : try LogFile(descriptor: descriptor, path: path).length()
    }

    @Test(arguments: [true, false])
    func segmentsRollAndComeBack(_ isClean: Bool) throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t", config: ["segment.bytes": "500"])
        let expected = (0..<60).map { "value \($0)" }
        for (index, value) in expected.enumerated() {
            kit.produce(.of([value], producer: (3, 0), sequence: Int32(index)))
        }
        #expect(kit.cluster.partition("t", 0)?.log.segments.count ?? 0 > 5)
        if isClean { kit.cluster.close() }
        try kit.reopen()
        #expect(kit.read() == expected)
        for start in [0, 1, 17, 59] { #expect(kit.read(from: Int64(start)) == Array(expected[start...])) }
        // The producer's sequence is known again: a repetition is absorbed, a gap refused.
        #expect(kit.produce(.of(["value 59"], producer: (3, 0), sequence: 59)).offset == 59)
        #expect(kit.produce(.of(["x"], producer: (3, 0), sequence: 61)).error == .outOfOrderSequenceNumber)
        #expect(kit.produce(.of(["x"], producer: (3, 0), sequence: 60)).offset == 60)
    }

    @Test func withoutItsSideFileASegmentIsScanned() throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t", config: ["segment.bytes": "300"])
        for index in 0..<20 { kit.produce(TestBatch("v\(index)")) }
        let storage = LogStorage.directory(folder.path + "/topics/t-0")
        for name in try storage.names() where name.hasSuffix(".index") { storage.remove(name) }
        try kit.reopen()
        #expect(kit.read() == (0..<20).map { "v\($0)" })
    }

    @Test func retentionBySizeAndTime() throws {
        let kit = try TestCluster()
        kit.create("t", config: ["segment.bytes": "300", "retention.bytes": "600", "retention.ms": "-1"])
        for index in 0..<20 { kit.produce(TestBatch("v\(index)")) }
        kit.advance(ms: kit.configuration.retentionCheckMs)
        let log = try #require(kit.cluster.partition("t", 0)?.log)
        #expect(log.startOffset > 0 && log.sizeBytes >= 600 && log.sizeBytes < 1200)
        #expect(kit.read(from: log.startOffset).last == "v19")
        #expect(kit.read(from: 0).isEmpty, "offset 0 is out of range")

        kit.create("aged", config: ["segment.bytes": "300", "retention.ms": "60000"])
        for index in 0..<20 {
            var batch = TestBatch("v\(index)")
            batch.timestampsMs = [kit.clock.wallMs() + Int64(index) * 10_000]
            kit.produce(batch, to: "aged")
        }
        kit.clock.advance(ms: 200_000)
        kit.advance(ms: kit.configuration.retentionCheckMs)
        let aged = try #require(kit.cluster.partition("aged", 0)?.log)
        #expect(aged.startOffset >= 10 && aged.startOffset < 20)
    }

    @Test func listOffsetsByTime() throws {
        let kit = try TestCluster()
        kit.create("t")
        for start in [Int64(1000), 3000, 2000] {
            var batch = TestBatch("a", "b", "c")
            batch.timestampsMs = [start, start + 10, start + 20]
            kit.produce(batch)
        }
        func find(_ timestampMs: Int64) -> (Int64?, Int64?) {
            let asked = ListOffsetsRequest.PartitionRequest(timestampMs: timestampMs)
            let found = kit.ask(ListOffsetsRequest(topics: [.init(name: "t", partitions: [asked])]))?
                .topics.first?.partitions.first
            return (found?.offset, found?.timestampMs)
        }
        for (timestampMs, offset, found) in [
            (0, 0, 1000), (1005, 1, 1010), (1020, 2, 1020), (1021, 3, 3000), (3020, 5, 3020), (3021, -1, -1),
            (-1, 9, -1), (-2, 0, -1), (-3, 5, 3020),
        ] as [(Int64, Int64, Int64)] {
            #expect(find(timestampMs) == (offset, found), "at \(timestampMs)")
        }
    }

    @Test func deleteRecordsSurvivesARestart() throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t")
        for index in 0..<5 { kit.produce(TestBatch("v\(index)")) }
        let asked = DeleteRecordsRequest.PartitionRequest(index: 0, offset: 3)
        let answer = kit.ask(DeleteRecordsRequest(topics: [.init(name: "t", partitions: [asked])]))
        #expect(answer?.topics.first?.partitions.first?.lowWatermark == 3)
        try kit.reopen()
        #expect(kit.read(from: 3) == ["v3", "v4"])
        #expect(kit.read(from: 0).isEmpty)
    }

    @Test func logAppendTimeStamps() throws {
        let kit = try TestCluster()
        kit.create("t", config: ["message.timestamp.type": "LogAppendTime"])
        kit.produce(TestBatch("a"))
        let log = try #require(kit.cluster.partition("t", 0)?.log)
        let bytes = log.segments[0].file.read(at: 0, count: log.sizeBytes)
        let batch = try #require(TestBatch.parse(bytes).first)
        #expect(batch.header.isLogAppendTime && batch.header.maxTimestampMs == kit.clock.wallMs())
    }

    @Test func aDeletedTopicLeavesNothing() throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t", partitions: 2)
        kit.produce(TestBatch("old"))
        _ = kit.ask(DeleteTopicsRequest(topics: [.init(name: "t")]))
        #expect(try LogStorage.directory(folder.path + "/topics").names().isEmpty)
        kit.create("t")
        try kit.reopen()
        #expect(kit.read().isEmpty)
    }

    @Test func sequencesWrapAround() throws {
        let kit = try TestCluster()
        kit.create("t")
        #expect(kit.produce(.of(["a", "b"], producer: (1, 0), sequence: Int32.max - 1)).error == .none)
        #expect(kit.produce(.of(["c"], producer: (1, 0), sequence: 0)).error == .none)
    }

    @Test(
        arguments: [
            (0, 3, ErrorCode.none, "the next"), (0, 2, .none, "the last one again"),
            (0, 4, .outOfOrderSequenceNumber, "a gap"),
            (0, 0, .none, "an older one again"), (1, 0, .none, "a new epoch"),
            (1, 1, .outOfOrderSequenceNumber, "a new epoch not from 0"),
        ] as [(Int16, Int32, ErrorCode, String)])
    func idempotence(_ epoch: Int16, _ sequence: Int32, _ expected: ErrorCode, _ name: String) throws {
        let kit = try TestCluster()
        kit.create("t")
        for sequence in 0..<3 as Range<Int32> {
            #expect(kit.produce(.of(["v\(sequence)"], producer: (1, 0), sequence: sequence)).error == .none)
        }
        let answer = kit.produce(.of(["x"], producer: (1, epoch), sequence: sequence))
        #expect(answer.error == expected, "\(name)")
        if expected == .none && epoch == 0 && sequence < 3 { #expect(answer.offset == Int64(sequence)) }
        if epoch == 1 && expected == .none {
            #expect(kit.produce(.of(["y"], producer: (1, 0), sequence: 3)).error == .invalidProducerEpoch)
        }
    }
}
