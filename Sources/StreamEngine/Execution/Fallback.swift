import Platform

/// Older state that is read on from, as newer state is lost (SEMANTICS §5 "falling back").
struct Fallback {
    /// The state of one partition, and the first offset that it has not seen.
    struct Origin {
        /// nil: before its first record.
        let state: EpochToken?
        let offset: Int64
    }

    /// Of the partitions that are read again.
    let origins: [PartitionID: Origin]
    /// What all partitions share is as of this epoch; nil: as before the first record.
    let shared: EpochRecord?
    /// What the clock decided on the way from there to the committed offsets.
    let run: RecordedRun

    /// For people.
    var description: String {
        shared.map { "the state of epoch \($0.token)" }
            ?? "the first records of \(PartitionID.list(origins.keys.sorted()))"
    }
}

extension JobExecution {
    /// Where partitions are read again from whose newest state is lost, as `error` says.
    ///
    /// Where queries mix partitions all of them return to one epoch, as what they share does. A partition that joined since has
    /// no state there: it is read from its first record. Where each partition goes its own way, those whose state is lost
    /// return each to the newest one they have: epochs of other members do not name them.
    func fallBack(
        _ tokens: [PartitionID: CommittedToken], _ session: CheckpointSession, _ error: CheckpointError
    ) throws -> Fallback {
        let epochs = tokens.mapValues(\.epoch)
        let older = try session.store.newestWholeRecord(before: epochs)
        let known = tokens.filter { $0.value.state != nil }.map(\.key)
        var lost = known
        var records: [PartitionID: EpochRecord] = [:]
        if job.queries.allSatisfy(\.isPartitionLocal) {
            lost = try known.filter { !(try isWhole($0, at: tokens[$0]?.state, session)) }
            // What cannot be read may be what all share, or state that does not decode.
            if lost.isEmpty { lost = known }
            for id in lost { records[id] = try session.store.newestWholeRecord(before: epochs.filter { $0.key == id }) }
        } else {
            guard let older else { throw nothingOlder(error) }
            for id in lost { records[id] = older }
        }
        var origins: [PartitionID: Fallback.Origin] = [:]
        for id in lost {
            guard let own = records[id]?.partitions.first(where: { $0.partition == id }) else { continue }
            origins[id] = Fallback.Origin(state: own.state, offset: own.nextOffset)
        }
        let run = try session.store.decisions(
            after: records.filter { origins[$0.key] != nil }.mapValues(\.token),
            upTo: epochs.filter { lost.contains($0.key) })
        for id in lost where origins[id] == nil {
            if let first = run.starts[id] {
                origins[id] = Fallback.Origin(state: nil, offset: first)
            } else if !(try isWhole(id, at: tokens[id]?.state, session)) {
                throw nothingOlder(error)
            }
        }
        return Fallback(origins: origins, shared: older, run: run)
    }

    private func isWhole(
        _ id: PartitionID, at state: EpochToken?, _ session: CheckpointSession
    ) throws(CheckpointError) -> Bool {
        guard let state else { return true }
        do throws(CheckpointError) {
            _ = try session.store.load(id, at: state)
            return true
        } catch {
            switch error.kind {
            case .missing, .damaged, .mismatch: return false
            case .io, .version: throw error
            }
        }
    }

    private func nothingOlder(_ error: CheckpointError) -> JobFailure {
        JobFailure(
            """
            \(error); there is no older whole state to fall back on in \(job.definition.checkpoint.location). Ways on: \
            restore the directory from a copy; `--new-checkpoint --from earliest|latest|TIME` to start afresh
            """)
    }

    /// Keeps what the clock decided on the way. Until that is repeated, every partition counts for the watermark: it comes no
    /// further than the run was, whoever was idle when.
    func notePast(_ fallback: Fallback, _ epochs: [PartitionID: EpochToken], _ session: CheckpointSession) {
        var wereIdle: Set<PartitionID> = []
        for source in sources {
            for id in epochs.keys where source.isIdle(id) {
                wereIdle.insert(id)
                source.setIdle(id, false)
            }
            source.allIdleSince = nil
        }
        session.past = PastDecisions(fallback.run, wereIdle: wereIdle, newest: epochs, in: session.store)
        recordedRun = fallback.run
    }
}
