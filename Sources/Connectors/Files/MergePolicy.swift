/// Which small files of an output are merged, and when (docs/parquet.md, "Merging").
///
/// Files of about one size are merged eight at a time, so that a row is written again once for each power of eight
/// between an epoch's size and a full file's, not once for each epoch. What has come to the target size, or is old, is
/// merged whole and then left alone.
struct MergePolicy {
    struct Candidate {
        var bytes: Int64
        /// When its oldest rows were written, ms since the epoch.
        var createdMs: Int64
    }

    struct Choice: Equatable {
        /// Neighbours, two at least; or one file that is only to be left alone from now on.
        var range: Range<Int>
        /// Whether the result is full.
        var isFinal: Bool
    }

    var targetBytes: Int64
    var maxAgeMs: Int64

    /// Files of one size that are merged together.
    static let fanIn = 8
    /// Files up to this size count as of one size.
    private static let smallestBytes: Int64 = 16 << 10

    /// What to merge of neighbours, none of them full, oldest first; nil where there is nothing to do.
    func choose(_ files: [Candidate], nowMs: Int64) -> Choice? {
        guard let first = files.first else { return nil }
        var total: Int64 = 0
        for (index, file) in files.enumerated() {
            total += file.bytes
            if total >= targetBytes { return Choice(range: 0..<(index + 1), isFinal: true) }
        }
        if nowMs - first.createdMs >= maxAgeMs { return Choice(range: 0..<files.count, isFinal: true) }
        let levels = files.map { level($0.bytes) }
        for level in 0...(levels.max() ?? 0) {
            let start = levels.lastIndex { $0 > level }.map { $0 + 1 } ?? 0
            if files.count - start >= Self.fanIn { return Choice(range: start..<files.count, isFinal: false) }
        }
        return nil
    }

    private func level(_ bytes: Int64) -> Int {
        var level = 0
        var limit = Self.smallestBytes
        while bytes > limit, limit < targetBytes {
            limit *= Int64(Self.fanIn)
            level += 1
        }
        return level
    }
}
