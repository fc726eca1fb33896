import Glibc
import Platform
import TestSupport
import Testing

@testable import StreamEngine

// Fault model: MemoryFileSystem. What must hold: the state of a committed epoch is read back as it was when it was
// committed, whatever failed or died around it, whoever cleans; damage is never made, and nothing undecided is taken for
// decided by a fallback.
@Suite("Checkpoints under crashes and disk faults")
struct CrashTests {
    /// A group of one member: what its coordinator knows to be committed.
    private struct Group {
        var record: EpochRecord?
        var memory: [StateID: ToyState] = [:]
        /// What the clock decided in committed epochs.
        var markers: [Int64] = []
    }

    /// Runs epochs until something fails; true when the last thing begun may have been committed all the same.
    private func run(
        _ job: inout ToyJob, _ group: inout Group, epochs: Int, _ random: inout SeededRandom
    ) throws(CheckpointError) {
        for _ in 0..<epochs {
            let before = job
            let record: EpochRecord
            do throws(CheckpointError) {
                record = try job.epoch(&random, snapshot: Int.random(in: 0..<12, using: &random) == 0)
            } catch {
                // As the engine does: what the epoch wrote goes, state in memory goes back.
                job.store.discarded(EpochToken(incarnation: job.incarnation, number: job.number))
                throw error
            }
            if Int.random(in: 0..<6, using: &random) == 0 {
                job.store.discarded(record.token)
                let number = job.number
                job = before
                job.number = number
                continue
            }
            group.record = record
            group.memory = job.memory
            group.markers = (1...job.marker).map { $0 }
            job.decided(record)
            try job.store.decided(record)
            if let partition = job.partitions.randomElement(using: &random),
                let state = record.partitions.first(where: { $0.partition == partition })?.state
            {
                job.store.compact(partition, at: state, merge: ToyState.merge)
            }
        }
    }

    private func expectCommitted(
        _ group: Group, _ files: MemoryFileSystem, _ what: String, isFollowed: Bool = false
    ) throws {
        guard let record = group.record else { return }
        var other = ToyJob(files, incarnation: "reader", partitions: [], options: ToyJob.options, clock: TestClock())
        do {
            try other.resume(try other.store.record(record.token))
            #expect(other.memory == group.memory, "\(what): another state")
        } catch {
            Issue.record("\(what): \(error)")
        }
        // The decisions of every committed epoch are there, also of those that were cleaned away; the very last epoch may
        // have been committed or not, where nobody went on from it.
        let run = try RecordedRun(CheckpointInventory(ToyJob.directory, files: files), broadcast: [])
        let markers = run.freezes(of: ToyJob.partition(0)).map(\.watermarkMs)
        #expect(
            markers == group.markers || !isFollowed && markers.dropLast() == group.markers,
            "\(what): decisions \(markers) instead of \(group.markers.count)")
        let found = try CheckpointVerification(ToyJob.directory, files: files)
        #expect(found.damaged.isEmpty, "\(what): \(found.damaged)")
        #expect(found.brokenChains.isEmpty, "\(what): \(found.brokenChains)")
    }

    @Test("death and power failure at every file operation")
    func deaths() throws {
        // How many operations a run without faults makes.
        func attempt(_ seed: UInt64, dieAt: Int?) throws -> Int {
            let files = ToyJob.disk()
            let clock = TestClock()
            var random = SeededRandom(seed: seed)
            var power = SeededRandom(seed: seed &+ UInt64(dieAt ?? 0))
            var group = Group()
            var job = ToyJob(files, incarnation: "p1", partitions: [0, 1], options: ToyJob.options, clock: clock)
            let before = files.calls
            if let dieAt { files.die(at: dieAt) }
            var died = false
            do throws(CheckpointError) { try run(&job, &group, epochs: 7, &random) } catch { died = true }
            #expect(dieAt == nil ? !died : true)
            let calls = files.calls - before
            files.heal()
            let what = "seed \(seed), death at \(dieAt ?? -1)"
            if dieAt != nil { files.lose(&power) }
            try expectCommitted(group, files, what)
            // Life goes on.
            guard let record = group.record else { return calls }
            var next = ToyJob(files, incarnation: "p2", partitions: [], options: ToyJob.options, clock: clock)
            try next.resume(try next.store.record(record.token))
            clock.advance(ms: 3_600_000)
            try run(&next, &group, epochs: 2, &random)
            try expectCommitted(group, files, "\(what), and then", isFollowed: true)
            return calls
        }
        for seed: UInt64 in 1...1 {
            let calls = try attempt(seed, dieAt: nil)
            #expect(calls > 60)
            for call in 0..<calls { _ = try attempt(seed, dieAt: call) }
        }
    }

    @Test("a failure of every file operation")
    func failures() throws {
        var met = 0
        for call in 0..<80 {
            let code = call % 2 == 0 ? ENOSPC : EIO
            let files = ToyJob.disk()
            let clock = TestClock()
            var random = SeededRandom(seed: 11)
            var group = Group()
            var job = ToyJob(files, incarnation: "p1", partitions: [0, 1], options: ToyJob.options, clock: clock)
            files.fail(at: call, code)
            // The engine gives an epoch up that cannot be written, and tries the next one.
            var failed = false
            for _ in 0..<6 {
                let before = job
                do throws(CheckpointError) {
                    try run(&job, &group, epochs: 1, &random)
                } catch {
                    #expect(error.kind == .io, "\(error)")
                    failed = true
                    let number = job.number
                    job = before
                    job.number = number
                }
            }
            if failed || job.notices.withLock({ !$0.isEmpty }) { met += 1 }
            try expectCommitted(group, files, "failure \(code) of call \(call)")
            var power = SeededRandom(seed: UInt64(call))
            files.lose(&power)
            try expectCommitted(group, files, "failure \(code) of call \(call), then a power failure")
        }
        #expect(met > 60)
    }

    @Test("members that take partitions from each other, clean, die and freeze", arguments: 1...6)
    func members(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let files = ToyJob.disk()
        let clock = TestClock()
        // What the group has committed for each partition: which record, and the state it stands for.
        var committed: [PartitionID: (record: EpochRecord, states: [StateID: ToyState])] = [:]
        var members: [ToyJob] = []
        var born = 0
        func join(_ partitions: [PartitionID]) throws -> ToyJob {
            born += 1
            var job = ToyJob(files, incarnation: "m\(born)", partitions: [], options: ToyJob.options, clock: clock)
            for partition in partitions { try take(partition, &job) }
            return job
        }
        func take(_ partition: PartitionID, _ job: inout ToyJob) throws {
            job.partitions.append(partition)
            job.partitions.sort()
            for id in job.states.keys where id.partition == partition { job.states[id] = nil }
            job.stateTokens[partition] = nil
            guard let known = committed[partition],
                let own = known.record.partitions.first(where: { $0.partition == partition })
            else { return }
            let loaded = ToyState.decode(try job.store.load(partition, at: own.state))
            #expect(loaded == known.states, "seed \(seed): \(partition) as \(job.incarnation) takes it over")
            job.states.merge(loaded) { $1 }
            job.stateTokens[partition] = own.state
            job.offsets[partition] = own.nextOffset
        }
        members.append(try join((0..<4).map(ToyJob.partition)))
        for _ in 0..<100 {
            clock.advance(ms: Int64.random(in: 100...20_000, using: &random))
            files.nowMs = clock.wallMs()
            let index = Int.random(in: 0..<members.count, using: &random)
            switch Int.random(in: 0..<20, using: &random) {
            case 0:
                // Death: its partitions go to a new member, or to one that is there.
                let gone = members.remove(at: index).partitions
                if members.isEmpty || Bool.random(using: &random) {
                    members.append(try join(gone))
                } else {
                    for partition in gone { try take(partition, &members[0]) }
                }
            case 1, 2:
                // A partition moves.
                guard members.count > 1, let partition = members[index].partitions.randomElement(using: &random) else {
                    members.append(try join([]))
                    continue
                }
                members[index].partitions.removeAll { $0 == partition }
                let other = (index + 1) % members.count
                try take(partition, &members[other])
            default:
                guard !members[index].partitions.isEmpty else { continue }
                let before = members[index]
                let record = try members[index].epoch(&random, snapshot: Int.random(in: 0..<10, using: &random) == 0)
                if Int.random(in: 0..<5, using: &random) == 0 {
                    members[index].store.discarded(record.token)
                    let number = members[index].number
                    members[index] = before
                    members[index].number = number
                    continue
                }
                for partition in members[index].partitions {
                    committed[partition] = (
                        record, members[index].states.filter { $0.key.partition == partition }
                    )
                }
                try members[index].store.decided(record)
                if let partition = record.partitions.randomElement(using: &random) {
                    members[index].store.compact(partition.partition, at: partition.state, merge: ToyState.merge)
                }
            }
            for (partition, known) in committed {
                guard let own = known.record.partitions.first(where: { $0.partition == partition }) else { continue }
                let reader = FileStateStore(
                    directory: ToyJob.directory, incarnation: "reader", options: ToyJob.options, files: files,
                    report: { _ in })
                do {
                    let states = ToyState.decode(try reader.load(partition, at: own.state))
                    #expect(states == known.states, "seed \(seed): \(partition) at \(own.state)")
                } catch {
                    Issue.record("seed \(seed): \(partition) at \(own.state): \(error)")
                    return
                }
            }
        }
        for member in members {
            let notices = member.notices.withLock { $0 }
            #expect(notices.isEmpty, "seed \(seed): \(notices)")
        }
    }
}
