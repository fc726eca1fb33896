import Platform
import StreamEngine

/// Writes one writer's manifest documents: prepared under a hidden name, published by one rename.
///
/// A document names its files whole, so what a rename publishes depends on the prepared document alone: whoever renames
/// it, once or twice, the result is the same. Merging is part of that: a prepared document names the merged file in place
/// of those it was made of.
///
/// A new writer goes on with the newest document where its writer is no longer alive and nothing is prepared for it
/// (`ManifestAdoption`), so that the number of documents does not grow with the number of runs.
final class ManifestWriter {
    private let directory: String
    private let root: String
    private let files: any FileSystem
    /// The document that grows with each commit, as published.
    private var published: ManifestDocument?
    private var sequence: Int
    private var prepared: (document: ManifestDocument, name: String, sequence: Int)?
    /// Says that this writer is alive; nil before the first commit, or where the file system knows no locks.
    private var alive: FileLock?
    private var isBegun = false

    /// Files and bytes that were committed before this writer.
    let earlier: [ManifestEntry]

    /// Makes `_manifest` in `directory`, with a document that names nothing where there is none yet: an empty result has
    /// a manifest too.
    init(directory: String, files: any FileSystem) throws(ManifestError) {
        self.directory = directory
        root = FilePath.join(directory, ManifestName.directory)
        self.files = files
        let names: [String]
        do throws(IOFailure) {
            try files.createDirectories(root)
            names = try files.list(root)
            sequence = names.compactMap(ManifestName.sequence(of:)).max() ?? 0
            if !names.contains(where: { $0.hasSuffix(ManifestName.suffix) }) {
                let empty = ManifestDocument(writer: "", name: ManifestName.empty, epoch: 0, entries: [])
                try files.writeAtomically(empty.json, to: FilePath.join(root, ManifestName.empty))
            }
        } catch {
            throw .file(error)
        }
        earlier = try ManifestReader(directory: directory, files: files).entries()
    }

    /// Called before the first file of an epoch is named: says that this writer is alive, removes what dead ones left,
    /// and goes on with the newest document where that may be. Returns that document's files. Does nothing a second time.
    ///
    /// Not at `init`: what a predecessor prepared and decided is published (`publishForeign`) between the two.
    /// A document of `entriesMax` files or more is left as it is.
    func begin(
        _ incarnation: String, entriesMax: Int = ManifestDocument.entriesMax
    ) throws(ManifestError) -> [ManifestEntry] {
        guard !isBegun else { return [] }
        isBegun = true
        let adoption = ManifestAdoption(directory: directory, files: files, entriesMax: entriesMax)
        alive = adoption.declareAlive(incarnation)
        guard let document = try adoption.takeOver(incarnation) else { return [] }
        published = document
        sequence = ManifestName.sequence(of: document.name) ?? sequence
        return document.entries
    }

    /// Whether a document waits to be published.
    var hasPrepared: Bool { prepared != nil }

    /// Files that the present document names.
    var documentEntries: [ManifestEntry] { published?.entries ?? [] }

    /// Begins a new document: the next commit must not touch files of the present one.
    func beginDocument() { published = nil }

    /// Begins a new document behind all that are there now: what is written from here on follows what others wrote.
    func beginDocumentBehindAll() throws(IOFailure) {
        published = nil
        sequence = max(sequence, try files.list(root).compactMap(ManifestName.sequence(of:)).max() ?? 0)
    }

    /// Writes the document that an epoch's commit will publish: what is published, with these files added or grown, and
    /// each merged file in place of those it was made of.
    func prepare(
        _ epoch: EpochToken, _ entries: [ManifestEntry], merges: [ManifestMerge] = []
    ) throws(IOFailure) {
        try discard()
        var next = sequence
        if published == nil {
            // Another sink of this process may write to the same directory: its documents have other numbers.
            repeat { next += 1 } while try isTaken(next, epoch)
        }
        var document =
            published
            ?? ManifestDocument(
                writer: epoch.incarnation, name: ManifestName.document(sequence: next, writer: epoch.incarnation),
                epoch: 0, entries: [])
        document.writer = epoch.incarnation
        document.epoch = epoch.number
        for merge in merges { document.apply(merge) }
        for entry in entries {
            if let known = document.entries.lastIndex(where: { $0.path == entry.path }) {
                document.entries[known] = entry
            } else {
                document.entries.append(entry)
            }
        }
        let name = ManifestName.prepared(sequence: next, epoch: epoch)
        let path = FilePath.join(root, name)
        do throws(IOFailure) {
            let file = try files.open(path, .replace)
            try file.writeAll(document.json)
            try file.sync()
            try file.close()
            try files.syncDirectory(root)
        } catch {
            // Half a document, or one that may not last: the epoch was not prepared. Its failure is what matters.
            _ = try? files.remove(path)
            throw error
        }
        prepared = (document, name, next)
    }

    private func isTaken(_ sequence: Int, _ epoch: EpochToken) throws(IOFailure) -> Bool {
        for name in [
            ManifestName.document(sequence: sequence, writer: epoch.incarnation),
            ManifestName.prepared(sequence: sequence, epoch: epoch),
        ] where try files.exists(FilePath.join(root, name)) { return true }
        return false
    }

    /// Publishes the prepared document. Does nothing where there is none.
    func publish() throws(IOFailure) {
        guard let (document, name, next) = prepared else { return }
        try Self.show(name, document, root: root, files: files)
        published = document
        sequence = next
        prepared = nil
    }

    private static func show(
        _ name: String, _ document: ManifestDocument, root: String, files: any FileSystem
    ) throws(IOFailure) {
        do throws(IOFailure) {
            try files.rename(FilePath.join(root, name), to: FilePath.join(root, document.name))
        } catch {
            // Another member that took the partitions over has published it already.
            guard error.isNotFound else { throw error }
        }
        try files.syncDirectory(root)
    }

    /// Throws the prepared document away.
    func discard() throws(IOFailure) {
        guard let prepared else { return }
        try files.remove(FilePath.join(root, prepared.name))
        self.prepared = nil
    }

    /// Leaves the prepared document where it is, for whoever learns that its epoch was decided; later commits write others.
    func abandon() {
        prepared = nil
        published = nil
    }

    /// Publishes a merge by itself, while nothing is prepared: one rename.
    func rewrite(_ merge: ManifestMerge) throws(IOFailure) {
        guard var document = published, prepared == nil else { return }
        document.apply(merge)
        try files.writeAtomically(document.json, to: FilePath.join(root, document.name))
        published = document
    }

    /// Says that this writer is done. What it prepared stays for whoever finds out whether it was decided.
    func close() throws(IOFailure) {
        guard let alive else { return }
        // Other sinks of this process may share the lock; the last one takes its file away.
        if try alive.becomeExclusive() { try alive.removeFile() }
        alive.release()
        self.alive = nil
    }

    /// Publishes what another writer prepared for an epoch that is known to be decided; false where nothing is prepared
    /// for it (any more): it had no rows here, or was published before.
    static func publish(
        _ epoch: EpochToken, directory: String, files: any FileSystem
    ) throws(ManifestError) -> Bool {
        let root = FilePath.join(directory, ManifestName.directory)
        let names = try mapped { () throws(IOFailure) in try files.list(root) }
        var isAny = false
        for name in names where ManifestName.isPrepared(name, for: epoch) {
            if try publish(prepared: name, directory: directory, files: files) { isAny = true }
        }
        return isAny
    }

    private static func publish(
        prepared name: String, directory: String, files: any FileSystem
    ) throws(ManifestError) -> Bool {
        let root = FilePath.join(directory, ManifestName.directory)
        var named: ManifestDocument
        do throws(ManifestError) {
            named = try ManifestReader(directory: directory, files: files).document(FilePath.join(root, name))
        } catch {
            // Renamed between the listing and the reading: published by somebody else.
            if case .file(let failure) = error, failure.isNotFound { return false }
            throw error
        }
        if named.name.isEmpty, let sequence = ManifestName.sequence(of: name) {
            // Of a writer that did not note it: its documents were never gone on with.
            named.name = ManifestName.document(sequence: sequence, writer: named.writer)
        }
        let document = named
        try mapped { () throws(IOFailure) in
            for entry in document.entries { try PartFile.show(entry.path, in: directory, files: files) }
            try syncFolders(of: document.entries.map(\.path), in: directory, files: files)
            try show(name, document, root: root, files: files)
        }
        return true
    }

    /// Returns when the names of these files are on the disk.
    static func syncFolders(of paths: [String], in directory: String, files: any FileSystem) throws(IOFailure) {
        for folder in Set(paths.map { FilePath.directory(of: FilePath.join(directory, $0)) }).sorted() {
            try files.syncDirectory(folder)
        }
    }

    private static func mapped<R>(_ body: () throws(IOFailure) -> R) throws(ManifestError) -> R {
        do throws(IOFailure) { return try body() } catch { throw .file(error) }
    }
}

/// Files of one document that became one file.
struct ManifestMerge: Sendable, Equatable {
    /// The paths of what was merged, in the document's order.
    var sources: [String]
    var merged: ManifestEntry
}

extension ManifestDocument {
    /// Puts the merged file where the first of its sources stood.
    fileprivate mutating func apply(_ merge: ManifestMerge) {
        let sources = Set(merge.sources)
        // `SmallFiles` merges files of the present document only, and a new one is not begun while it merges.
        guard let at = entries.firstIndex(where: { sources.contains($0.path) }) else {
            preconditionFailure("merged files stand in the document of their writer")
        }
        entries[at] = merge.merged
        entries.removeAll { sources.contains($0.path) }
    }
}
