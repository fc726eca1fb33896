/// Broadcast sources of a live run: read whole by every member, outside the group, from their `startingOffsets` at each
/// start (SEMANTICS §9). Nothing of them is committed: which events count, and when, depends on their records alone.
extension JobExecution {
    /// Reads what is at hand of the broadcast sources.
    func readBroadcasts(_ log: (String) -> Void) throws {
        guard !broadcasts.isEmpty else { return }
        for reader in broadcastReaders {
            for event in reader.poll(untilNs: clock.monotonicNs()) {
                switch event {
                case .assigned(let ids): live.broadcastWaiting.append((reader, ids))
                case .warning(let text): log("warning: \(text)")
                case .failed(let error): throw JobFailure(error.description)
                // Outside a group nothing is taken away; that brokers come and go the group's own client tells.
                case .revoked, .lost, .brokerDown, .brokerUp: break
                }
            }
        }
        try startBroadcasts(log)
        // Events move no offset of the group: they make no epoch, and what the clock decides of them goes with the next one.
        let hadNews = dirty
        defer { dirty = hadNews }
        let tasks = broadcasts.flatMap { source in source.tasks.map { (source: source, task: $0) } }
        try slice(tasks, bytes: options.sliceBytes)
        let nowMs = clock.wallMs()
        let looked = Set(tasks.map(\.task.id))
        for source in broadcasts {
            noteArrivals(source, nowMs: nowMs)
            noteIdle(source, looked, nowMs: nowMs)
            source.advanceWatermark()
        }
    }

    /// Whether a bounded run, which has read all else, has also read what there is of its broadcast sources: verdicts
    /// whose events are there need not wait for the next run. It does not wait for ever for a topic that is not there.
    func isContextRead(_ log: (String) -> Void) -> Bool {
        let unread = broadcasts.filter { source in
            !live.broadcastWaiting.isEmpty || source.tasks.isEmpty
                || source.tasks.contains { if case .caughtUp = $0.outcome { false } else { true } }
        }
        guard !unread.isEmpty else { return true }
        let nowNs = clock.monotonicNs()
        let deadlineNs = live.contextDeadlineNs ?? nowNs + options.reachTimeoutMs * 1_000_000
        live.contextDeadlineNs = deadlineNs
        guard nowNs >= deadlineNs else { return false }
        let names = unread.map(\.definition.name).joined(separator: ", ")
        log("warning: \(names) could not be read whole; verdicts that wait for its events are the next run's")
        return true
    }

    private func startBroadcasts(_ log: (String) -> Void) throws {
        let waiting = live.broadcastWaiting
        live.broadcastWaiting = []
        for (reader, ids) in waiting {
            do throws(SourceError) {
                let offsets = try reader.startingOffsets(ids, timeoutMs: 3000)
                let readers = try reader.start(offsets)
                try addBroadcast(readers)
                log("reading \(PartitionID.list(ids)) as context")
            } catch {
                guard error.isRetriable else { throw JobFailure(error.description) }
                live.broadcastWaiting.append((reader, ids))
            }
        }
    }

    private func addBroadcast(_ readers: [any PartitionReader]) throws(SourceError) {
        let nowMs = clock.wallMs()
        for source in broadcasts {
            let own = readers.filter { $0.id.source == source.definition.name }
            for reader in own {
                source.lastArrivalMs[reader.id] = nowMs
                guard let first = reader.firstOffset else { continue }
                note(
                    Decision(
                        kind: .start(after: nil), source: source.definition.name, partition: reader.id,
                        nextOffset: first, epoch: epoch))
            }
            do throws(JobFailure) {
                try add(own, to: source)
            } catch {
                throw SourceError(.other, error.description)
            }
        }
    }
}
