import Platform

/// What the wall clock decided between older state that is fallen back on and the epochs that the group's offsets name: it
/// is repeated while records are read again (SEMANTICS §5). What cannot be read of it is left out.
struct PastDecisions {
    /// Where windows of each partition were frozen, by offset.
    var freezes: [PartitionID: [RecordedRun.Freeze]] = [:]
    /// How far each source's watermark had come, as far as is known.
    var watermarksMs: [String: Int64] = [:]
    /// Whether partitions were idle in the end: as of the older state, then as was decided since.
    var isIdle: [PartitionID: Bool] = [:]
    /// Since when all partitions of a source were idle, where they were and it is known.
    var allIdleSince: [String: (watermarkMs: Int64, arrivalMs: Int64)] = [:]

    /// Nothing.
    init() {}

    /// What these epochs' files and those of `decisions/` say, and of the newest what its partitions share. `wereIdle`: the
    /// partitions that the older state has as idle.
    init(
        _ run: RecordedRun, wereIdle: Set<PartitionID>, newest: [PartitionID: EpochToken], in store: any StateStore
    ) {
        for id in run.partitions { freezes[id] = run.freezes(of: id) }
        watermarksMs = run.watermarksMs
        for id in wereIdle { isIdle[id] = true }
        isIdle.merge(run.isIdle) { $1 }
        for (token, ids) in Dictionary(grouping: newest.keys, by: { newest[$0] }) {
            // The file may be the one that is damaged; then the decisions tell what they can.
            guard let token, let record = try? store.record(token), let blocks = try? store.loadShared(record) else {
                continue
            }
            for block in blocks {
                guard case .source(let name) = block.id, let shared = try? SourceExecution.Shared(block.bytes) else {
                    continue
                }
                if let ms = shared.watermarkMs { watermarksMs[name] = max(ms, watermarksMs[name] ?? .min) }
                for id in ids where id.source == name { isIdle[id] = shared.idle.contains(id) }
                allIdleSince[name] = shared.allIdleSince
            }
        }
    }
}
