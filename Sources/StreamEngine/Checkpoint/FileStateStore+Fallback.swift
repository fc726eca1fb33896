import Platform

extension FileStateStore {
    /// The newest decided epoch before `token` that commits all these partitions at or before these offsets, and from which
    /// the state of each of them, and what all share, can be read whole; nil where there is none. What is between is to be
    /// read again from its offsets, with outputs suppressed (SEMANTICS §5).
    ///
    /// Reads and checks all state of each epoch that it looks at.
    public func newestWhole(
        before token: EpochToken, offsets: [PartitionID: Int64], includesShared: Bool
    ) throws(CheckpointError) -> EpochRecord? {
        let inventory = try CheckpointInventory(layout.root, files: files)
        guard let first = offsets.keys.min() else { return nil }
        let decided = Set(inventory.epochs.filter(\.isDecided).map(\.token))
        for record in inventory.records(of: first, includesUndecided: true).reversed() {
            if record.token.incarnation == token.incarnation {
                // One process decides its epochs in their order.
                guard record.token.number < token.number else { continue }
            } else {
                guard decided.contains(record.token) else { continue }
            }
            let committed = Dictionary(record.partitions.map { ($0.partition, $0) }) { first, _ in first }
            let isBefore = offsets.allSatisfy { partition, offset in
                committed[partition].map { $0.nextOffset <= offset } ?? false
            }
            guard isBefore, try isWhole(record, partitions: Array(offsets.keys), includesShared) else { continue }
            return record
        }
        return nil
    }

    private func isWhole(
        _ record: EpochRecord, partitions: [PartitionID], _ includesShared: Bool
    ) throws(CheckpointError) -> Bool {
        do throws(CheckpointError) {
            for partition in record.partitions where partitions.contains(partition.partition) {
                _ = try load(partition.partition, at: partition.state, isTakeover: false)
            }
            if includesShared { _ = try loadShared(record) }
            return true
        } catch {
            switch error.kind {
            case .missing, .damaged, .mismatch: return false
            // A disk that does not answer says nothing about what is on it.
            case .io, .version: throw error
            }
        }
    }
}
