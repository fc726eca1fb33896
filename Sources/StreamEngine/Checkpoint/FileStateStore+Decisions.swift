import Platform

/// What the clock decided outlives the epochs that hold it: before an epoch's file goes, its decisions are in a file of
/// `decisions/<incarnation>/`, named by the epochs it is of (`<first>-<last>`).
///
/// A crash in between leaves both, and a merge that was cut short leaves the merged file beside its parts: an epoch's
/// decisions are in each of them the same, so readers take them from any one (`RecordedRun`).
extension FileStateStore {
    /// How many files are merged into one. Files of like size are merged, so that a decision is written anew once for each
    /// eightfold growth.
    private static let mergedAtOnce = 8

    public func decisions(
        after older: [PartitionID: EpochToken], upTo epochs: [PartitionID: EpochToken]
    ) throws(CheckpointError) -> RecordedRun {
        let inventory = try CheckpointInventory(layout.root, files: files)
        return RecordedRun(
            after: older, upTo: epochs, records: inventory.epochs.compactMap(\.record),
            kept: inventory.keptDecisions)
    }

    /// Keeps what epochs of this process hold that are to go, oldest first.
    func keepOwnDecisions(_ gone: [Int]) throws(IOFailure) {
        let kept = known.withLock { known in
            gone.compactMap { number in known.retention.ownDecisions[number].map { (number, $0) } }
        }
        guard let first = kept.first?.0, let last = kept.last?.0 else { return }
        let decisions = kept.flatMap(\.1)
        try writeDecisions(decisions, of: incarnation, epochs: first...last)
        known.withLock {
            // Where the epochs' files could not be taken away the last time, this is the same file once more.
            $0.retention.decisionFiles.removeAll { $0.epochs == first...last }
            $0.retention.decisionFiles.append(Retention.DecisionFile(epochs: first...last, count: decisions.count))
        }
        try mergeDecisions()
    }

    /// Keeps what epochs of other processes hold that are to go: of those that were decided. `newest`: each process's last
    /// file; nil for `goneOnFrom` where some file could not be read that may name more: then what is in doubt is kept too.
    func keepForeignDecisions(
        _ gone: [EpochRecord], newest: [String: Int], goneOnFrom: Set<EpochToken>?
    ) throws(IOFailure) {
        let holding = gone.filter { !$0.decisions.isEmpty }
        func isInDoubt(_ token: EpochToken) -> Bool {
            newest[token.incarnation] == token.number && goneOnFrom?.contains(token) == false
        }
        guard !holding.isEmpty else { return }
        var kept = holding.filter { !isInDoubt($0.token) }
        if kept.count < holding.count {
            // Who went on from it may have been cleaned away too.
            let named = try predecessorsInDecisions()
            kept = holding.filter { !isInDoubt($0.token) || named?.contains($0.token) ?? true }
        }
        for (other, records) in Dictionary(grouping: kept, by: \.token.incarnation) {
            let sorted = records.sorted { $0.token.number < $1.token.number }
            guard let first = sorted.first?.token.number, let last = sorted.last?.token.number else { continue }
            try writeDecisions(sorted.flatMap(\.decisions), of: other, epochs: first...last)
        }
    }

    private func writeDecisions(
        _ decisions: [Decision], of owner: String, epochs: ClosedRange<Int>
    ) throws(IOFailure) {
        let directory = layout.decisions(of: owner)
        try files.createDirectories(directory)
        let record = EpochRecord(
            token: EpochToken(incarnation: owner, number: epochs.upperBound), writtenMs: clock.wallMs(), slot: "",
            isFromReplay: false, partitions: [], shared: [:], decisions: decisions)
        try StateFileWriter(files: files).write(
            StateFileHeader(record: record, sections: [], shared: []), [], kind: .decisions, directory: directory,
            name: CheckpointLayout.decisionsName(epochs))
        try files.syncDirectory(directory)
        try files.syncDirectory(layout.decisions)
        try files.syncDirectory(layout.root)
    }

    /// Merges the newest files where there are several of like size.
    private func mergeDecisions() throws(IOFailure) {
        while true {
            let last = known.withLock { $0.retention.decisionFiles.suffix(Self.mergedAtOnce) }
            guard last.count == Self.mergedAtOnce, let first = last.map(\.epochs.lowerBound).min(),
                let end = last.map(\.epochs.upperBound).max()
            else { return }
            let counts = last.map(\.count)
            guard let largest = counts.max(), largest * 2 <= counts.reduce(0, +) else { return }
            var decisions: [Decision] = []
            for file in last {
                // A damaged one stays as it is.
                do throws(CheckpointError) {
                    decisions += try readDecisions(of: incarnation, file.epochs)
                } catch {
                    return reportUnreadable(error)
                }
            }
            let merged = first...end
            try writeDecisions(decisions, of: incarnation, epochs: merged)
            let directory = layout.decisions(of: incarnation)
            for file in last where file.epochs != merged {
                try files.remove(FilePath.join(directory, CheckpointLayout.decisionsName(file.epochs)))
            }
            let all = decisions.count
            known.withLock {
                $0.retention.decisionFiles.removeLast(Self.mergedAtOnce)
                $0.retention.decisionFiles.append(Retention.DecisionFile(epochs: merged, count: all))
            }
        }
    }

    private func readDecisions(of owner: String, _ epochs: ClosedRange<Int>) throws(CheckpointError) -> [Decision] {
        let path = FilePath.join(layout.decisions(of: owner), CheckpointLayout.decisionsName(epochs))
        let reader = try StateFileReader(path, files: files)
        try reader.close()
        guard reader.kind == .decisions else {
            throw CheckpointError(.damaged, "checkpoint file \(path) is damaged: it holds \(reader.kind), no decisions")
        }
        return reader.header.record.decisions
    }

    /// The epochs that files of decisions say somebody went on from; nil where one of the files cannot be read.
    private func predecessorsInDecisions() throws(IOFailure) -> Set<EpochToken>? {
        var found: Set<EpochToken>? = []
        for owner in try names(in: layout.decisions) where CheckpointLayout.isIncarnation(owner) {
            for name in try names(in: layout.decisions(of: owner)) {
                guard let epochs = CheckpointLayout.epochs(ofDecisions: name) else { continue }
                do throws(CheckpointError) {
                    found?.formUnion(try readDecisions(of: owner, epochs).compactMap(\.predecessor))
                } catch {
                    found = nil
                    // Its owner may have merged it into another one meanwhile.
                    if error.kind != .missing { reportUnreadable(error) }
                }
            }
        }
        return found
    }

    /// Tells of a file once.
    private func reportUnreadable(_ error: CheckpointError) {
        let isNew = known.withLock { $0.retention.toldUnreadable.insert(error.description).inserted }
        if isNew { report(.decisionsUnreadable(error)) }
    }
}
