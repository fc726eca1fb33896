import Platform

extension FileStateStore {
    /// How many snapshots may wait for the thread.
    private static let queueMax = 64

    /// Has a snapshot made of a partition's chain up to a decided epoch, on the store's own thread: `merge` is given the
    /// chain's blocks, oldest first, and gives back the same state with every block whole. From then on the chain is read
    /// from there; the chain itself stays until no retained epoch needs it.
    ///
    /// Returns false where nothing was begun: one is under way for this partition, too many wait, the epoch is not decided,
    /// or it has a snapshot. A failure is reported (`CheckpointNotice.snapshotFailed`) and changes nothing.
    @discardableResult
    public func compact(
        _ partition: PartitionID, at state: EpochToken,
        merge: @escaping @Sendable ([StateBlock]) throws -> [StateBlock]
    ) -> Bool {
        let mayBegin = known.withLock { known in
            guard let link = known.links[partition]?[state], link.snapshotBytes == nil, link.parent != nil,
                known.retention.isDecided(state, by: incarnation)
            else { return false }
            return known.compacting.insert(partition).inserted
        }
        guard mayBegin else { return false }
        let work: @Sendable () -> Void = { [self] in
            makeSnapshot(partition, at: state, merge)
            _ = known.withLock { $0.compacting.remove(partition) }
        }
        guard let background else {
            work()
            return true
        }
        guard background.add(limit: Self.queueMax, work) else {
            _ = known.withLock { $0.compacting.remove(partition) }
            return false
        }
        return true
    }

    /// Returns when no snapshot and no cleaning is under way.
    public func drain() { background?.drain() }

    private func makeSnapshot(
        _ partition: PartitionID, at state: EpochToken, _ merge: @Sendable ([StateBlock]) throws -> [StateBlock]
    ) {
        do throws(CheckpointError) {
            let chain = try load(partition, at: state, isTakeover: false)
            let merged: [StateBlock]
            do {
                merged = try merge(chain)
            } catch let error as CheckpointError {
                throw error
            } catch {
                throw CheckpointError(.damaged, "its chain cannot be put together: \(error)")
            }
            guard merged.allSatisfy({ $0.isWhole && $0.id.partition == partition }) else {
                throw CheckpointError(.mismatch, "its chain was not put together whole")
            }
            try writeSnapshot(partition, at: state, merged)
        } catch {
            report(.snapshotFailed(partition, state, error))
        }
    }

    private func writeSnapshot(
        _ partition: PartitionID, at state: EpochToken, _ blocks: [StateBlock]
    ) throws(CheckpointError) {
        var section = SectionEntry(partition: partition, parent: nil, blocks: [])
        var packedBlocks: [StateBlock] = []
        for block in blocks {
            let packed = try block.packed(options.compression)
            // `packed` has set it, or has thrown.
            guard let packing = packed.packing else { preconditionFailure("a packed block says how") }
            section.blocks.append(BlockEntry(packed, packing))
            packedBlocks.append(packed)
        }
        let record = EpochRecord(
            token: state, writtenMs: clock.wallMs(), slot: "", isFromReplay: false, partitions: [], shared: [:],
            decisions: [])
        let directory = layout.states(of: state.incarnation)
        let name = CheckpointLayout.snapshotName(partition, at: state.number)
        do throws(IOFailure) {
            try files.createDirectories(directory)
            try files.syncDirectory(layout.states)
            try files.syncDirectory(layout.root)
            try StateFileWriter(files: files).write(
                StateFileHeader(record: record, sections: [section], shared: []), packedBlocks, kind: .snapshot,
                directory: directory, name: name)
            try files.syncDirectory(directory)
        } catch {
            throw CheckpointError(error)
        }
        FaultPoint.reach(.snapshotWritten)
        known.withLock { known in
            known.links[partition]?[state]?.snapshotBytes = section.count
            known.unusableSnapshots.remove(layout.snapshot(partition, at: state))
            known.retention.snapshots.insert(SnapshotName(partition: partition, token: state))
        }
    }
}

extension FileStateStore {
    /// `compact`, where the partition's changes have grown so much that it pays.
    public func compactIfDue(
        _ partition: PartitionID, at state: EpochToken,
        merge: @escaping @Sendable ([StateBlock]) throws -> [StateBlock]
    ) {
        if needsSnapshot(partition, at: state) { compact(partition, at: state, merge: merge) }
    }
}
