/// The epochs that a job can go back to for a time (`RewindPlan`), the best first.
struct RewindChoice {
    /// Those known to have taken effect, or as good as that.
    private(set) var decided: Set<EpochToken> = []
    /// The earliest time that a kept epoch is at, ms.
    private(set) var reachMs: Int64?
    private var early: [EpochRecord] = []
    private let facts: [PartitionID: RewindPlan.Facts]

    init(_ inventory: CheckpointInventory, _ toMs: Int64, _ facts: [PartitionID: RewindPlan.Facts]) {
        self.facts = facts
        decided = Set(facts.values.compactMap { $0.token?.epoch })
        var counts: [String: Int] = [:]
        for epoch in inventory.epochs { counts[epoch.token.incarnation, default: 0] += 1 }
        for epoch in inventory.epochs {
            guard let record = epoch.record else { continue }
            // The files never tell of a process's last epoch. Up to offsets that this job has committed its state is right
            // all the same: it is made of the records before it, and their rows were written. One of several is still not
            // preferred to the one before; the only one of a short run is.
            let isCovered = record.partitions.allSatisfy { facts[$0.partition]?.token != nil }
            if epoch.isDecided || isCovered && counts[epoch.token.incarnation] == 1 { decided.insert(epoch.token) }
            if let watermarkMs = record.partitions.compactMap(\.watermarkMs).max() {
                reachMs = min(reachMs ?? .max, watermarkMs)
            }
            if isEarly(record, toMs) { early.append(record) }
        }
    }

    /// Whether all of an epoch is at or before the time, not after what the group has committed, and can be gone on from.
    private func isEarly(_ record: EpochRecord, _ toMs: Int64) -> Bool {
        record.partitions.allSatisfy { partition in
            guard let fact = facts[partition.partition] else {
                // A topic that is gone.
                return partition.watermarkMs.map { $0 <= toMs } ?? true
            }
            let isEarly = partition.watermarkMs.map { $0 <= toMs } ?? (partition.nextOffset <= fact.atTime)
            let limit = fact.token == nil ? nil : fact.committed?.offset
            return isEarly && partition.nextOffset <= limit ?? .max && partition.nextOffset >= fact.low
        }
    }

    /// For a job whose partitions go back together: an epoch that leaves out a partition counts where that had no record
    /// before the time.
    var all: [EpochRecord] {
        let complete = early.filter { record in
            let named = Set(record.partitions.map(\.partition))
            return facts.allSatisfy { named.contains($0.key) || $0.value.atTime <= $0.value.low }
        }
        return complete.sorted {
            (rank($0), $0.writtenMs, $0.token.number) > (rank($1), $1.writtenMs, $1.token.number)
        }
    }

    /// For one partition.
    func of(_ id: PartitionID) -> [EpochRecord] {
        let own = early.compactMap { record in record.offset(of: id).map { (record: record, offset: $0) } }
        return own.sorted {
            (rank($0.record), $0.offset, $0.record.writtenMs, $0.record.token.number)
                > (rank($1.record), $1.offset, $1.record.writtenMs, $1.record.token.number)
        }.map(\.record)
    }

    private func rank(_ record: EpochRecord) -> Int { decided.contains(record.token) ? 1 : 0 }
}
