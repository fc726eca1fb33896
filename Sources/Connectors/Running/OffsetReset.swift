import Platform
import StreamEngine

/// Sets a stopped job back to a time: its offsets and its state (`stream-job checkpoint reset-offsets`). Holds the
/// checkpoint's lock for itself from `init` until it goes, so that no member starts meanwhile.
public final class OffsetReset {
    public let plan: RewindPlan
    /// From when records are read where state is empty, by source name, ms.
    public let readFromMs: [String: Int64]
    private let definition: JobDefinition
    private let group: KafkaIdleGroup
    private let locks: MembershipLocks
    private let clock: any Clock

    /// How long a group's last members, open transactions and slow brokers are waited for.
    private static let patienceNs: Int64 = 90_000_000_000
    private static let timeoutMs = 10_000

    /// Asks the group and looks through the checkpoint. Nil: a stop was asked for. Changes nothing.
    public static func prepare(
        _ definition: JobDefinition, registries: Registries, toMs: Int64, stop: StopRequest,
        clock: any Clock = SystemClock(), log: (String) -> Void, kafkaLog: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws -> OffsetReset? {
        let job = try CompiledJob(definition, registries: registries)
        let location = definition.checkpoint.location
        guard let directory = try CheckpointDirectory.open(location) else {
            throw CheckpointError(
                .missing,
                "\(location) is no checkpoint directory: it has no job.json; the job has not run yet, or elsewhere")
        }
        let difference = JobDifference(checkpoint: directory.job, present: JobIdentity(definition))
        if let refusal = difference.refusal(job: definition.name, directory: location) { throw refusal }
        var request = MembershipLocks.Request(
            checkpoint: location, staticID: nil,
            aloneBecause: "no member may run while its offsets are reset", standby: false)
        request.canStandBy = false
        guard let locks = try MembershipLocks.take(request, clock: clock, stop: stop, log: log) else { return nil }
        let group = try KafkaIdleGroup(definition, log: kafkaLog)
        do {
            let reset = try OffsetReset(job, group, locks, toMs, stop, clock, log)
            if reset == nil { locks.release() }
            return reset
        } catch {
            locks.release()
            throw error
        }
    }

    private init?(
        _ job: CompiledJob, _ group: KafkaIdleGroup, _ locks: MembershipLocks, _ toMs: Int64, _ stop: StopRequest,
        _ clock: any Clock, _ log: (String) -> Void
    ) throws {
        definition = job.definition
        self.group = group
        self.locks = locks
        self.clock = clock
        readFromMs = Dictionary(
            uniqueKeysWithValues: definition.sources.map { [definition] in
                ($0.name, Self.readFromMs(toMs, $0, of: definition))
            })
        guard try Self.awaitEmpty(group, stop, clock, log) else { return nil }
        let ids = try group.partitions(timeoutMs: Self.timeoutMs).sorted()
        guard let committed = try Self.committed(ids, group, stop, clock, log) else { return nil }
        let lows = try group.firstOffsets(ids, timeoutMs: Self.timeoutMs)
        let atTime = try group.offsets(at: toMs, ids, timeoutMs: Self.timeoutMs)
        var facts: [PartitionID: RewindPlan.Facts] = [:]
        for (source, own) in Dictionary(grouping: ids, by: \.source) {
            let starts = try group.offsets(at: readFromMs[source] ?? toMs, own, timeoutMs: Self.timeoutMs)
            for id in own {
                guard let low = lows[id], let time = atTime[id], let start = starts[id] else { continue }
                facts[id] = RewindPlan.Facts(committed: committed[id], low: low, atTime: time, atReadFrom: start)
            }
        }
        plan = try RewindPlan(
            directory: definition.checkpoint.location, toMs: toMs, facts: facts,
            isMixed: job.queries.contains { !$0.isPartitionLocal },
            token: EpochToken(incarnation: EpochToken.randomIncarnation(), number: 0))
    }

    /// Earlier than the time by the largest window of a source's queries with its lateness, and the watermark's delay.
    private static func readFromMs(_ toMs: Int64, _ source: SourceDefinition, of job: JobDefinition) -> Int64 {
        let reach = job.queries.filter { $0.from == source.name }.map { $0.window.sizeMs + $0.allowedLatenessMs }.max()
        return EventTime.difference(toMs, (reach ?? 0) + source.watermark.delayMs)
    }

    /// Waits until the group has no member: one that was killed stays in it until its session ends. False: stopped.
    private static func awaitEmpty(
        _ group: KafkaIdleGroup, _ stop: StopRequest, _ clock: any Clock, _ log: (String) -> Void
    ) throws -> Bool {
        let deadlineNs = clock.monotonicNs() + patienceNs
        var hasSaid = false
        while !stop.isRequested {
            let count = try group.memberCount(timeoutMs: timeoutMs)
            guard count > 0 else { return true }
            guard clock.monotonicNs() < deadlineNs else {
                throw JobFailure("\(group.description) still has members (\(count)): stop them first")
            }
            if !hasSaid {
                log(
                    "\(group.description) still has members (\(count)): waiting; one that was killed, or has a "
                        + "group.instance.id, stays until its session ends")
            }
            hasSaid = true
            clock.sleep(ms: 500)
        }
        return false
    }

    /// A transaction that a killed member left open hides offsets until it times out. Nil: stopped.
    private static func committed(
        _ ids: [PartitionID], _ group: KafkaIdleGroup, _ stop: StopRequest, _ clock: any Clock, _ log: (String) -> Void
    ) throws -> [PartitionID: CommittedOffset]? {
        let deadlineNs = clock.monotonicNs() + patienceNs
        var hasSaid = false
        while !stop.isRequested {
            do throws(SourceError) {
                return try group.committed(ids, timeoutMs: 2000)
            } catch {
                guard error.isRetriable, clock.monotonicNs() < deadlineNs else { throw error }
                if !hasSaid { log("\(error); asking again") }
                hasSaid = true
            }
        }
        return nil
    }

    /// Commits the offsets, then moves the newer files aside; gives the directory they went to. Where it fails between the
    /// two, doing all of it again finishes it.
    public func carryOut() throws -> String? {
        var offsets: [PartitionID: CommittedOffset] = [:]
        for position in plan.positions where position.isChange { offsets[position.partition] = position.new }
        try group.commit(offsets, timeoutMs: Self.timeoutMs)
        return try plan.setAside(nowMs: clock.wallMs())
    }

    /// Whether anything is to be done.
    public var isNeeded: Bool { plan.positions.contains(where: \.isChange) || !plan.newerFiles.isEmpty }

    /// Lets members start again.
    public func close() { locks.release() }
}
