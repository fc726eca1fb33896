import Glibc
import Platform
import Testing

@testable import StreamEngine

@Suite struct MembershipLocksTests {
    /// A checkpoint directory, removed at the end.
    private final class Checkpoint {
        let path: String

        init() throws {
            var template = Array("/tmp/stream-engine-locks-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        deinit { try? PosixFileSystem().removeTree(path) }

        func take(
            id: String? = nil, alone: String? = nil, standby: Bool = false, stop: StopRequest = StopRequest(),
            log: (String) -> Void = { _ in }
        ) throws -> MembershipLocks? {
            try MembershipLocks.take(
                .init(checkpoint: path + "/c", staticID: id, aloneBecause: alone, standby: standby),
                clock: SystemClock(), stop: stop, log: log)
        }
    }

    private let me = "process \(getpid()) (since 2"

    @Test func dynamicMembersTakeTheLowestFreeSlot() throws {
        let checkpoint = try Checkpoint()
        let members = try (0..<3).map { _ in try #require(try checkpoint.take()) }
        #expect(members.map(\.slot) == ["0", "1", "2"])
        members[1].release()
        #expect(try checkpoint.take()?.slot == "1")
    }

    @Test func aStaticIdIsTheSlotAndBelongsToOneLivingProcess() throws {
        let checkpoint = try Checkpoint()
        let member = try #require(try checkpoint.take(id: "node-1"))
        #expect(member.slot == "node-1")
        let error = #expect(throws: JobFailure.self) { try checkpoint.take(id: "node-1") }
        let text = error?.description ?? ""
        #expect(text.hasPrefix("`group.instance.id: node-1` is in use by \(me)"), "\(text)")
        #expect(
            text.hasSuffix("give each member an id of its own, stop that one, or start with --standby to wait for it"))
        #expect(try checkpoint.take(id: "node-2")?.slot == "node-2")
        member.release()
        #expect(try checkpoint.take(id: "node-1")?.slot == "node-1")
    }

    @Test(arguments: ["", "a/b", "..", "a b", "ä", String(repeating: "x", count: 201)])
    func idsThatNameNoFileAreRefused(_ id: String) throws {
        let checkpoint = try Checkpoint()
        let error = #expect(throws: JobFailure.self) { try checkpoint.take(id: id) }
        #expect(error?.description.hasPrefix("group.instance.id `\(id)` cannot be used") == true)
    }

    @Test func aJobThatMustBeAloneIsAlone() throws {
        let checkpoint = try Checkpoint()
        let alone = try #require(try checkpoint.take(alone: "query q: it sorts"))
        for reason in [nil, "query q: it sorts"] {
            let error = #expect(throws: JobFailure.self) { try checkpoint.take(alone: reason) }
            let text = error?.description ?? ""
            #expect(text.hasPrefix(me), "\(text)")
            #expect(text.contains(" runs with checkpoint \(checkpoint.path)/c, and "))
            #expect(
                text.contains(reason == nil ? "the job it runs must run alone" : "must run alone (query q: it sorts)"))
            #expect(text.hasSuffix("stop it, or start with --standby to wait for it"))
        }
        alone.release()
        // Those that may share name each other.
        let shared = try (0..<2).map { _ in try #require(try checkpoint.take()) }
        let error = #expect(throws: JobFailure.self) { try checkpoint.take(alone: "query q: it sorts") }
        #expect(error?.description.hasPrefix("\(me)") == true)
        #expect(error?.description.components(of: "process \(getpid())") == 2)
        for member in shared { member.release() }
        #expect(try checkpoint.take(alone: "query q: it sorts")?.slot == "0")
    }

    @Test func aStandbyWaitsSaysSoOnceAndTakesOver() async throws {
        let checkpoint = try Checkpoint()
        let alone = try #require(try checkpoint.take(alone: "why"))
        let path = checkpoint.path + "/c"
        let lines = Monitor<[String]>([])
        let slot = Monitor<String?>(nil)
        let waiter = try Thread(name: "standby") {
            let locks = try? MembershipLocks.take(
                .init(checkpoint: path, staticID: nil, aloneBecause: "why", standby: true), clock: SystemClock(),
                stop: StopRequest(), log: { line in lines.withLock { $0.append(line) } })
            slot.withLock { $0 = locks?.slot ?? "none" }
        }
        _ = lines.wait { $0.isEmpty ? nil : true }
        alone.release()
        #expect(slot.wait { $0 } == "0")
        waiter.join()
        let said = lines.withLock { $0 }
        #expect(said.count == 1)
        #expect(said.first?.hasPrefix("standing by: process ") == true)
    }

    @Test func aStandbyCanBeStopped() throws {
        let checkpoint = try Checkpoint()
        let alone = try #require(try checkpoint.take(alone: "why"))
        let stop = StopRequest()
        #expect(try checkpoint.take(alone: "why", standby: true, stop: stop, log: { _ in stop.request() }) == nil)
        alone.release()
    }

    @Test func abandonedSlotsAreThoseOfNoLivingProcess() throws {
        let checkpoint = try Checkpoint()
        let gone = try #require(try checkpoint.take())
        let living = try #require(try checkpoint.take())
        let mine = try #require(try checkpoint.take(id: "me"))
        gone.release()
        var seen: [String] = []
        mine.withAbandonedSlots { slot in
            seen.append(slot)
            // Its lock is held meanwhile: a starting member takes another one.
            #expect((try? checkpoint.take())?.slot == "2")
        }
        #expect(seen == ["0"])
        living.release()
    }

    @Test func aStaticMemberWaitsForWhoeverEndsItsTransaction() throws {
        let checkpoint = try Checkpoint()
        try #require(try checkpoint.take(id: "a")).release()
        let other = try #require(try checkpoint.take())
        let path = checkpoint.path + "/c"
        let slot = Monitor<String?>(nil)
        var waiter: Thread?
        other.withAbandonedSlots { _ in
            waiter = try? Thread(name: "static") {
                let locks = try? MembershipLocks.take(
                    .init(checkpoint: path, staticID: "a", aloneBecause: nil, standby: false), clock: SystemClock(),
                    stop: StopRequest(), log: { _ in })
                slot.withLock { $0 = locks?.slot ?? "refused" }
            }
            // Longer than a refusal takes.
            #expect(slot.wait(untilNs: SystemClock().monotonicNs() + 600_000_000) { $0 } == nil)
        }
        #expect(slot.wait { $0 } == "a")
        waiter?.join()
    }

    @Test func aNoteIsReadBack() {
        let holder = LockHolder(pid: 7, host: "elsewhere", sinceMs: 1_795_244_400_000, isEnding: true)
        #expect(LockHolder(note: holder.note) == holder)
        #expect(holder.description == "process 7 on elsewhere (since 2026-11-21T07:00:00.000Z)")
        for torn in ["", "pid", "pid 7 host", "pid x host y since 3", "pid 7 host y since"] {
            #expect(LockHolder(note: torn) == nil)
        }
    }
}

extension String {
    /// How often `word` occurs.
    fileprivate func components(of word: String) -> Int {
        var count = 0
        var rest = self[...]
        while let found = rest.firstRange(of: word) {
            count += 1
            rest = rest[found.upperBound...]
        }
        return count
    }
}
