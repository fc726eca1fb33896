import Platform

/// The locks that a running member holds in its job's checkpoint directory (DESIGN §3), taken before it joins its group:
/// `alone.lock`, shared or for itself, and `members/<slot>.lock`. They end with the process, also by `kill -9`.
public final class MembershipLocks {
    /// What is asked for.
    public struct Request: Sendable {
        /// The checkpoint directory; made where it is missing.
        public var checkpoint: String
        /// `group.instance.id`, where the job sets one: it is the slot then.
        public var staticID: String?
        /// Why no other member may run beside this one (a query that is not partition-local); nil: others may.
        public var aloneBecause: String?
        /// Wait where another member is in the way, instead of refusing.
        public var standby: Bool
        /// Whether the one who asks could have asked to wait.
        public var canStandBy = true

        /// What a member needs.
        public init(checkpoint: String, staticID: String?, aloneBecause: String?, standby: Bool) {
            self.checkpoint = checkpoint
            self.staticID = staticID
            self.aloneBecause = aloneBecause
            self.standby = standby
        }
    }

    /// How one try to take the locks went.
    private enum Attempt {
        case taken(MembershipLocks)
        /// Somebody who stays is in the way.
        case refused(String)
        /// Another member ends what an earlier holder of the slot left open; that takes a moment.
        case busy
    }

    /// This member's slot: no other living process has it.
    public let slot: String
    private let files: LockFiles
    private let alone: FileLock
    private let member: FileLock
    private let clock: any Clock

    private init(slot: String, files: LockFiles, alone: FileLock, member: FileLock, clock: any Clock) {
        self.slot = slot
        self.files = files
        self.alone = alone
        self.member = member
        self.clock = clock
    }

    /// How long a slot may be busy, ns: whoever ends an abandoned transaction gives up sooner.
    private static let busyLimitNs: Int64 = 30_000_000_000

    /// Takes the locks. Fails with who is in the way and what to do; with `standby` it says so once, through `log`, and
    /// waits. Nil: `stop` was requested while it waited.
    public static func take(
        _ request: Request, clock: any Clock, stop: StopRequest, log: (String) -> Void
    ) throws(JobFailure) -> MembershipLocks? {
        if let id = request.staticID, !isName(id) {
            throw JobFailure(
                "group.instance.id `\(id)` cannot be used: 1 to 200 letters, digits, dots, underscores and hyphens make"
                    + " one, and it names a file here")
        }
        var hasSaid = false
        var refusals = 0
        var busyUntilNs: Int64?
        while !stop.isRequested {
            switch try attempt(request, clock) {
            case .taken(let locks): return locks
            case .refused(let reason):
                // Whoever only looks at a lock holds it for a moment.
                refusals += 1
                guard refusals >= 3 else { break }
                guard request.standby else {
                    throw JobFailure(request.canStandBy ? "\(reason), or start with --standby to wait for it" : reason)
                }
                if !hasSaid { log("standing by: \(reason)") }
                hasSaid = true
            case .busy:
                let limitNs = busyUntilNs ?? clock.monotonicNs() + busyLimitNs
                busyUntilNs = limitNs
                guard clock.monotonicNs() < limitNs else {
                    throw JobFailure("slot \(request.staticID ?? "") of \(request.checkpoint) stays busy; start again")
                }
            }
            clock.sleep(ms: 100)
        }
        return nil
    }

    /// As Kafka takes them (`[a-zA-Z0-9._-]+`), short enough for a file's name.
    private static func isName(_ id: String) -> Bool {
        (1...200).contains(id.utf8.count) && id != "." && id != ".."
            && id.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func attempt(_ request: Request, _ clock: any Clock) throws(JobFailure) -> Attempt {
        let files = LockFiles(checkpoint: request.checkpoint)
        do throws(IOFailure) {
            try PosixFileSystem().createDirectories(files.members)
            guard let alone = try FileLock.take(files.alone, request.aloneBecause == nil ? .shared : .exclusive) else {
                return .refused(try whyNotBeside(request, files))
            }
            if request.aloneBecause != nil { try alone.write(note: LockHolder.current(clock).note) }
            var number = 0
            while true {
                let slot = request.staticID ?? "\(number)"
                let path = files.member(slot)
                if let member = try FileLock.take(path, .exclusive) {
                    try member.write(note: LockHolder.current(clock).note)
                    return .taken(
                        MembershipLocks(slot: slot, files: files, alone: alone, member: member, clock: clock))
                }
                if let id = request.staticID {
                    let holder = LockHolder(note: FileLock.note(at: path))
                    if let holder, holder.isEnding { return .busy }
                    return .refused(
                        "`group.instance.id: \(id)` is in use by \(holder?.description ?? "another process"): give each"
                            + " member an id of its own, stop that one")
                }
                number += 1
            }
        } catch {
            throw JobFailure("checkpoint \(request.checkpoint): \(error)")
        }
    }

    /// Who holds `alone.lock` against us, and what to do.
    private static func whyNotBeside(_ request: Request, _ files: LockFiles) throws(IOFailure) -> String {
        let isExclusive: Bool
        if let probe = try FileLock.take(files.alone, .shared) {
            probe.release()
            isExclusive = false
        } else {
            isExclusive = true
        }
        var others: [String] = []
        if isExclusive {
            if let holder = LockHolder(note: FileLock.note(at: files.alone)) { others = [holder.description] }
        } else {
            for slot in try files.slots() where try FileLock.take(files.member(slot), .shared) == nil {
                guard let holder = LockHolder(note: FileLock.note(at: files.member(slot))) else { continue }
                others.append(holder.description)
            }
        }
        let who = others.isEmpty ? "another process" : others.joined(separator: ", ")
        let why =
            if let reason = request.aloneBecause {
                "this job must run alone (\(reason))"
            } else {
                "the job it runs must run alone"
            }
        return "\(who) runs with checkpoint \(request.checkpoint), and \(why): stop it"
    }

    /// The living members beside this one, in words.
    public func others() throws(JobFailure) -> [String] {
        do throws(IOFailure) {
            var others: [String] = []
            for other in try files.slots() where other != slot {
                if let probe = try FileLock.take(files.member(other), .shared) {
                    probe.release()
                    continue
                }
                let holder = LockHolder(note: FileLock.note(at: files.member(other)))
                // Another member that ends what is left open there is no member of that slot.
                if holder?.isEnding ?? false { continue }
                others.append(holder?.description ?? "another process in slot \(other)")
            }
            return others
        } catch {
            throw JobFailure("checkpoint \(files.checkpoint): \(error)")
        }
    }

    /// Calls `body` with each slot that no living process has, while holding its lock. Slots that cannot be looked at
    /// are left out.
    public func withAbandonedSlots(_ body: (String) -> Void) {
        guard let slots = try? files.slots() else { return }
        for other in slots where other != slot {
            guard let lock = try? FileLock.take(files.member(other), .exclusive) else { continue }
            // Whoever wants this slot meanwhile sees that it will be free soon.
            try? lock.write(note: LockHolder.current(clock, isEnding: true).note)
            body(other)
            lock.release()
        }
    }

    /// Lets go of both, at the very end of a run.
    public func release() {
        member.release()
        alone.release()
    }
}

/// Where the locks of a checkpoint lie.
private struct LockFiles {
    let checkpoint: String

    var alone: String { FilePath.join(checkpoint, "alone.lock") }
    var members: String { FilePath.join(checkpoint, "members") }

    func member(_ slot: String) -> String { FilePath.join(members, "\(slot).lock") }

    /// Slots that were ever taken.
    func slots() throws(IOFailure) -> [String] {
        try PosixFileSystem().list(members).compactMap { name in
            name.hasSuffix(".lock") ? String(name.dropLast(5)) : nil
        }
    }
}
