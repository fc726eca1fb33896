/// Partitions that the group gives and takes.
extension JobExecution {
    /// Remembers what was there at the start, where that decides from which offset a partition is read.
    func notePresent(_ source: any LiveSource) {
        guard live.presentAtStart == nil, !live.everAssigned, live.isReachable else { return }
        let isEarliest = sources.allSatisfy {
            if case .earliest = $0.definition.startingOffsets { true } else { false }
        }
        guard !isEarliest else { return }
        do throws(SourceError) {
            live.presentAtStart = try source.partitions(timeoutMs: 300)
        } catch {
            // Asked again at the next turn; what keeps the broker from answering is told by the source's events.
            return
        }
    }

    /// Partitions that are this member's now.
    func assigned(_ ids: [PartitionID], from source: any LiveSource, _ log: (String) -> Void) throws {
        let isFirst = !live.everAssigned
        live.everAssigned = true
        live.holdsAssignment = true
        live.waiting += ids
        live.nextTryNs = 0
        try checkShare(source, isFirst: isFirst, log)
        if ids.isEmpty, sources.allSatisfy(\.tasks.isEmpty) { log("no partition for this member so far") }
    }

    /// The group went on without this member: what it has not committed is not its to commit any more.
    func loseEpoch(_ log: (String) -> Void) throws {
        guard session != nil else { return }
        try recover(
            EpochFailure(
                kind: .aborted, description: "this member lost its partitions", isRetriable: true, needsRenewal: false),
            log)
    }

    /// Gives partitions back. Without a checkpoint their tasks stay in memory and go on where they stopped when they come again.
    func giveBack(_ ids: [PartitionID], to source: any LiveSource) throws {
        let gone = Set(ids)
        live.holdsAssignment = false
        live.waiting.removeAll { gone.contains($0) }
        if let session {
            session.commitPoint.assignmentEnded()
            for execution in sources { execution.drop(gone, goElsewhere: true) }
            // What all share is of no meaning without them: a verdict that waits is its next owner's to give.
            forgetSharedIfAlone(session)
            for id in ids {
                session.states[id] = nil
                session.catchingUp[id] = nil
                session.started.remove(id)
                live.readers[id] = nil
            }
        } else {
            for execution in sources { execution.park(gone) }
        }
        try source.release(ids)
    }

    /// A query that is not partition-local is right only where one process reads all partitions (DESIGN §1). A member that
    /// finds others at work leaves them alone; one that is joined by another says so.
    private func checkShare(_ source: any LiveSource, isFirst: Bool, _ log: (String) -> Void) throws {
        let mine = Set(sources.flatMap(\.tasks).map(\.id) + live.waiting)
        let others: Set<PartitionID>
        do throws(SourceError) {
            others = try source.partitions(timeoutMs: 2000).subtracting(mine)
            // Partitions made a moment ago belong to nobody yet.
            let members = others.isEmpty ? nil : try source.memberCount(timeoutMs: 2000)
            guard let members, members > 1 else {
                if live.isShared { log("all partitions are read by this member again") }
                live.isShared = false
                return
            }
        } catch {
            log("warning: cannot tell whether other members read partitions of this job: \(error)")
            return
        }
        live.isShared = true
        let share = "\(others.count) of \(others.count + mine.count) partitions belong to other members of the group"
        guard let query = job.queries.first(where: { !$0.isPartitionLocal }), let reason = query.notPartitionLocal
        else {
            log("\(share): \(PartitionID.list(others.sorted()))")
            return
        }
        let consequence = """
            query \(query.name) is right only where one process reads all partitions (\(reason)). Run one member, or \
            let the producer partition by labels of `groupBy` and say so with `partitionedBy`
            """
        guard !isFirst else { throw JobFailure("\(share), and \(consequence)") }
        log("warning: \(share) now: its rows here and there cover a part of the input each, as \(consequence)")
    }

    /// Starts assigned partitions once the broker says from which offset. Where it does not answer, the run goes on
    /// and asks again.
    func startWaiting(_ source: any LiveSource, _ log: (String) -> Void) throws {
        guard !live.waiting.isEmpty, clock.monotonicNs() >= live.nextTryNs else { return }
        // A transaction that begins with new partitions must not carry rows of an epoch that others are in.
        if session != nil, hasNews, !(try finishEpochOrRecover(log)) { return }
        let ids = live.waiting
        do {
            if let session {
                try startFromCheckpoint(ids, session, source, log)
            } else {
                let offsets = try firstOffsets(ids, source)
                try start(offsets, from: source)
                let list = offsets.sorted { $0.key < $1.key }.map { "\($0.key)@\($0.value)" }
                log("reading \(list.joined(separator: " "))")
            }
            live.hasSaidRetry = false
            live.waiting = []
        } catch let error as SourceError {
            guard error.isRetriable else { throw JobFailure(error.description) }
            tryAgain(error.description, log)
        } catch let failure as EpochFailure {
            try recover(failure, log)
            tryAgain(failure.description, log)
        }
    }

    /// Partitions that could not be started go on waiting.
    private func tryAgain(_ reason: String, _ log: (String) -> Void) {
        if !live.hasSaidRetry { log("\(reason); trying again") }
        live.hasSaidRetry = true
        live.nextTryNs = max(live.nextTryNs, clock.monotonicNs() + 500_000_000)
    }

    /// Where each partition is read from: where this process stopped when it was given back; the job's
    /// `startingOffsets`; its first offset where it was made after the start (SEMANTICS §3 "a partition that joins").
    func firstOffsets(
        _ ids: [PartitionID], _ source: any LiveSource
    ) throws(SourceError) -> [PartitionID: Int64] {
        var offsets: [PartitionID: Int64] = [:]
        for execution in sources {
            for id in ids { if let next = execution.parkedOffset(id) { offsets[id] = next } }
        }
        let fresh = ids.filter { offsets[$0] == nil }
        let (new, present) = (fresh.filter { isNew($0) }, fresh.filter { !isNew($0) })
        if !new.isEmpty { offsets.merge(try source.firstOffsets(new, timeoutMs: 3000)) { $1 } }
        if !present.isEmpty { offsets.merge(try source.startingOffsets(present, timeoutMs: 3000)) { $1 } }
        return offsets
    }

    private func isNew(_ id: PartitionID) -> Bool { live.presentAtStart.map { !$0.contains(id) } ?? false }

    private func start(_ offsets: [PartitionID: Int64], from live: any LiveSource) throws {
        let readers = try live.start(offsets)
        let nowMs = clock.wallMs()
        for (id, offset) in offsets where self.live.starts[id] == nil { self.live.starts[id] = offset }
        for source in sources {
            var new: [any PartitionReader] = []
            for reader in readers where reader.id.source == source.definition.name {
                source.lastArrivalMs[reader.id] = nowMs
                source.allIdleSince = nil
                if source.joinsLate(reader.id), let watermarkMs = source.watermarkMs {
                    record(
                        Decision(
                            kind: .join(watermarkMs: watermarkMs), source: source.definition.name,
                            partition: reader.id, nextOffset: offsets[reader.id], epoch: epoch))
                }
                if let task = source.unpark(reader.id) {
                    task.resume(reader)
                    source.add(task)
                } else {
                    new.append(reader)
                }
            }
            try add(new, to: source)
        }
    }
}

extension PartitionID {
    /// Names for a message; a long list is cut.
    static func list(_ ids: [PartitionID]) -> String {
        let shown = ids.prefix(12).map(\.description).joined(separator: ", ")
        return ids.count > 12 ? "\(shown) and \(ids.count - 12) more" : shown
    }
}
