import Glibc
import Platform
import TestSupport
import Testing

/// The job as its own process, killed, frozen and starved at every place, restarted until its input is done: its output is
/// that of an undisturbed run, each row once, none missing. scripts/soak.sh has the long form.
@Suite(.serialized) struct ExactlyOnceTests {
    private static let workload = CrashWorkload(seed: 6)
    private static let local = CrashJob(isLocal: true)
    private static let alone = CrashJob(isLocal: false)
    private static let expectations = Monitor<[Bool: CrashExpectation]>([:])

    private static func expected(_ job: CrashJob) throws -> CrashExpectation {
        if let known = expectations.withLock({ $0[job.isLocal] }) { return known }
        let made = try CrashExpectation(job, workload)
        expectations.withLock { $0[job.isLocal] = made }
        return made
    }

    @Test func killedAtEveryStep() async throws {
        try await onOwnThread {
            let expected = try Self.expected(Self.local)
            let world = try CrashWorld(Self.local, Self.workload)
            for step in FaultStep.allCases {
                let program = try world.start("a", environment: ["STREAM_JOB_FAULT=\(step.rawValue)"])
                // A snapshot may take more changes than this start sees: it is killed all the same.
                let limitMs: Int64 = step == .snapshotWritten ? 3000 : hungAfterMs
                let reached = try world.feed(18, forMs: limitMs) { try program.code() != nil }
                #expect(reached || step == .snapshotWritten, "never at \(step.rawValue)\n\(world.words)")
                try world.kill(program)
            }
            let differences = try world.finish("a", against: expected)
            #expect(differences == [], "\(world.words)")
            #expect(world.kills == FaultStep.allCases.count)
        }
    }

    @Test(arguments: [UInt64(1), 2])
    func killedAtRandom(_ seed: UInt64) async throws {
        try await onOwnThread {
            let job = seed % 2 == 0 ? Self.local : Self.alone
            let expected = try Self.expected(job)
            let world = try CrashWorld(job, Self.workload)
            var chance = SeededRandom(seed: seed)
            for _ in 0..<5 {
                let program = try world.start("a")
                if chance.below(3) > 0 { try world.waitUntilReading(program) }
                try world.feed(40, forMs: Int64(chance.below(700)))
                try world.kill(program)
            }
            let differences = try world.finish("a", against: expected)
            #expect(differences == [], "\(world.words)")
        }
    }

    @Test func membersJoinAndLeave() async throws {
        try await onOwnThread {
            let expected = try Self.expected(Self.local)
            let world = try CrashWorld(Self.local, Self.workload)
            var chance = SeededRandom(seed: 3)
            var running: [(name: String, program: RunningProgram)] = []
            var kills = 0
            while kills < 6 {
                if running.count < 3, running.isEmpty || chance.below(2) == 0 {
                    guard let name = ["a", "b", "c"].first(where: { name in !running.contains { $0.name == name } })
                    else { continue }
                    running.append((name, try world.start(name)))
                    if chance.below(2) == 0, let last = running.last { try world.waitUntilReading(last.program) }
                } else {
                    let member = running.remove(at: chance.below(running.count))
                    if chance.below(4) == 0 {
                        member.program.signal(SIGTERM)
                        let code = try member.program.result().code
                        #expect(code == 143, "\(world.words)")
                    } else {
                        try world.kill(member.program)
                        kills += 1
                    }
                }
                try world.feed(20, forMs: Int64(chance.below(600)))
            }
            for member in running { try world.kill(member.program) }
            let differences = try world.finish("a", against: expected)
            #expect(differences == [], "\(world.words)")
        }
    }

    /// A member that is frozen past its session publishes and deletes nothing when it goes on.
    @Test(arguments: [FaultStep.offsetsSent, .decided])
    func frozenPastItsSession(_ step: FaultStep) async throws {
        try await onOwnThread {
            let expected = try Self.expected(Self.local)
            let world = try CrashWorld(Self.local, Self.workload)
            let frozen = try world.start("a", environment: ["STREAM_JOB_FREEZE=\(step.rawValue):3"])
            try world.waitUntilReading(frozen)
            try world.feed(20, forMs: 400)
            try world.feedByEpochs("stopped at \(step.rawValue)") { try world.isStopped(frozen) }
            let other = try world.start("b")
            // All partitions come to the other: the session of the first is over.
            try waitUntil("the other member reads every partition", state: { world.words }) {
                try other.errors().split(separator: "\n").contains {
                    $0.ranges(of: "\(CrashWorkload.topic)/").count == Self.workload.messages.count
                }
            }
            try world.feed(60, forMs: 1000)
            // It has gone on where the first was, and decided epochs of its own.
            try world.feed(epochs: 3)
            let before = try frozen.errors().count
            frozen.signal(SIGCONT)
            try waitUntil("the first learns that it was left behind", state: { world.words }) {
                try frozen.errors().count > before
            }
            try world.feed(60, forMs: 1500)
            try world.kill(other)
            try world.kill(frozen)
            let differences = try world.finish("b", against: expected)
            #expect(differences == [], "\(world.words)")
        }
    }

    @Test func theBrokerIsKilled() async throws {
        try await onOwnThread {
            let expected = try Self.expected(Self.alone)
            let world = try CrashWorld(Self.alone, Self.workload)
            for round in 0..<3 {
                let program = try world.start("a")
                try world.waitUntilReading(program)
                try world.feed(30, forMs: 300)
                if round == 1 { try world.kill(program) }
                try world.restartBroker()
                try world.feed(30, forMs: 500)
                if round != 1 { try world.kill(program) }
            }
            let differences = try world.finish("a", against: expected)
            #expect(differences == [], "\(world.words)")
        }
    }

    /// The newest file of state is gone: an older state is loaded and what follows it read again, its output suppressed.
    @Test func theNewestEpochIsLost() async throws {
        try await onOwnThread {
            let expected = try Self.expected(Self.alone)
            let world = try CrashWorld(Self.alone, Self.workload)
            for _ in 0..<2 {
                let program = try world.start("a")
                try world.waitUntilReading(program)
                try world.feed(60, forMs: 1200)
                // The newest goes; there must be others.
                try world.feed(epochs: 3)
                try world.kill(program)
                let newest = try #require(try world.newestEpoch())
                #expect(try PosixFileSystem().remove(newest.path))
            }
            let differences = try world.finish("a", against: expected)
            #expect(differences == [], "\(world.words)")
        }
    }

    /// Writes, fsyncs and renames fail: the job stops with the reason or goes on, and the next start recovers.
    @Test(arguments: ["enospc,eio,short", "fsync,rename"])
    func theDiskFails(_ kinds: String) async throws {
        try await onOwnThread {
            let library = try Self.makeDiskFaults()
            let expected = try Self.expected(Self.local)
            let world = try CrashWorld(Self.local, Self.workload)
            for (round, paths) in ["/checkpoint/", "/out/"].enumerated() {
                let faults = "seed=\(round) kinds=\(kinds) paths=\(paths) skip=25 count=2"
                let program = try world.start(
                    "a", environment: ["LD_PRELOAD=\(library.path)", "DISK_FAULTS=\(faults)"])
                try world.feed(60, forMs: 2500) { try program.code() != nil }
                // However slow it is, it meets one.
                try world.feedByEpochs("a fault of the disk") {
                    try program.code() != nil || program.errors().contains("disk-faults: ")
                }
                program.signal(SIGKILL)
                let result = try program.result()
                if result.code == 128 + SIGKILL { continue }
                #expect(result.code == 1, "\(result.errors)")
                let reason = result.errors.split(separator: "\n").first { $0.hasPrefix("error") } ?? ""
                #expect(reason.contains(paths.dropFirst()), "stops without naming the file: \(result.errors)")
            }
            let differences = try world.finish("a", against: expected)
            #expect(differences == [], "\(world.words)")
        }
    }

    /// The library that lets system calls fail, made once.
    private static func makeDiskFaults() throws -> (scratch: Scratch, path: String) {
        let scratch = try Scratch()
        let source = "\(BuiltProgram.package)/Tests/Tools/disk-faults/disk_faults.c"
        let path = scratch.file("disk_faults.so")
        let result = try BuiltProgram.start(
            "clang", ["-shared", "-fPIC", "-O1", "-o", path, source, "-ldl"], in: scratch
        ).result()
        try #require(result.code == 0, "\(result.errors)")
        return (scratch, path)
    }
}
