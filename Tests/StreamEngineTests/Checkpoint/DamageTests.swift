import Platform
import TestSupport
import Testing

@testable import StreamEngine

@Suite("Damaged checkpoints")
struct DamageTests {
    /// A small checkpoint with a chain, a snapshot in it, shared state and a job; and what its newest epoch holds.
    private struct Small {
        let files = MemoryFileSystem()
        var record: EpochRecord
        var memory: [StateID: ToyState]

        init() throws {
            var random = SeededRandom(seed: 3)
            var options = ToyJob.options
            options.retainEpochs = 100
            _ = try CheckpointDirectory.openOrCreate(
                ToyJob.directory, job: JobIdentity(JobDefinition(name: "toy")), files: files)
            var job = ToyJob(files, incarnation: "a", partitions: [0, 1], options: options, clock: TestClock())
            record = try job.epoch(&random)
            try job.store.decided(record)
            for number in 2..<5 {
                record = try job.epoch(&random)
                try job.store.decided(record)
                if number == 3 {
                    let state = record.partitions[0].state
                    #expect(job.store.compact(ToyJob.partition(0), at: state, merge: ToyState.merge))
                }
            }
            memory = job.memory
            #expect(job.notices.withLock { $0.isEmpty })
        }

        /// What a start reads: the newest epoch's state, or why it cannot be had.
        func restart() throws -> (memory: [StateID: ToyState], notices: [CheckpointNotice]) {
            var other = ToyJob(files, incarnation: "b", partitions: [], options: ToyJob.options, clock: TestClock())
            _ = try CheckpointDirectory.open(ToyJob.directory, files: files)
            try other.resume(try other.store.record(record.token))
            return (other.memory, other.notices.withLock { $0 })
        }
    }

    @Test("as written it is whole")
    func whole() throws {
        let small = try Small()
        let found = try CheckpointVerification(ToyJob.directory, files: small.files)
        #expect(found.isWhole && found.leftovers.isEmpty && found.strangers.isEmpty)
        #expect(found.filesChecked == 6)
        #expect(found.bytesChecked == Int64(small.files.contents.values.reduce(0) { $0 + $1.count }))
        #expect(try small.restart().memory == small.memory)
    }

    @Test("each byte flipped is found and its file named, and never gives another result")
    func flips() throws {
        let small = try Small()
        var falseStarts = 0
        var tries = 0
        for (path, bytes) in small.files.contents.sorted(by: { $0.key < $1.key }) {
            for place in bytes.indices {
                var flipped = bytes
                flipped[place] ^= UInt8(1 << (place % 8))
                small.files.set(path, flipped)
                try expectFound(small, path, "byte \(place) of \(path)", &falseStarts, &tries)
            }
            small.files.set(path, bytes)
        }
        // Most damage is in what a start reads: if none were, nothing would have been tested.
        #expect(falseStarts > tries / 3)
        #expect(try CheckpointVerification(ToyJob.directory, files: small.files).isWhole)
    }

    @Test("a file cut at each length is found and named, and never gives another result")
    func cuts() throws {
        let small = try Small()
        var falseStarts = 0
        var tries = 0
        for (path, bytes) in small.files.contents.sorted(by: { $0.key < $1.key }) {
            for length in 0..<bytes.count {
                small.files.set(path, Array(bytes[..<length]))
                try expectFound(small, path, "\(path) cut to \(length) bytes", &falseStarts, &tries)
            }
            small.files.set(path, bytes + [0])
            try expectFound(small, path, "\(path) with a byte more", &falseStarts, &tries)
            small.files.set(path, bytes)
        }
        #expect(falseStarts > 0)
    }

    @Test("a missing file is found, or was not needed")
    func missing() throws {
        let small = try Small()
        for (path, bytes) in small.files.contents {
            small.files.drop(path)
            do {
                #expect(try small.restart().memory == small.memory, "\(path) was dropped")
            } catch let error as CheckpointError {
                #expect(error.kind == .missing && error.description.contains(path))
            }
            small.files.set(path, bytes)
        }
    }

    @Test("a file under another's name is not taken for it")
    func swapped() throws {
        let small = try Small()
        let files = small.files.contents
        let one = try #require(files["/ck/epochs/a/4"])
        small.files.set("/ck/epochs/a/3", one)
        let error = #expect(throws: CheckpointError.self) { try small.restart() }
        #expect(error?.description.contains("/ck/epochs/a/3 holds epoch a.4, not epoch a.3") == true)
        #expect(
            try CheckpointVerification(ToyJob.directory, files: small.files).damaged.map(\.path) == ["/ck/epochs/a/3"])
    }

    private func expectFound(
        _ small: Small, _ path: String, _ what: String, _ falseStarts: inout Int, _ tries: inout Int
    ) throws {
        let error = path.hasSuffix("job.json") ? jobProblem(small.files) : problem(path, small.files)
        #expect(error?.kind == .damaged && error?.description.contains(path) == true, "\(what): found alone")
        // `verify` reads everything: a sample of it is enough.
        tries += 1
        if tries % 16 == 0 {
            let found = try CheckpointVerification(ToyJob.directory, files: small.files)
            #expect(found.damaged.first?.path == path, "\(what): verify")
            #expect(found.damaged.first?.description == error?.description, "\(what): verify")
        }
        do {
            // A snapshot has a chain behind it; an epoch behind a snapshot is not read.
            #expect(try small.restart().memory == small.memory, "\(what): a wrong result")
        } catch let error as CheckpointError {
            falseStarts += 1
            #expect(error.kind == .damaged, "\(what): \(error)")
            #expect(error.description.contains(path), "\(what): \(error)")
        }
    }

    /// What is wrong with a file, found by reading all of it.
    private func problem(_ path: String, _ files: any FileSystem) -> CheckpointError? {
        do throws(CheckpointError) {
            let reader = try StateFileReader(path, files: files)
            for entry in reader.header.sections.flatMap(\.blocks) + reader.header.shared { _ = try reader.block(entry) }
            return nil
        } catch {
            return error
        }
    }

    private func jobProblem(_ files: any FileSystem) -> CheckpointError? {
        do throws(CheckpointError) {
            _ = try CheckpointDirectory.open(ToyJob.directory, files: files)
            return nil
        } catch {
            return error
        }
    }

    @Test("messages name the file, the part and the place")
    func messages() throws {
        let small = try Small()
        let path = "/ck/epochs/a/4"
        let bytes = try #require(small.files.contents[path])
        func message(_ change: (inout [UInt8]) -> Void) throws -> String {
            var changed = bytes
            change(&changed)
            small.files.set(path, changed)
            defer { small.files.set(path, bytes) }
            return problem(path, small.files)?.description ?? "no error"
        }
        #expect(
            try message { $0[0] = 0 }
                == "checkpoint file /ck/epochs/a/4 is damaged: prelude, bytes 0 to 7: it does not begin as a file of state"
        )
        #expect(try message { $0[9] ^= 1 }.contains("prelude, bytes 0 to 39: its checksum is another"))
        #expect(try message { $0[50] ^= 1 }.contains("header, bytes 40 to"))
        #expect(try message { $0.removeLast() }.contains("end, byte \(bytes.count - 1): it has"))
        #expect(try message { $0 = Array($0[..<39]) }.contains("prelude, bytes 0 to 38: the file has 39 bytes"))
        #expect(try message { $0[$0.count - 1] ^= 1 }.contains("state of "))
        // Another version, whole: said to be that, not damage.
        let other = try message {
            $0[8] = 9
            var sum = ByteWriter()
            sum.write(XXH64.hash(Array($0[..<32])))
            $0.replaceSubrange(32..<40, with: sum.bytes)
        }
        #expect(other.contains("has format version 9, this program reads 2"))
    }

    @Test("lengths that lie make no room and do not trap")
    func hostile() throws {
        var random = SeededRandom(seed: 4)
        let small = try Small()
        let path = "/ck/epochs/a/4"
        let bytes = try #require(small.files.contents[path])
        var refused = 0
        for round in 0..<3000 {
            // Damage under right checksums: what only somebody who means it can write.
            var hostile = bytes
            let header = Int(bytes[16]) | Int(bytes[17]) << 8
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                hostile[Int.random(in: 12..<(40 + header), using: &random)] =
                    round % 2 == 0
                    ? 0xFF
                    : .random(
                        in: 0...255, using: &random)
            }
            var sum = ByteWriter()
            sum.write(XXH64.hash(Array(hostile[..<32])))
            hostile.replaceSubrange(32..<40, with: sum.bytes)
            sum = ByteWriter()
            sum.write(XXH64.hash(Array(hostile[40..<(40 + header)])))
            hostile.replaceSubrange((40 + header)..<(48 + header), with: sum.bytes)
            small.files.set(path, hostile)
            if problem(path, small.files) != nil { refused += 1 }
        }
        #expect(refused > 1000)
    }

    @Test("a whole older epoch is found to fall back on")
    func fallback() throws {
        let small = try Small()
        let store = FileStateStore(
            directory: ToyJob.directory, incarnation: "b", options: ToyJob.options, files: small.files, report: { _ in }
        )
        let committed = Dictionary(
            uniqueKeysWithValues: small.record.partitions.map { ($0.partition, small.record.token) })
        func fallback() throws -> Int? { try store.newestWholeRecord(before: committed)?.token.number }
        #expect(try fallback() == 3)
        let files = small.files.contents
        // The newest deleted: the one before is known to be decided, as its process went on.
        small.files.drop("/ck/epochs/a/4")
        #expect(try fallback() == 3)
        small.files.drop("/ck/epochs/a/3")
        #expect(try fallback() == 2)
        var second = try #require(files["/ck/epochs/a/2"])
        second[second.count - 1] ^= 1
        small.files.set("/ck/epochs/a/2", second)
        #expect(try fallback() == 1)
        small.files.drop("/ck/epochs/a/1")
        #expect(try fallback() == nil)
    }
}
