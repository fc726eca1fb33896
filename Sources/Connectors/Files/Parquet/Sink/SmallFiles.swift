import Platform
import StreamEngine

/// The files that the present document names, and the merging of the small ones among them.
///
/// One merge at a time, on a thread of its own. What it made is named by the next document that is prepared, in place of
/// its sources; these are removed when that document is published and readers of the one before had time to finish.
final class SmallFiles {
    private struct Kept {
        var entry: ManifestEntry
        var createdMs: Int64
        /// Left alone: large, old, or not to be merged.
        var isFull: Bool
        /// While few enough rows are in memory, merging need not read.
        var rows: ParquetRowBuffer?
    }

    private let merger: ParquetMerger
    private let policy: MergePolicy
    private let isInline: Bool
    /// Begun with the first merge.
    private lazy var queue = WorkQueue(name: "merge")
    /// Rows in memory are not more than this.
    private let retainedBytesMax: Int
    private var kept: [Kept] = []
    private var running: (merge: BackgroundMerge, choice: MergePolicy.Choice, createdMs: Int64)?
    /// Merged and not published yet.
    private(set) var ready: ManifestMerge?
    private var superseded: [(path: String, sinceMs: Int64)] = []

    /// Why files could last not be merged: they stay as they are, and nothing is lost.
    private(set) var failure: String?

    init(_ merger: ParquetMerger, policy: MergePolicy, retainedBytesMax: Int, isInline: Bool) {
        self.merger = merger
        self.policy = policy
        self.retainedBytesMax = retainedBytesMax
        self.isInline = isInline
    }

    var count: Int { kept.count }
    var fullCount: Int { kept.reduce(0) { $0 + ($1.isFull ? 1 : 0) } }
    var isMerging: Bool { running != nil || ready != nil }

    /// Begins with the files of a document that is gone on with.
    func adopt(_ entries: [ManifestEntry], suffix: String, createdMs: (ManifestEntry) -> Int64) {
        kept = entries.map { entry in
            let isFull = entry.bytes >= policy.targetBytes || !entry.path.hasSuffix(suffix)
            return Kept(entry: entry, createdMs: createdMs(entry), isFull: isFull)
        }
    }

    /// Notes a file that was published.
    func add(_ entry: ManifestEntry, createdMs: Int64, rows: ParquetRowBuffer?) {
        kept.append(
            Kept(entry: entry, createdMs: createdMs, isFull: entry.bytes >= policy.targetBytes, rows: rows))
        var retained = 0
        for index in kept.indices.reversed() {
            guard let rows = kept[index].rows else { continue }
            retained += rows.byteCount
            if retained > retainedBytesMax || kept[index].isFull { kept[index].rows = nil }
        }
    }

    /// Begins a new document: its predecessor's files stay as they are.
    func beginDocument() { kept.removeAll() }

    /// Leaves the document and what was merged for it as they are. A merge that goes on ends by itself, for nothing.
    func abandon() {
        kept.removeAll()
        running = nil
        ready = nil
    }

    /// Begins the next merge, unless one goes on or waits to be published.
    func begin(nowMs: Int64, path: (String) throws(IOFailure) -> String, keyValues: [ParquetFileMetaData.KeyValue])
        throws(IOFailure)
    {
        guard !isMerging else { return }
        var folders: [String: [Int]] = [:]
        for (index, file) in kept.enumerated() {
            let folder = ManifestName.folder(of: file.entry.path)
            // Only neighbours: what lies before a full file may not move behind it.
            if file.isFull { folders[folder] = nil } else { folders[folder, default: []].append(index) }
        }
        for (folder, indices) in folders.sorted(by: { $0.key < $1.key }) {
            let candidates = indices.map {
                MergePolicy.Candidate(bytes: kept[$0].entry.bytes, createdMs: kept[$0].createdMs)
            }
            guard let choice = policy.choose(candidates, nowMs: nowMs) else { continue }
            let chosen = choice.range.map { kept[indices[$0]] }
            if chosen.count == 1 {
                kept[indices[choice.range.lowerBound]].isFull = true
                continue
            }
            let rows = chosen.compactMap(\.rows)
            let isInMemory =
                rows.count == chosen.count
                && rows.reduce(0) { $0 + $1.byteCount } <= retainedBytesMax
            let work = ParquetMerger.Work(
                sources: chosen.map(\.entry), rows: isInMemory ? rows : nil, path: try path(folder),
                keyValues: keyValues)
            running = (
                BackgroundMerge(merger, work, on: isInline ? nil : queue), choice,
                chosen.map(\.createdMs).min() ?? nowMs
            )
            return
        }
    }

    /// Takes up what the merge made, where it is done; waits for it where `isWaiting`.
    func collect(isWaiting: Bool = false) {
        guard let running, let outcome = isWaiting ? running.merge.wait() : running.merge.outcome else { return }
        switch outcome {
        case .success(let merge): ready = merge
        case .failure(let error):
            failure = error.description
            let sources = Set(running.merge.work.sources.map(\.path))
            for index in kept.indices where sources.contains(kept[index].entry.path) { kept[index].isFull = true }
            self.running = nil
        }
    }

    /// Notes that the document with what is ready is published. Returns the bytes of the files that it replaced.
    func publishedReady(nowMs: Int64) -> Int64 {
        guard let ready, let running else { return 0 }
        let sources = Set(ready.sources)
        guard let at = kept.firstIndex(where: { sources.contains($0.entry.path) }) else { return 0 }
        let bytes = running.merge.work.sources.reduce(0) { $0 + $1.bytes }
        var rows = running.merge.work.rows?.first
        for more in running.merge.work.rows?.dropFirst() ?? [] { rows?.append(more) }
        kept[at] = Kept(
            entry: ready.merged, createdMs: running.createdMs,
            isFull: running.choice.isFinal || ready.merged.bytes >= policy.targetBytes,
            rows: running.choice.isFinal ? nil : rows)
        kept.removeAll { sources.contains($0.entry.path) }
        superseded += ready.sources.map { ($0, nowMs) }
        self.ready = nil
        self.running = nil
        return bytes
    }

    /// Removes merged files that no reader of an earlier document can be at any more. What cannot be removed now is left
    /// to the next process.
    func removeSuperseded(before ms: Int64, in directory: String, files: any FileSystem) {
        while let first = superseded.first, first.sinceMs <= ms {
            _ = try? files.remove(FilePath.join(directory, first.path))
            superseded.removeFirst()
        }
    }
}
