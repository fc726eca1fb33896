import Platform

/// A section in the making.
///
/// Unchecked: each index is made by one thread (`WorkerPool.run`), from tasks that nobody else touches between two barriers
/// and from emitters that nobody changes meanwhile; the coordinator reads the result after all are done.
private struct Sections: @unchecked Sendable {
    let work: [(source: SourceExecution, task: PartitionTask, parent: EpochToken?)]
    let made: UnsafeMutablePointer<PartitionSection?>
    let packing: Compression?

    func make(_ index: Int) {
        let (source, task, parent) = work[index]
        var section = source.section(of: task, parent: parent)
        if let packing {
            // What cannot be compressed here is left to the store, which says why.
            section.blocks = section.blocks.map { (try? $0.packed(packing)) ?? $0 }
        }
        made[index] = section
    }
}

/// Puts the blocks of one partition's chain together, for a snapshot made in the background.
///
/// Unchecked: the operators' maker is a pure function (it makes a new object of its arguments), everything else is a value,
/// and what `merge` makes is used by one thread.
private struct ChainMerger: @unchecked Sendable {
    let source: SourceDefinition
    let plans: [(index: Int, plan: QueryPlan)]
    let format: any Format
    let limits: DecodeLimits
    let options: TaskOptions
    let makeOperator: (QueryPlan, PartitionID, SeriesDictionary) -> any WindowOperator

    func merge(_ partition: PartitionID, _ blocks: [StateBlock]) throws -> [StateBlock] {
        let execution = SourceExecution(definition: source, plans: plans, job: "")
        let task = PartitionTask(
            reader: UnstartedReader(id: partition), decoder: format.makeDecoder(limits: limits), options: options,
            makeOperators: { id, series in plans.map { makeOperator($0.plan, id, series) } })
        task.trackStateChanges()
        try execution.restore(task, blocks)
        return execution.section(of: task, parent: nil).blocks
    }
}

/// The epoch protocol (SEMANTICS §5, `docs/exactly-once.md`): prepare, decide at one point, publish.
extension JobExecution {
    var token: EpochToken { EpochToken(incarnation: options.incarnation, number: epoch) }

    /// Ends an epoch, where there is something to commit. Throws `EpochFailure` where it was not decided: everything returns
    /// to the last decided state then (`recover`).
    func commitEpoch() throws {
        let nowNs = clock.monotonicNs()
        let epochStartNs = lastTriggerNs
        lastTriggerNs = nowNs
        guard hasNews, session?.catchingUp.isEmpty ?? true else { return }
        // An epoch without offsets would be held to nobody's right to commit.
        guard session == nil || sources.contains(where: { !$0.tasks.isEmpty }) else { return }
        FaultPoint.reach(.planned)
        if let session { try commit(session) } else { try commitWithoutCheckpoint() }
        latency.published(nowMs: clock.wallMs())
        for entry in sources.flatMap(\.emitters) { entry.emitter.anomalies?.noteDecided() }
        epoch += 1
        epochsCommitted += 1
        dirty = false
        onProgress?(progress(sinceNs: epochStartNs, commitStartNs: nowNs))
        lastWork = TriggerWork()
        noteSinks()
        try checkStateBytes()
    }

    private func commitWithoutCheckpoint() throws {
        for sink in outputs.all { try sink.prepare(token) }
        try publish()
    }

    private func publish() throws(SinkError) {
        for sink in outputs.all {
            try sink.publish(token)
            FaultPoint.reach(.sinkPublished)
        }
        FaultPoint.reach(.published)
    }

    private func commit(_ session: CheckpointSession) throws {
        for sink in outputs.all where !sink.isTransactional {
            try prepare(sink)
            FaultPoint.reach(.sinkPrepared)
        }
        let record = try writeState(session)
        FaultPoint.reach(.stateWritten)
        if session.publishesFirst { try publish() }
        try decide(session, offsets(of: record))
        FaultPoint.reach(.decided)
        session.undecided = nil
        session.lastAbort = ("", 0)
        session.decisionCount += record.decisions.count
        for partition in record.partitions { session.states[partition.partition] = partition.state }
        if !session.publishesFirst { try publish() }
        try session.store.decided(record)
        FaultPoint.reach(.cleaned)
        compact(record, session)
    }

    /// A sink that is out of reach for now gives the epoch up; one that refuses for good stops the job.
    private func prepare(_ sink: any Sink) throws {
        do throws(SinkError) {
            try sink.prepare(token)
        } catch {
            guard sink.isTransactional || error.isRetriable else { throw error }
            throw EpochFailure(
                kind: .aborted, description: error.description, isRetriable: error.isRetriable, needsRenewal: false)
        }
    }

    /// The offsets an epoch commits, with their tokens.
    private func offsets(of record: EpochRecord) -> [PartitionID: CommittedOffset] {
        var offsets: [PartitionID: CommittedOffset] = [:]
        for partition in record.partitions {
            offsets[partition.partition] = CommittedOffset(
                offset: partition.nextOffset,
                metadata: CommittedToken(
                    epoch: record.token, state: partition.state, shown: shown(of: partition.partition)
                ).metadata)
        }
        return offsets
    }

    /// How far the verdicts on a partition's windows that wait for events were shown.
    private func shown(of id: PartitionID) -> [String: Int64] {
        var shown: [String: Int64] = [:]
        for entry in sources.first(where: { $0.definition.name == id.source })?.emitters ?? [] {
            shown.merge(entry.emitter.anomalies?.shown(to: entry.emitter.plan.detectorOwner(of: id)) ?? [:]) {
                max($0, $1)
            }
        }
        return shown
    }

    /// One transaction: what transactional sinks send, and the offsets.
    func decide(_ session: CheckpointSession, _ offsets: [PartitionID: CommittedOffset]) throws {
        let point = session.commitPoint
        do throws(SourceError) {
            try point.begin()
        } catch {
            throw EpochFailure(
                kind: .aborted, description: error.description, isRetriable: error.isRetriable, needsRenewal: true)
        }
        FaultPoint.reach(.transactionBegun)
        for sink in outputs.all where sink.isTransactional { try prepare(sink) }
        FaultPoint.reach(.outputsSent)
        session.undecided = token
        switch point.commit(offsets) {
        case .committed: return
        case .aborted(let error):
            // Fenced by the group: its events say what is next; the same words twice are no reason that lasts.
            throw EpochFailure(
                kind: .aborted, description: error.description,
                isRetriable: error.isRetriable || error.kind == .fenced, needsRenewal: false)
        case .unknown(let error), .fenced(let error):
            throw EpochFailure(
                kind: .unknown, description: error.description, isRetriable: true, needsRenewal: true)
        }
    }

    // MARK: State

    /// Writes the epoch's file: what changed of each partition, and what all share.
    private func writeState(_ session: CheckpointSession) throws -> EpochRecord {
        var work: [(source: SourceExecution, task: PartitionTask, parent: EpochToken?)] = []
        for source in sources {
            for task in source.tasks where task.nextOffset != nil && source.isDirty(task) {
                work.append((source, task, session.states[task.id]))
            }
        }
        let sections = makeSections(work)
        for source in sources {
            source.noteSaved(Set(work.filter { $0.source === source }.map(\.task.id)))
        }
        let written = Set(work.map(\.task.id))
        var partitions: [PartitionRecord] = []
        for task in sources.flatMap(\.tasks) {
            guard let state = written.contains(task.id) ? token : session.states[task.id], let next = task.nextOffset
            else { continue }
            partitions.append(
                PartitionRecord(
                    partition: task.id, nextOffset: next, state: state, watermarkMs: task.watermarkMs,
                    ledger: task.ledger))
        }
        let shared = changedShared(session)
        var record = EpochRecord(
            token: token, writtenMs: clock.wallMs(), slot: session.commitPoint.slot, isFromReplay: false,
            partitions: partitions, shared: session.shared.mapValues(\.epoch),
            decisions: session.unwrittenDecisions)
        record.earlierDecisions = session.decisionCount
        // One that was taken before the first epoch had its number goes with this one.
        for place in record.decisions.indices { record.decisions[place].epoch = token.number }
        session.unwrittenDecisions = []
        try session.store.write(record, sections: sections, shared: shared)
        return record
    }

    /// Asks for snapshots of the partitions that this epoch has added to.
    private func compact(_ record: EpochRecord, _ session: CheckpointSession) {
        guard let compact = session.compact else { return }
        for partition in record.partitions where partition.state == record.token {
            let id = partition.partition
            guard let execution = sources.first(where: { $0.definition.name == id.source }),
                let format = job.formats[id.source]
            else { continue }
            let merger = ChainMerger(
                source: execution.definition,
                plans: execution.emitters.map { ($0.index, $0.emitter.plan) }, format: format,
                limits: job.decodeLimits(of: execution.definition), options: job.taskOptions(of: execution.definition),
                makeOperator: makeOperator)
            compact(id, record.token) { try merger.merge(id, $0) }
        }
    }

    private func makeSections(
        _ work: [(source: SourceExecution, task: PartitionTask, parent: EpochToken?)]
    ) -> [PartitionSection] {
        guard !work.isEmpty else { return [] }
        let made = UnsafeMutablePointer<PartitionSection?>.allocate(capacity: work.count)
        made.initialize(repeating: nil, count: work.count)
        defer {
            made.deinitialize(count: work.count)
            made.deallocate()
        }
        let sections = Sections(work: work, made: made, packing: session?.packing)
        pool.run(work.count) { sections.make($0) }
        return (0..<work.count).compactMap { made[$0] }
    }

    /// What belongs to sources and queries, where it differs from what was written last.
    private func changedShared(_ session: CheckpointSession) -> [StateBlock] {
        var changed: [StateBlock] = []
        func note(_ id: StateID, _ bytes: [UInt8]) {
            guard session.shared[id]?.bytes != bytes else { return }
            session.shared[id] = (token, bytes)
            changed.append(StateBlock(id: id, isWhole: true, bytes: bytes, rows: 1))
        }
        for source in sources {
            note(.source(source.definition.name), source.encodeShared())
            for entry in source.emitters { note(.query(entry.emitter.plan.name), entry.emitter.encodeShared()) }
        }
        return changed
    }

    /// Writes the state of a replay that has read everything, windows still open, for a run to go on from.
    func leaveCheckpoint() throws {
        guard let store = replayCheckpoint else { return }
        for source in sources { source.advanceWatermark() }
        try emit(trigger: false)
        var sections: [PartitionSection] = []
        var partitions: [PartitionRecord] = []
        var starts: [Decision] = []
        // Broadcast sources are read whole at each start.
        let kept = sources.filter { !$0.definition.isBroadcast }
        for source in kept {
            for task in source.tasks {
                // Where there was nothing to read, the run begins where the replay ended.
                if task.nextOffset == nil { task.nextOffset = task.reader.endOffset }
                guard let next = task.nextOffset else { continue }
                starts.append(
                    Decision(
                        kind: .start(after: nil), source: source.definition.name, partition: task.id,
                        nextOffset: task.reader.firstOffset ?? next, epoch: epoch))
                sections.append(source.section(of: task, parent: nil))
                partitions.append(
                    PartitionRecord(
                        partition: task.id, nextOffset: next, state: token, watermarkMs: task.watermarkMs,
                        ledger: task.ledger))
            }
            source.waitsForEnded = false
        }
        var shared: [StateBlock] = []
        for source in kept {
            let bytes = source.encodeShared()
            shared.append(StateBlock(id: .source(source.definition.name), isWhole: true, bytes: bytes, rows: 1))
            for entry in source.emitters {
                let bytes = entry.emitter.encodeShared()
                shared.append(StateBlock(id: .query(entry.emitter.plan.name), isWhole: true, bytes: bytes, rows: 1))
            }
        }
        let pointers = Dictionary(uniqueKeysWithValues: shared.map { ($0.id, token) })
        try store.write(
            EpochRecord(
                token: token, writtenMs: clock.wallMs(), slot: "replay", isFromReplay: true, partitions: partitions,
                shared: pointers, decisions: starts), sections: sections, shared: shared)
    }
}
