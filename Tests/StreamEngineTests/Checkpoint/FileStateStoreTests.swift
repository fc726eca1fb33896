import Platform
import TestSupport
import Testing

@testable import StreamEngine

@Suite("State files")
struct FileStateStoreTests {
    @Test("what was written is read back by another process", arguments: [Compression.none, .zstd, .lz4])
    func roundTrip(_ compression: Compression) throws {
        let files = MemoryFileSystem()
        var options = ToyJob.options
        options.compression = compression
        var random = SeededRandom(seed: 1)
        var job = ToyJob(files, incarnation: "a", partitions: [0, 1, 2], options: options, clock: TestClock())
        var last: EpochRecord?
        for _ in 0..<20 {
            let record = try job.epoch(&random)
            try job.store.decided(record)
            last = record
        }
        let record = try #require(last)
        var other = ToyJob(files, incarnation: "b", partitions: [], options: options, clock: TestClock())
        let read = try other.store.record(record.token)
        #expect(read.partitions == record.partitions)
        #expect(read.decisions == record.decisions)
        #expect(read.shared == record.shared)
        #expect(read.slot == "0" && read.writtenMs == record.writtenMs && !read.isFromReplay)
        try other.resume(read)
        #expect(other.memory == job.memory)
        #expect(job.notices.withLock { $0.isEmpty })
        let bytes = try #require(job.store.chainBytes(ToyJob.partition(0), at: record.partitions[0].state))
        #expect(bytes.snapshot > 0 && bytes.changes > 0)
    }

    @Test("an epoch costs one file, one fsync of it and one of its directory")
    func cost() throws {
        let files = MemoryFileSystem()
        var random = SeededRandom(seed: 2)
        var job = ToyJob(files, incarnation: "a", partitions: [0, 1], options: ToyJob.options, clock: TestClock())
        _ = try job.epoch(&random)
        let before = files.log.count
        _ = try job.epoch(&random)
        #expect(
            files.log[before...] == [
                "open /ck/epochs/a/.2.tmp", "write /ck/epochs/a/.2.tmp", "sync /ck/epochs/a/.2.tmp",
                "close /ck/epochs/a/.2.tmp", "rename /ck/epochs/a/.2.tmp", "sync /ck/epochs/a",
            ])
    }
}
