import Platform

extension FileStateStore {
    /// A step of a chain that was followed back.
    private struct Step {
        var token: EpochToken
        var isSnapshot: Bool
        var section: SectionEntry
    }

    /// A partition's blocks at a state token, oldest first: from its last snapshot on. Blocks that a later whole one replaces
    /// are left out and not read.
    public func load(_ partition: PartitionID, at state: EpochToken) throws(CheckpointError) -> [StateBlock] {
        try load(partition, at: state, isTakeover: true)
    }

    /// As `load`; the chain of a takeover is remembered, so that what it needs is kept and its length known.
    func load(
        _ partition: PartitionID, at state: EpochToken, isTakeover: Bool
    ) throws(CheckpointError) -> [StateBlock] {
        let steps = try follow(partition, from: state, isTakeover: isTakeover)
        // The last whole block of each piece of state, counted from the oldest step; what stands before it is not needed.
        var firstNeeded: [StateID: Int] = [:]
        for (index, step) in steps.enumerated() {
            for block in step.section.blocks {
                if block.isWhole {
                    firstNeeded[block.id] = index
                } else if firstNeeded[block.id] == nil {
                    throw CheckpointError(
                        .damaged,
                        "checkpoint file \(path(step, partition)) has changes of \(block.id) that nothing precedes")
                }
            }
        }
        var blocks: [StateBlock] = []
        for (index, step) in steps.enumerated() {
            let needed = step.section.blocks.filter { index >= firstNeeded[$0.id] ?? 0 }
            guard !needed.isEmpty else { continue }
            let reader = try step.isSnapshot ? openSnapshot(partition, at: step.token) : openEpoch(step.token)
            do throws(CheckpointError) {
                for entry in needed { blocks.append(try reader.block(entry)) }
            } catch {
                try? reader.close()
                if step.isSnapshot, error.kind == .damaged {
                    return try loadWithout(partition, state, isTakeover, snapshot: step.token, error)
                }
                throw error
            }
            try reader.close()
        }
        return blocks
    }

    public func loadShared(_ record: EpochRecord) throws(CheckpointError) -> [StateBlock] {
        var blocks: [StateBlock] = []
        let byToken = Dictionary(grouping: record.shared, by: \.value)
        for (token, pieces) in byToken.sorted(by: { $0.value.count > $1.value.count }) {
            let reader = try openEpoch(token)
            do throws(CheckpointError) {
                for id in pieces.map(\.key).sorted(by: { "\($0)" < "\($1)" }) {
                    guard let entry = reader.header.shared.first(where: { $0.id == id }) else {
                        throw CheckpointError(
                            .damaged,
                            "checkpoint file \(reader.path) has no state of \(id), which epoch "
                                + "\(record.token) expects there")
                    }
                    blocks.append(try reader.block(entry))
                }
            } catch {
                try? reader.close()
                throw error
            }
            try reader.close()
        }
        return blocks
    }

    /// A snapshot turned out damaged: it is forgotten, and the chain behind it read, where it is still there.
    private func loadWithout(
        _ partition: PartitionID, _ state: EpochToken, _ isTakeover: Bool, snapshot: EpochToken,
        _ error: CheckpointError
    ) throws(CheckpointError) -> [StateBlock] {
        known.withLock { known in
            known.unusableSnapshots.insert(layout.snapshot(partition, at: snapshot))
            known.links[partition]?[snapshot]?.snapshotBytes = nil
        }
        do throws(CheckpointError) {
            let blocks = try load(partition, at: state, isTakeover: isTakeover)
            report(.snapshotUnusable(partition, error))
            return blocks
        } catch let behind {
            throw CheckpointError(error.kind, "\(error.description); and behind it: \(behind.description)")
        }
    }

    /// The sections of a partition's chain from its root to `state`.
    private func follow(
        _ partition: PartitionID, from state: EpochToken, isTakeover: Bool
    ) throws(CheckpointError) -> [Step] {
        var steps: [Step] = []
        var visited: Set<EpochToken> = []
        var next: EpochToken? = state
        var links: [EpochToken: KnownChains.Link] = [:]
        while let token = next {
            guard visited.insert(token).inserted else {
                throw CheckpointError(
                    .damaged, "the chain of \(partition) from epoch \(state) goes in a circle at epoch \(token)")
            }
            if let snapshot = try snapshotSection(partition, at: token) {
                steps.append(Step(token: token, isSnapshot: true, section: snapshot))
                links[token] = KnownChains.Link(parent: nil, bytes: 0, snapshotBytes: snapshot.count)
                break
            }
            guard let section = try header(token).section(partition) else {
                throw CheckpointError(
                    .mismatch,
                    "checkpoint file \(layout.epoch(token)) has no state of \(partition) (source \(partition.source)), "
                        + "which \(token == state ? "its committed offset" : "a later epoch") expects there")
            }
            steps.append(Step(token: token, isSnapshot: false, section: section))
            links[token] = KnownChains.Link(parent: section.parent, bytes: section.count)
            next = section.parent
        }
        guard isTakeover else { return steps.reversed() }
        known.withLock { known in
            known.links[partition, default: [:]].merge(links) { _, new in new }
            known.retention.loaded(partition)
        }
        return steps.reversed()
    }

    /// What a snapshot of a partition at an epoch holds; nil where there is none that can be used.
    private func snapshotSection(
        _ partition: PartitionID, at token: EpochToken
    ) throws(CheckpointError) -> SectionEntry? {
        guard !known.withLock({ $0.unusableSnapshots.contains(layout.snapshot(partition, at: token)) }) else {
            return nil
        }
        do throws(CheckpointError) {
            let reader = try openSnapshot(partition, at: token)
            try reader.close()
            return reader.header.section(partition)
        } catch {
            switch error.kind {
            case .missing: return nil
            case .damaged:
                known.withLock { known in
                    _ = known.unusableSnapshots.insert(layout.snapshot(partition, at: token))
                }
                report(.snapshotUnusable(partition, error))
                return nil
            case .version, .io, .mismatch: throw error
            }
        }
    }

    /// Opens a snapshot and checks that it is of this partition and epoch.
    func openSnapshot(_ partition: PartitionID, at token: EpochToken) throws(CheckpointError) -> StateFileReader {
        guard CheckpointLayout.isIncarnation(token.incarnation) else {
            throw CheckpointError(.mismatch, "`\(token.incarnation)` is no incarnation of this program")
        }
        let reader = try StateFileReader(layout.snapshot(partition, at: token), files: files)
        let header = reader.header
        guard reader.kind == .snapshot, header.record.token == token, header.sections.count == 1,
            header.shared.isEmpty, let section = header.section(partition), section.parent == nil,
            section.blocks.allSatisfy(\.isWhole)
        else {
            try reader.close()
            throw CheckpointError(
                .damaged, "checkpoint file \(reader.path) is no snapshot of \(partition) at epoch \(token)")
        }
        return reader
    }

    private func path(_ step: Step, _ partition: PartitionID) -> String {
        step.isSnapshot ? layout.snapshot(partition, at: step.token) : layout.epoch(step.token)
    }
}
