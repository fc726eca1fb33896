import Platform

/// Tasks that get their state.
///
/// Unchecked: each index is one task, touched by one thread (`WorkerPool.run`); stores may be read by several threads at once;
/// the coordinator looks at the result after all are done.
private struct Restoration: @unchecked Sendable {
    let tasks: [(task: PartitionTask, source: SourceExecution, state: EpochToken?)]
    let store: any StateStore
    let restored: UnsafeMutablePointer<Result<[SourceExecution.RestoredBlock], any Error>?>

    func restore(_ index: Int) {
        let (task, source, state) = tasks[index]
        guard let state else { return }
        restored[index] = Result { try source.restoreOwn(task, try store.load(task.id, at: state)) }
    }
}

/// How a live run takes partitions over from their checkpoint, and returns to it where an epoch was not decided
/// (SEMANTICS §5 "at assignment").
extension JobExecution {
    /// What the group says of partitions that wait to be read.
    private struct Found {
        /// Committed by this job.
        var committed: [PartitionID: (offset: Int64, token: CommittedToken)] = [:]
        /// Without offset and without state.
        var fresh: [PartitionID] = []
        /// Of these: whose state was set aside, with the offsets that go with it.
        var anew: [PartitionID: Int64] = [:]
    }

    /// Begins to read waiting partitions: each from its state, at the committed offset.
    func startFromCheckpoint(
        _ ids: [PartitionID], _ session: CheckpointSession, _ source: any LiveSource, _ log: (String) -> Void
    ) throws {
        if session.needsRenewal {
            try session.commitPoint.renew()
            session.needsRenewal = false
        }
        var found = try ask(ids, session, source)
        try adoptReplay(&found, session, log)
        try checkNoStateWithoutOffset(found.fresh, session)
        try settle(found.committed, session)
        if !found.fresh.isEmpty { try commitStart(&found, session, source, log) }
        let tasks = try load(found.committed, session, log)
        try notePredecessors(found.committed.mapValues(\.token), session)
        FaultPoint.reach(.stateLoaded)
        try begin(tasks, session, source, log)
        try session.commitPoint.assignmentAccepted()
    }

    /// What the group has committed. Anything but an offset with our token, or none at all, stops the job.
    private func ask(
        _ ids: [PartitionID], _ session: CheckpointSession, _ source: any LiveSource
    ) throws -> Found {
        let answers: [PartitionID: CommittedOffset]
        do throws(SourceError) {
            answers = try source.committed(ids, timeoutMs: 1500)
        } catch {
            // A transaction that a killed member left open hides the offsets until it times out.
            if error.kind == .timedOut { session.commitPoint.endAbandoned() }
            throw error
        }
        var found = Found()
        for id in ids {
            guard let answer = answers[id] else {
                found.fresh.append(id)
                continue
            }
            let token = CommittedToken(metadata: answer.metadata)
            if try startsAnew(id, token, session) {
                found.anew[id] = answer.offset
                found.fresh.append(id)
                continue
            }
            guard let token else {
                throw JobFailure(
                    """
                    \(id): group \(job.definition.group) has committed offset \(answer.offset), but not by this job (its \
                    metadata is `\(answer.metadata)`, not our token). Ways on: another group (`--group NAME`); \
                    `--new-checkpoint --from committed` to start there with empty state, `--from earliest` or \
                    `--from latest` to start elsewhere
                    """)
            }
            found.committed[id] = (answer.offset, token)
        }
        return found
    }

    /// Whether an offset belongs to state that was set aside. An offset that this checkpoint has begun with does not.
    private func startsAnew(
        _ id: PartitionID, _ token: CommittedToken?, _ session: CheckpointSession
    ) throws -> Bool {
        guard session.freshStart != nil else { return false }
        guard let token else { return true }
        guard token.epoch.incarnation != options.incarnation else { return false }
        guard let state = token.state else { return session.freshStart == .startingOffsets }
        do throws(CheckpointError) {
            _ = try session.store.record(state)
            return false
        } catch {
            guard error.kind == .missing else { throw error }
            return true
        }
    }

    /// State that a replay left for this job, where the group has no offsets yet: its offsets are committed with its
    /// tokens, then the run goes on from there.
    private func adoptReplay(_ found: inout Found, _ session: CheckpointSession, _ log: (String) -> Void) throws {
        guard !found.fresh.isEmpty, found.committed.isEmpty,
            let record = try session.store.newestRecord(naming: Set(found.fresh)), record.isFromReplay
        else { return }
        var offsets: [PartitionID: CommittedOffset] = [:]
        for partition in record.partitions where found.fresh.contains(partition.partition) {
            let token = CommittedToken(epoch: record.token, state: partition.state)
            found.committed[partition.partition] = (partition.nextOffset, token)
            offsets[partition.partition] = CommittedOffset(offset: partition.nextOffset, metadata: token.metadata)
        }
        try session.commitPoint.assignmentAccepted()
        try decide(session, offsets)
        session.undecided = nil
        found.fresh.removeAll { offsets[$0] != nil }
        log("going on from the replay that left this checkpoint, at \(offsets.count) partitions' offsets")
    }

    private func checkNoStateWithoutOffset(_ fresh: [PartitionID], _ session: CheckpointSession) throws {
        guard !fresh.isEmpty, let record = try session.store.newestRecord(naming: Set(fresh)), !record.isFromReplay,
            let known = record.partitions.first(where: { fresh.contains($0.partition) })
        else { return }
        throw JobFailure(
            """
            \(known.partition): the checkpoint \(job.definition.checkpoint.location) holds state up to offset \
            \(known.nextOffset) (token \(known.state)), but group \(job.definition.group) has no committed offset for it: \
            it expired, was deleted, or the group is another one. Ways on: the group that the checkpoint belongs to \
            (`--group NAME`); `stream-job checkpoint reset-offsets` to set both to one time; `--new-checkpoint --from \
            earliest|latest|TIME` to start afresh
            """)
    }

    /// Publishes what is prepared for epochs that are now known to be decided, before anything newer is.
    private func settle(
        _ committed: [PartitionID: (offset: Int64, token: CommittedToken)], _ session: CheckpointSession
    ) throws {
        if let undecided = session.undecided, isKnownUndecided(undecided, committed, session) {
            session.store.discarded(undecided)
        }
        session.undecided = nil
        for epoch in Set(committed.values.map(\.token.epoch)).sorted(by: { $0.number < $1.number }) {
            for sink in outputs.all where !sink.isTransactional { try sink.publishForeign(epoch) }
        }
    }

    /// Whether an epoch whose answer never came did not take effect: one of its partitions stands before it. Partitions that it
    /// did not commit, or that another member committed since, tell nothing; its file then stays, as somebody's state may build on it.
    private func isKnownUndecided(
        _ epoch: EpochToken, _ committed: [PartitionID: (offset: Int64, token: CommittedToken)],
        _ session: CheckpointSession
    ) -> Bool {
        guard !committed.values.contains(where: { $0.token.epoch == epoch }),
            // A file that was never written, or cannot be read, is nothing to take away.
            let record = try? session.store.record(epoch)
        else { return false }
        return record.partitions.contains { own in
            guard let known = committed[own.partition] else { return false }
            return known.offset < own.nextOffset
                || known.token.epoch.incarnation == epoch.incarnation && known.token.epoch.number < epoch.number
        }
    }

    /// Neither offset nor state: `startingOffsets`, committed with the token of the empty state before the first record
    /// is processed.
    private func commitStart(
        _ found: inout Found, _ session: CheckpointSession, _ source: any LiveSource, _ log: (String) -> Void
    ) throws {
        var starts = session.freshStart == .committed ? found.anew : [:]
        let unresolved = found.fresh.filter { starts[$0] == nil }
        if !unresolved.isEmpty { starts.merge(try firstOffsets(unresolved, source)) { $1 } }
        let start = CommittedToken(epoch: token, state: nil)
        try session.commitPoint.assignmentAccepted()
        try decide(session, starts.mapValues { CommittedOffset(offset: $0, metadata: start.metadata) })
        session.undecided = nil
        epoch += 1
        for (id, offset) in starts { found.committed[id] = (offset, start) }
    }

    // MARK: State

    /// Tasks with their state as of the committed offsets, and the offset each is read from.
    private func load(
        _ committed: [PartitionID: (offset: Int64, token: CommittedToken)], _ session: CheckpointSession,
        _ log: (String) -> Void
    ) throws -> [(task: PartitionTask, source: SourceExecution, committed: Int64)] {
        do {
            return try loadWhole(committed, session, fallingBackTo: nil)
        } catch let error as CheckpointError where error.kind == .missing || error.kind == .damaged {
            log("warning: \(error)")
            dropLoaded(Array(committed.keys), session)
            let fallback = try fallBack(committed.mapValues(\.token), session, error)
            let tasks = try loadWhole(committed, session, fallingBackTo: fallback)
            notePast(fallback, committed.mapValues(\.token.epoch), session)
            log(
                "falling back to \(fallback.description): its records up to the committed offsets are read again, with "
                    + "output suppressed")
            return tasks
        }
    }

    func dropLoaded(_ ids: [PartitionID], _ session: CheckpointSession) {
        for execution in sources { execution.drop(Set(ids), goElsewhere: false) }
        session.catchingUp = [:]
        session.past = PastDecisions()
        recordedRun = nil
        for id in ids { session.states[id] = nil }
        forgetSharedIfAlone(session)
    }

    /// Without partitions nothing is known: what they share comes from the checkpoint with the next ones.
    func forgetSharedIfAlone(_ session: CheckpointSession) {
        guard sources.allSatisfy(\.tasks.isEmpty) else { return }
        session.shared = [:]
        for execution in sources { execution.forgetShared() }
    }

    /// Where an older state is fallen back on, what is shared comes from it too, unless other partitions are at work: then
    /// every query is partition-local and nothing is shared.
    private func loadWhole(
        _ committed: [PartitionID: (offset: Int64, token: CommittedToken)], _ session: CheckpointSession,
        fallingBackTo fallback: Fallback?
    ) throws -> [(task: PartitionTask, source: SourceExecution, committed: Int64)] {
        if sources.allSatisfy(\.tasks.isEmpty) { try loadShared(committed.mapValues(\.token), session, fallback) }
        var restoring: [(task: PartitionTask, source: SourceExecution, state: EpochToken?)] = []
        for (id, (_, token)) in committed.sorted(by: { $0.key < $1.key }) {
            guard let execution = sources.first(where: { $0.definition.name == id.source }) else { continue }
            let state = fallback?.origins[id].map(\.state) ?? token.state
            restoring.append((try makeTask(UnstartedReader(id: id), of: execution), execution, state))
        }
        try restore(restoring, session)
        var tasks: [(task: PartitionTask, source: SourceExecution, committed: Int64)] = []
        for (task, execution, state) in restoring {
            guard let (offset, token) = committed[task.id] else { continue }
            if let state { session.states[task.id] = state }
            for entry in execution.emitters {
                entry.emitter.anomalies?.noteShown(
                    token.shown, to: entry.emitter.plan.detectorOwner(of: task.id))
            }
            if let next = task.nextOffset, next > offset {
                throw JobFailure(
                    """
                    \(task.id): the state \(token.state.map(\.description) ?? "") is at offset \(next), the group at \
                    \(offset): they do not belong together. Ways on: `stream-job checkpoint reset-offsets` to set both to \
                    one time; `--new-checkpoint`
                    """)
            }
            if let origin = fallback?.origins[task.id] {
                // Also where no record is missing: the clock may have closed windows since.
                session.catchingUp[task.id] = offset
                task.nextOffset = task.nextOffset ?? origin.offset
            }
            if task.nextOffset == nil { task.nextOffset = offset }
            tasks.append((task, execution, offset))
        }
        return tasks
    }

    /// Reads and decodes the partitions' state on all threads, then what of it belongs to the coordinator.
    private func restore(
        _ tasks: [(task: PartitionTask, source: SourceExecution, state: EpochToken?)], _ session: CheckpointSession
    ) throws {
        let restored = UnsafeMutablePointer<Result<[SourceExecution.RestoredBlock], any Error>?>
            .allocate(capacity: max(tasks.count, 1))
        restored.initialize(repeating: nil, count: tasks.count)
        defer {
            restored.deinitialize(count: tasks.count)
            restored.deallocate()
        }
        let work = Restoration(tasks: tasks, store: session.store, restored: restored)
        pool.run(tasks.count) { work.restore($0) }
        for (index, entry) in tasks.enumerated() {
            do {
                guard let rest = try restored[index]?.get() else { continue }
                try entry.source.restoreShared(entry.task, rest)
            } catch let failure as DecodingFailure {
                let state = entry.state.map(\.description) ?? ""
                throw CheckpointError(
                    .damaged, "\(entry.task.id): the state of epoch \(state) does not decode: \(failure)")
            }
        }
    }

    private func loadShared(
        _ tokens: [PartitionID: CommittedToken], _ session: CheckpointSession, _ fallback: Fallback?
    ) throws {
        var newest = fallback?.shared
        if fallback == nil {
            for epoch in Set(tokens.values.filter { $0.state != nil }.map(\.epoch)) {
                let record = try session.store.record(epoch)
                guard let known = newest else {
                    newest = record
                    continue
                }
                if (record.writtenMs, record.token.number) > (known.writtenMs, known.token.number) { newest = record }
            }
        }
        guard let newest else { return }
        for block in try session.store.loadShared(newest) {
            guard let epoch = newest.shared[block.id] else { continue }
            session.shared[block.id] = (epoch, block.bytes)
            do throws(DecodingFailure) {
                for source in sources {
                    if block.id == .source(source.definition.name) { try source.decodeShared(block.bytes) }
                    for entry in source.emitters where block.id == .query(entry.emitter.plan.name) {
                        try entry.emitter.decodeShared(block.bytes)
                    }
                }
            } catch {
                throw CheckpointError(.damaged, "what epoch \(epoch) says of all partitions does not decode: \(error)")
            }
        }
    }

    /// On whose decisions each partition goes on. An epoch whose file is gone (an older state was fallen back on) tells no
    /// number of them: what it held is missing when the run is to be repeated.
    private func notePredecessors(
        _ tokens: [PartitionID: CommittedToken], _ session: CheckpointSession
    ) throws(CheckpointError) {
        session.predecessors = [:]
        var counts: [EpochToken: Int] = [:]
        for (id, token) in tokens where token.state != nil {
            if counts[token.epoch] == nil {
                do throws(CheckpointError) {
                    let record = try session.store.record(token.epoch)
                    counts[token.epoch] = record.earlierDecisions + record.decisions.count
                } catch {
                    guard error.kind == .missing || error.kind == .damaged else { throw error }
                    counts[token.epoch] = .max
                }
            }
            session.predecessors[id] = Decision.Predecessor(
                epoch: token.epoch, decisionCount: counts[token.epoch] ?? .max)
            if token.epoch.incarnation == options.incarnation, let count = counts[token.epoch], count < .max {
                // The answer to the epoch's commit may never have come.
                session.decisionCount = max(session.decisionCount, count)
            }
        }
    }

    // MARK: Reading

    /// Starts the readers, each one record early where there is one to compare.
    private func begin(
        _ tasks: [(task: PartitionTask, source: SourceExecution, committed: Int64)], _ session: CheckpointSession,
        _ source: any LiveSource, _ log: (String) -> Void
    ) throws {
        let lows = try source.firstOffsets(tasks.map(\.task.id), timeoutMs: 3000)
        var offsets: [PartitionID: Int64] = [:]
        for (task, _, _) in tasks {
            let next = task.nextOffset ?? 0
            let low = lows[task.id] ?? 0
            guard next >= low else {
                guard job.definition.onDataLoss == .continue, session.catchingUp[task.id] ?? next <= next else {
                    throw JobFailure(
                        """
                        \(task.id): the checkpoint needs offsets \(next) to \(low - 1), which Kafka no longer holds. Ways \
                        on: `onDataLoss: continue` leaves them out; `--new-checkpoint` starts afresh
                        """)
                }
                log(
                    "warning: \(task.id): offsets \(next) to \(low - 1) are lost; going on at \(low) (onDataLoss: continue)"
                )
                task.checkpoint?.expected = nil
                task.skipLost(from: next, to: low)
                // The ledger has the range once: the next epoch commits the offset behind it.
                dirty = true
                offsets[task.id] = low
                continue
            }
            if let expected = task.checkpoint?.expected, expected.offset < low { task.checkpoint?.expected = nil }
            offsets[task.id] = max(task.rereadOffset ?? next, low)
            task.limitOffset = session.catchingUp[task.id]
        }
        let nowMs = clock.wallMs()
        var readers: [PartitionID: any PartitionReader] = [:]
        let (known, new) = (
            offsets.filter { session.started.contains($0.key) }, offsets.filter { !session.started.contains($0.key) }
        )
        for (id, offset) in known {
            try source.seek(id, to: offset)
            readers[id] = live.readers[id]
        }
        if !new.isEmpty { for reader in try source.start(new) { readers[reader.id] = reader } }
        for (task, execution, committed) in tasks {
            guard let reader = readers[task.id] else { continue }
            live.readers[task.id] = reader
            session.started.insert(task.id)
            // What was read of it and not decided is read again.
            live.fullyRead.remove(task.id)
            if live.starts[task.id] == nil { live.starts[task.id] = committed }
            execution.lastArrivalMs[task.id] = nowMs
            task.resume(reader)
            noteJoin(task, execution, committed, session)
            _ = execution.unpark(task.id)
            execution.add(task)
        }
        let list = tasks.map { "\($0.task.id)@\($0.committed)" }
        log("reading \(list.joined(separator: " "))")
    }

    /// Where the partition is read from, and on what. One that joins a running query does so at the query's watermark of this
    /// moment.
    private func noteJoin(
        _ task: PartitionTask, _ execution: SourceExecution, _ offset: Int64, _ session: CheckpointSession
    ) {
        note(
            Decision(
                kind: .start(after: session.predecessors[task.id]), source: execution.definition.name,
                partition: task.id, nextOffset: offset, epoch: epoch))
        // Until older state is caught up with, the watermark is not the run's.
        if !isCatchingUp { recordJoin(task, execution, offset) }
    }

    /// A partition of which nothing was read so far joins at the query's watermark of this moment.
    func recordJoin(_ task: PartitionTask, _ execution: SourceExecution, _ offset: Int64?) {
        guard task.checkpoint?.last == nil, let watermarkMs = execution.watermarkMs else { return }
        record(
            Decision(
                kind: .join(watermarkMs: watermarkMs), source: execution.definition.name, partition: task.id,
                nextOffset: offset, epoch: epoch))
    }
}
