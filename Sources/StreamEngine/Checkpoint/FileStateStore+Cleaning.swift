import Platform

extension FileStateStore {
    /// What must stay.
    private struct Needed {
        var epochs: Set<EpochToken> = []
        var snapshots: Set<SnapshotName> = []
    }

    /// The epoch was decided. What is older than the epochs to keep goes, on the store's own thread and not at every call.
    ///
    /// Deleted are only (DESIGN §3): files of this incarnation that no retained epoch's chains need, nor another member
    /// that took a partition over; and files of other incarnations whose every partition this process has owned for as many
    /// decided epochs as are kept, when its own chains do not go back to them and they are older than `abandonedAfterMs`.
    public func decided(_ record: EpochRecord) throws(CheckpointError) {
        let nowNs = clock.monotonicNs()
        let nowMs = clock.wallMs()
        let isDue = known.withLock { known in
            known.forgetHeaders()
            let chains = known
            known.retention.decided(record, retain: options.retainEpochs, nowMs: nowMs) { partition, state in
                chains.chain(partition, at: state) ?? [state]
            }
            guard !known.retention.isCleaning else { return false }
            if let last = known.retention.cleanedNs, nowNs - last < options.cleaningIntervalMs * 1_000_000 {
                return false
            }
            known.retention.cleanedNs = nowNs
            known.retention.isCleaning = true
            return true
        }
        guard isDue else { return }
        let work: @Sendable () -> Void = { [self] in
            do throws(CheckpointError) { try clean() } catch { report(.cleaningFailed(error)) }
            known.withLock { $0.retention.isCleaning = false }
        }
        guard let background else { return work() }
        // The queue is bounded by the partitions that are being written whole; cleaning is one more.
        if !background.add(limit: .max, work) { known.withLock { $0.retention.isCleaning = false } }
    }

    private func clean() throws(CheckpointError) {
        let needed: Needed
        switch known.withLock({ neededNow(&$0) }) {
        case .success(let found): needed = found
        case .failure(let error): throw error
        }
        do throws(IOFailure) {
            try cleanOwn(needed)
            let nowNs = clock.monotonicNs()
            let isForeignDue = known.withLock { known in
                // Other processes' files go slowly, and looking means reading.
                if let last = known.retention.foreignCleanedNs,
                    nowNs - last < options.cleaningIntervalMs * 12_000_000
                {
                    return false
                }
                known.retention.foreignCleanedNs = nowNs
                return true
            }
            if isForeignDue { try cleanForeign(needed) }
        } catch {
            throw CheckpointError(error)
        }
    }

    /// What the chains of all retained epochs need. A chain that is not all known keeps everything.
    private func neededNow(_ known: inout KnownChains) -> Result<Needed, CheckpointError> {
        var needed = Needed()
        var visited: [PartitionID: Set<EpochToken>] = [:]
        let retention = known.retention
        for record in retention.decided + retention.undecided {
            needed.epochs.insert(record.token)
            needed.epochs.formUnion(record.shared.values)
            for partition in record.partitions {
                let id = partition.partition
                var token = partition.state
                while visited[id, default: []].insert(token).inserted {
                    guard let link = known.links[id]?[token] else {
                        return .failure(
                            CheckpointError(
                                .mismatch,
                                "epoch \(record.token) names state of \(id) at epoch \(token), which was neither "
                                    + "written nor loaded here"))
                    }
                    if link.snapshotBytes != nil {
                        needed.snapshots.insert(SnapshotName(partition: id, token: token))
                        break
                    }
                    needed.epochs.insert(token)
                    guard let parent = link.parent else { break }
                    token = parent
                }
            }
        }
        for (partition, pin) in retention.pinned {
            needed.epochs.formUnion(pin.tokens)
            needed.snapshots.formUnion(pin.tokens.map { SnapshotName(partition: partition, token: $0) })
        }
        // Links that no retained epoch goes through are not asked for again.
        for (partition, tokens) in visited where !retention.isFresh(partition) {
            known.links[partition] = known.links[partition]?.filter { tokens.contains($0.key) }
        }
        return .success(needed)
    }

    private func cleanOwn(_ needed: Needed) throws(IOFailure) {
        let (numbers, snapshots, lastDecided) = known.withLock { known in
            (
                known.retention.ownFiles.sorted(), known.retention.snapshots,
                known.retention.last?.token.number ?? -1
            )
        }
        let gone = numbers.filter {
            $0 < lastDecided && !needed.epochs.contains(EpochToken(incarnation: incarnation, number: $0))
        }
        try keepOwnDecisions(gone)
        for number in gone {
            try files.remove(layout.epoch(EpochToken(incarnation: incarnation, number: number)))
            known.withLock { $0.retention.removed(number) }
        }
        for snapshot in snapshots where !needed.snapshots.contains(snapshot) {
            try files.remove(layout.snapshot(snapshot.partition, at: snapshot.token))
            known.withLock { _ = $0.retention.snapshots.remove(snapshot) }
        }
    }

    private func cleanForeign(_ needed: Needed) throws(IOFailure) {
        let retention = known.withLock { $0.retention }
        let owned = Set((retention.last?.partitions ?? []).map(\.partition))
        let untilMs = clock.wallMs() - options.abandonedAfterMs
        func isSettled(_ partition: PartitionID) -> Bool {
            retention.isSettled(partition, owned: owned, retain: options.retainEpochs)
        }
        var sharedElsewhere: Set<EpochToken> = []
        var candidates: [EpochRecord] = []
        // The last file of a process may be of an epoch that was not decided, unless somebody went on from it.
        var newest: [String: Int] = [:]
        var goneOnFrom: Set<EpochToken>? = retention.predecessors
        for other in try names(in: layout.epochs) where other != incarnation {
            guard CheckpointLayout.isIncarnation(other) else { continue }
            for name in try names(in: layout.epochs(of: other)) {
                let path = FilePath.join(layout.epochs(of: other), name)
                if CheckpointLayout.isTemporary(name) {
                    try removeAbandoned(path, untilMs)
                    continue
                }
                // A damaged file does not say whose it is, nor what it goes on from: it stays, and `checkpoint verify` names it.
                guard let number = CheckpointLayout.number(of: name) else { continue }
                guard let reader = try? StateFileReader(path, files: files), (try? reader.close()) != nil else {
                    goneOnFrom = nil
                    continue
                }
                let header = reader.header
                let token = EpochToken(incarnation: other, number: number)
                newest[other] = max(newest[other] ?? 0, number)
                goneOnFrom?.formUnion(header.record.decisions.compactMap(\.predecessor))
                let partitions = Set(header.record.partitions.map(\.partition)).union(header.sections.map(\.partition))
                if !partitions.isEmpty, !needed.epochs.contains(token), partitions.allSatisfy(isSettled) {
                    candidates.append(header.record)
                } else {
                    sharedElsewhere.formUnion(header.record.shared.values)
                }
            }
        }
        var gone: [EpochRecord] = []
        for record in candidates where !sharedElsewhere.contains(record.token) {
            if try isAbandoned(layout.epoch(record.token), untilMs) { gone.append(record) }
        }
        try keepForeignDecisions(gone, newest: newest, goneOnFrom: goneOnFrom)
        for record in gone { try files.remove(layout.epoch(record.token)) }
        for other in try names(in: layout.states) where other != incarnation && CheckpointLayout.isIncarnation(other) {
            for name in try names(in: layout.states(of: other)) {
                let path = FilePath.join(layout.states(of: other), name)
                if CheckpointLayout.isTemporary(name) {
                    try removeAbandoned(path, untilMs)
                    continue
                }
                guard CheckpointLayout.number(ofSnapshot: name) != nil,
                    let reader = try? StateFileReader(path, files: files), (try? reader.close()) != nil,
                    let partition = reader.header.sections.first?.partition, isSettled(partition)
                else { continue }
                let snapshot = SnapshotName(partition: partition, token: reader.header.record.token)
                if !needed.snapshots.contains(snapshot) { try removeAbandoned(path, untilMs) }
            }
        }
        for directory in [layout.epochs, layout.states] { try removeEmpty(in: directory, untilMs) }
        unpin(retention.pinned)
    }

    /// Names in a directory; none where there is no directory.
    func names(in directory: String) throws(IOFailure) -> [String] {
        do throws(IOFailure) { return try files.list(directory) } catch {
            guard error.isNotFound else { throw error }
            return []
        }
    }

    private func removeAbandoned(_ path: String, _ untilMs: Int64) throws(IOFailure) {
        if try isAbandoned(path, untilMs) { try files.remove(path) }
    }

    private func isAbandoned(_ path: String, _ untilMs: Int64) throws(IOFailure) -> Bool {
        guard let status = try files.status(path) else { return false }
        return status.modifiedMs < untilMs
    }

    /// Directories of incarnations that have nothing left.
    private func removeEmpty(in directory: String, _ untilMs: Int64) throws(IOFailure) {
        for name in try names(in: directory) where name != incarnation {
            let path = FilePath.join(directory, name)
            guard try names(in: path).isEmpty else { continue }
            do throws(IOFailure) { try removeAbandoned(path, untilMs) } catch {
                // Its owner may write into it at this moment.
                guard error.isNotEmpty else { throw error }
            }
        }
    }

    /// Lets go of chains whose partition another member has decided state of that does not go back to this process.
    private func unpin(_ pinned: [PartitionID: Retention.Pin]) {
        guard !pinned.isEmpty, let incarnations = try? names(in: layout.epochs) else { return }
        for other in incarnations where other != incarnation {
            let numbers = ((try? names(in: layout.epochs(of: other))) ?? []).compactMap {
                CheckpointLayout.number(of: $0)
            }
            // The newest file may be undecided; one behind which another follows was decided.
            guard let number = numbers.sorted().dropLast().last,
                let record = try? header(EpochToken(incarnation: other, number: number)).record
            else { continue }
            for (partition, pin) in pinned where record.writtenMs > pin.sinceMs {
                guard let state = record.partitions.first(where: { $0.partition == partition })?.state,
                    isIndependent(partition, from: state)
                else { continue }
                known.withLock { $0.retention.pinned[partition] = nil }
            }
        }
    }

    /// Whether a chain can be followed to its root without a file of this incarnation.
    private func isIndependent(_ partition: PartitionID, from state: EpochToken) -> Bool {
        var next: EpochToken? = state
        var visited: Set<EpochToken> = []
        while let token = next {
            guard token.incarnation != incarnation, visited.insert(token).inserted else { return false }
            if let snapshot = try? openSnapshot(partition, at: token), (try? snapshot.close()) != nil { return true }
            guard let section = try? header(token).section(partition) else { return false }
            next = section.parent
        }
        return true
    }
}
