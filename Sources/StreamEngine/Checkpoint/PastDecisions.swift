import Platform

/// What the wall clock decided between an older epoch that is fallen back on and the epochs that the group's offsets name: it
/// is repeated while records are read again (SEMANTICS §5). What cannot be read of it is left out.
struct PastDecisions {
    /// Where windows of each partition were frozen, by offset.
    var freezes: [PartitionID: [RecordedRun.Freeze]] = [:]
    /// How far each source's watermark had come, as far as is known.
    var watermarksMs: [String: Int64] = [:]

    /// Nothing.
    init() {}

    /// What these epochs' files and those of `decisions/` say, and of the newest what its partitions share.
    init(_ run: RecordedRun, newest: Set<EpochToken>, in store: any StateStore) {
        for id in run.partitions { freezes[id] = run.freezes(of: id) }
        watermarksMs = run.watermarksMs
        for token in newest {
            // The file may be the one that is damaged; then the decisions tell what they can.
            guard let record = try? store.record(token), let blocks = try? store.loadShared(record) else { continue }
            for block in blocks {
                guard case .source(let name) = block.id, let ms = SourceExecution.watermark(inShared: block.bytes)
                else {
                    continue
                }
                watermarksMs[name] = max(ms, watermarksMs[name] ?? .min)
            }
        }
    }
}
