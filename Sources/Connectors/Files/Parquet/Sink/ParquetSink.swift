import Platform
import StreamEngine

/// How a Parquet output is cut into files.
public struct ParquetSinkSettings: Sendable, Equatable {
    public var files = ParquetSettings()
    /// A file of this many bytes is full.
    public var targetFileBytes: Int64 = 128 << 20
    /// A file this old is full, ms.
    public var maxFileAgeMs: Int64 = 600_000
    /// The names of the columns whose values are folders.
    public var partitionBy: [String] = []
    /// Whether epochs may be gathered until a file is full (`SinkContext.gatherMs`): a file shows when it is whole.
    public var isGathering = false
    /// Merged files are kept this long for readers of an earlier manifest, ms.
    public var graceMs: Int64 = 60_000
    /// Whether merging runs on a thread of its own.
    public var mergesInBackground = true

    /// The defaults of JOBS.md.
    public init() {}
}

/// Rows in Parquet files with a manifest (docs/parquet.md).
///
/// Each epoch with rows makes a file in each folder it has rows for; small files are merged beside the epochs
/// (`SmallFiles`). `prepare` makes them durable under hidden names and writes the manifest document that names them, hidden
/// too; `publish` renames the files, then the document over its predecessor.
public final class ParquetSink: Sink {
    /// `parquet out/cpu`.
    public let description: String

    private let directory: String
    private let settings: ParquetSinkSettings
    private let partition: HivePartition?
    /// The batch's columns that the files have, and those columns.
    private let columns: [Int]
    private let schema: RowSchema
    private let job: String
    private let query: String
    private let files: any FileSystem
    private let clock: any Clock
    private let manifest: ManifestWriter
    private let compressor: BlockCompressor
    private let thread: ParquetEncodingThread
    private let small: SmallFiles
    private var names: PartNames

    /// Files being written, by folder.
    private var parts: [String: ParquetPart] = [:]
    /// Whole files of the present epoch, durable and not published.
    private var finished: [Finished] = []
    /// The file that may have a row group being encoded.
    private weak var encodingPart: ParquetPart?
    private var isBegun = false
    private var lastPublished: EpochToken?
    private var committed: (files: Int, bytes: Int64)
    /// The failure of a merge that was told last.
    private var toldFailure: String?
    /// Why an epoch could not be taken back.
    private var broken: IOFailure?

    private struct Finished {
        let file: PartFile
        let createdMs: Int64
        let rows: ParquetRowBuffer?
    }

    /// Rows that wait in memory, over all folders, are not more than this many row groups.
    private static let bufferedRowGroups = 8
    /// A document has this many full files, or this many files at all.
    private static let documentFilesMax = (full: 64, all: 16_384)

    /// Opens an output in `directory`, made where it is missing, for rows of `schema`.
    public init(
        directory: String, schema rowSchema: RowSchema, job: String, query: String, settings: ParquetSinkSettings,
        files: any FileSystem = PosixFileSystem(), clock: any Clock = SystemClock()
    ) throws(SinkError) {
        self.directory = directory
        self.settings = settings
        self.files = files
        self.clock = clock
        self.job = job
        self.query = query
        description = "parquet \(directory)"
        let folders = try Self.partitionColumns(settings.partitionBy, of: rowSchema, query: query)
        partition = HivePartition(columns: folders, of: rowSchema)
        columns = rowSchema.columns.indices.filter { !folders.contains($0) }
        schema = RowSchema(columns: columns.map { rowSchema.columns[$0] })
        compressor = BlockCompressor(settings.files.compression)
        thread = ParquetEncodingThread(settings.files)
        small = SmallFiles(
            ParquetMerger(directory: directory, schema: schema, settings: settings.files, files: files),
            policy: MergePolicy(targetBytes: settings.targetFileBytes, maxAgeMs: settings.maxFileAgeMs),
            retainedBytesMax: settings.files.rowGroupBytes, isInline: !settings.mergesInBackground)
        do throws(ManifestError) {
            manifest = try ManifestWriter(directory: directory, files: files)
            committed = (manifest.earlier.count, manifest.earlier.reduce(0) { $0 + $1.bytes })
            do throws(IOFailure) {
                names = try PartNames(directory: directory, suffix: ".parquet", files, named: manifest.earlier)
            } catch {
                throw .file(error)
            }
        } catch {
            throw SinkError("parquet \(directory): \(error)")
        }
    }

    /// The columns of `partitionBy`: keys of the query.
    private static func partitionColumns(
        _ wanted: [String], of schema: RowSchema, query: String
    ) throws(SinkError) -> [Int] {
        var columns: [Int] = []
        for name in wanted {
            guard let column = schema.columns.firstIndex(where: { $0.name == name && $0.type == .text }) else {
                let keys = schema.columns.filter { $0.type == .text }.map(\.name).joined(separator: ", ")
                throw SinkError(
                    "parquet: query \(query) has no text column \(name) to partition by; it has: \(keys)")
            }
            columns.append(column)
        }
        return columns
    }

    public var written: (files: Int, bytes: Int64)? { committed }
    public var findingForm: FindingForm { .table }

    public func takeNotices() -> [String] {
        guard let failure = small.failure, failure != toldFailure else { return [] }
        toldFailure = failure
        return ["\(description): small files cannot be merged and stay as they are: \(failure)"]
    }

    /// Why small files could last not be merged; nil where they could.
    public var mergeFailure: String? { small.failure }

    // MARK: Writing

    public func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        try checkWhole()
        guard rows.rowCount > 0 else { return }
        try wrapped { () throws(IOFailure) in
            for (folder, rows) in partition?.split(rows) ?? [("", rows)] { try append(rows, folder, info.epoch) }
        }
    }

    public func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {
        // `takesDocuments` is false: the job's check refuses it for late rows and dead letters, and findings come as rows.
        preconditionFailure("\(description) takes rows only")
    }

    private func append(_ rows: RowBatch, _ folder: String, _ epoch: EpochToken) throws(IOFailure) {
        let part = part(folder)
        part.append(rows, columns: columns)
        var largest = part
        var buffered = 0
        if part.bufferedBytes < settings.files.rowGroupBytes {
            // Many folders with few rows each come to much as well.
            for part in parts.values {
                buffered += part.bufferedBytes
                if part.bufferedBytes > largest.bufferedBytes { largest = part }
            }
            guard buffered >= settings.files.rowGroupBytes * Self.bufferedRowGroups else { return }
        }
        try settle(except: largest, epoch)
        try largest.flush { () throws(IOFailure) in try makeFile(largest.folder, epoch) }
        if !settings.isGathering, largest.fileBytes >= settings.targetFileBytes { try finish(largest, epoch) }
    }

    /// Writes what other files have being encoded: one row group of all is, at most.
    private func settle(except part: ParquetPart, _ epoch: EpochToken) throws(IOFailure) {
        if let other = encodingPart, other !== part {
            try other.writeEncoded { () throws(IOFailure) in try makeFile(other.folder, epoch) }
        }
        encodingPart = part
    }

    private func part(_ folder: String) -> ParquetPart {
        if let part = parts[folder] { return part }
        let part = ParquetPart(
            folder: folder, schema: schema, settings: settings.files, compressor: compressor,
            thread: thread, createdMs: clock.wallMs())
        parts[folder] = part
        return part
    }

    private func makeFile(_ folder: String, _ epoch: EpochToken) throws(IOFailure) -> PartFile {
        try begin(epoch)
        if !folder.isEmpty { try files.createDirectories(FilePath.join(directory, folder)) }
        let name = try names.next(epoch, folder: folder)
        return try PartFile(name: name, directory: directory, files: files, createdNs: clock.monotonicNs())
    }

    /// Goes on with a predecessor's document, before the first file is begun.
    private func begin(_ epoch: EpochToken) throws(IOFailure) {
        guard !isBegun else { return }
        isBegun = true
        do throws(ManifestError) {
            let entries = try manifest.begin(epoch.incarnation, entriesMax: Self.documentFilesMax.all)
            let now = clock.wallMs()
            small.adopt(entries, suffix: names.suffix) { entry in
                (try? files.status(FilePath.join(directory, entry.path))?.modifiedMs) ?? now
            }
        } catch {
            if case .file(let failure) = error { throw failure }
            // Damage is the reader's to report; this writer leaves the document alone.
        }
    }

    private func keyValues(_ epoch: EpochToken) -> [ParquetFileMetaData.KeyValue] {
        [
            .init(key: ParquetFact.job, value: job), .init(key: ParquetFact.query, value: query),
            .init(key: ParquetFact.epoch, value: epoch.description),
            .init(key: ParquetFact.roles, value: ParquetFact.roles(of: schema.columns)),
        ]
    }

    /// Ends a file: it is whole and durable, and waits to be published.
    private func finish(_ part: ParquetPart, _ epoch: EpochToken) throws(IOFailure) {
        // Rows of a small file stay in memory for merging.
        let rows = !part.hasRowGroups && !settings.isGathering ? part.pending : nil
        let file = try part.finish(keyValues: keyValues(epoch)) { () throws(IOFailure) in
            try makeFile(part.folder, epoch)
        }
        finished.append(Finished(file: file, createdMs: part.createdMs, rows: rows))
        parts[part.folder] = nil
    }

    // MARK: Committing

    public func prepare(_ epoch: EpochToken) throws(SinkError) {
        try checkWhole()
        guard !settings.isGathering else { return }
        try wrapped { () throws(IOFailure) in
            for folder in parts.keys.sorted() {
                if let part = parts[folder] { try finish(part, epoch) }
            }
            try prepareCommit(epoch)
        }
    }

    private func prepareCommit(_ epoch: EpochToken) throws(IOFailure) {
        small.collect()
        let merges = small.ready.map { [$0] } ?? []
        guard !finished.isEmpty || !merges.isEmpty else { return }
        let paths = finished.map(\.file.name) + merges.map(\.merged.path)
        try ManifestWriter.syncFolders(of: paths, in: directory, files: files)
        try manifest.prepare(epoch, finished.map(\.file.entry), merges: merges)
    }

    public func publish(_ epoch: EpochToken) throws(SinkError) {
        if epoch == lastPublished { return }
        try wrapped { () throws(IOFailure) in
            if settings.isGathering {
                try gather(epoch)
            } else {
                try publishCommit()
                try beginMerge(epoch)
            }
        }
        lastPublished = epoch
    }

    public func publishForeign(_ epoch: EpochToken) throws(SinkError) {
        do throws(ManifestError) {
            _ = try ManifestWriter.publish(epoch, directory: directory, files: files)
        } catch {
            throw SinkError("\(description): \(error)")
        }
    }

    private func publishCommit() throws(IOFailure) {
        guard manifest.hasPrepared else { return }
        let merge = small.ready
        for part in finished { try part.file.show() }
        if let merge { try PartFile.show(merge.merged.path, in: directory, files: files) }
        try ManifestWriter.syncFolders(
            of: finished.map(\.file.name) + (merge.map { [$0.merged.path] } ?? []), in: directory, files: files)
        try manifest.publish()
        let now = clock.wallMs()
        noteMerge(nowMs: now)
        for part in finished {
            committed.files += 1
            committed.bytes += part.file.mark.bytes
            small.add(part.file.entry, createdMs: part.createdMs, rows: part.rows)
        }
        finished.removeAll()
        small.removeSuperseded(before: now - settings.graceMs, in: directory, files: files)
        if !small.isMerging,
            small.fullCount >= Self.documentFilesMax.full || small.count >= Self.documentFilesMax.all
        {
            manifest.beginDocument()
            small.beginDocument()
        }
    }

    private func noteMerge(nowMs: Int64) {
        guard let merge = small.ready else { return }
        committed.files += 1 - merge.sources.count
        committed.bytes += merge.merged.bytes - small.publishedReady(nowMs: nowMs)
    }

    private func beginMerge(_ epoch: EpochToken) throws(IOFailure) {
        try small.begin(
            nowMs: clock.wallMs(), path: { folder throws(IOFailure) in try names.next(epoch, folder: folder) },
            keyValues: keyValues(epoch))
    }

    /// Ends the present epoch; files that are full by now are published.
    private func gather(_ epoch: EpochToken) throws(IOFailure) {
        let now = clock.wallMs()
        for folder in parts.keys.sorted() {
            guard let part = parts[folder] else { continue }
            try settle(except: part, epoch)
            try part.gather { () throws(IOFailure) in try makeFile(folder, epoch) }
            if part.fileBytes >= settings.targetFileBytes || now - part.createdMs >= settings.maxFileAgeMs {
                try finish(part, epoch)
            }
        }
        try prepareCommit(epoch)
        try publishCommit()
    }

    public func discard(_ epoch: EpochToken) {
        do throws(IOFailure) {
            try manifest.discard()
            while let part = finished.last {
                try part.file.remove()
                finished.removeLast()
            }
            for (folder, part) in parts where try part.discard() { parts[folder] = nil }
        } catch {
            // No reader looks under hidden names; but writing on is over.
            broken = error
        }
    }

    public func abandon(_ epoch: EpochToken) {
        for part in parts.values { part.file?.letGo() }
        for part in finished { part.file.letGo() }
        parts.removeAll()
        finished.removeAll()
        // What was prepared may name a merge: neither its sources nor its result are touched again.
        small.abandon()
        manifest.abandon()
    }

    public func close() throws(SinkError) {
        try checkWhole()
        // What was prepared and not published may have been decided: it is kept for whoever finds out.
        let isUndecided = manifest.hasPrepared
        if !isUndecided, let lastPublished { discard(lastPublished) }
        try wrapped { () throws(IOFailure) in
            if !isUndecided, let lastPublished {
                if settings.isGathering {
                    for folder in parts.keys.sorted() {
                        if let part = parts[folder] { try finish(part, lastPublished) }
                    }
                    try prepareCommit(lastPublished)
                    try publishCommit()
                }
                try mergeAll(lastPublished)
            }
            small.removeSuperseded(before: .max, in: directory, files: files)
            try manifest.close()
        }
        parts.removeAll()
        finished.removeAll()
    }

    /// Publishes the merge that goes on, and does those that are due.
    private func mergeAll(_ epoch: EpochToken) throws(IOFailure) {
        repeat {
            small.collect(isWaiting: true)
            if let merge = small.ready {
                try PartFile.show(merge.merged.path, in: directory, files: files)
                try ManifestWriter.syncFolders(of: [merge.merged.path], in: directory, files: files)
                try manifest.rewrite(merge)
                noteMerge(nowMs: clock.wallMs())
            }
            if isBegun { try beginMerge(epoch) }
        } while small.isMerging
    }

    private func checkWhole() throws(SinkError) {
        if let broken { throw SinkError("\(description): an epoch could not be taken back: \(broken)") }
    }

    private func wrapped<R>(_ body: () throws(IOFailure) -> R) throws(SinkError) -> R {
        do throws(IOFailure) { return try body() } catch { throw SinkError("\(description): \(error)") }
    }
}
