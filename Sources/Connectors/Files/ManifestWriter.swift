import Platform
import StreamEngine

/// Writes one writer's manifest documents: prepared under a hidden name, published by one rename.
///
/// A document names the writer's files whole, so what a rename publishes depends on the prepared document alone: whoever
/// renames it, once or twice, the result is the same.
final class ManifestWriter {
    private let root: String
    private let files: any FileSystem
    /// The document that grows with each commit, as published.
    private var published: ManifestDocument?
    private var sequence: Int
    private var prepared: (document: ManifestDocument, name: String, sequence: Int)?

    /// Files and bytes that were committed before this writer.
    let earlier: [ManifestEntry]

    /// Makes `_manifest` in `directory`, with a document that names nothing where there is none yet: an empty result has
    /// a manifest too.
    init(directory: String, files: any FileSystem) throws(ManifestError) {
        root = FilePath.join(directory, ManifestName.directory)
        self.files = files
        let names: [String]
        do throws(IOFailure) {
            try files.createDirectories(root)
            names = try files.list(root)
            sequence = names.compactMap(ManifestName.sequence(of:)).max() ?? 0
            if !names.contains(where: { $0.hasSuffix(ManifestName.suffix) }) {
                let empty = ManifestDocument(writer: "", epoch: 0, entries: [])
                try files.writeAtomically(empty.json, to: FilePath.join(root, ManifestName.empty))
            }
        } catch {
            throw .file(error)
        }
        earlier = try ManifestReader(directory: directory, files: files).entries()
    }

    /// Whether new files go to a new document, and files of the present one may not grow any more.
    var isFull: Bool { (published?.entries.count ?? 0) >= ManifestDocument.entriesMax }

    /// Whether a document waits to be published.
    var hasPrepared: Bool { prepared != nil }

    /// Begins a new document: the next commit must not touch files of the present one.
    func beginDocument() { published = nil }

    /// Writes the document that an epoch's commit will publish: what is published, with these files added or grown.
    func prepare(_ epoch: EpochToken, _ entries: [ManifestEntry]) throws(IOFailure) {
        try discard()
        var next = sequence
        if published == nil {
            // Another sink of this process may write to the same directory: its documents have other numbers.
            repeat { next += 1 } while try isTaken(next, epoch)
        }
        var document = published ?? ManifestDocument(writer: epoch.incarnation, epoch: 0, entries: [])
        document.epoch = epoch.number
        for entry in entries {
            if let known = document.entries.lastIndex(where: { $0.path == entry.path }) {
                document.entries[known] = entry
            } else {
                document.entries.append(entry)
            }
        }
        let name = ManifestName.prepared(sequence: next, epoch: epoch)
        let path = FilePath.join(root, name)
        let file = try files.open(path, .replace)
        try file.writeAll(document.json)
        try file.sync()
        try file.close()
        try files.syncDirectory(root)
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
        try Self.show(name, sequence: next, writer: document.writer, root: root, files: files)
        published = document
        sequence = next
        prepared = nil
    }

    private static func show(
        _ name: String, sequence: Int, writer: String, root: String, files: any FileSystem
    ) throws(IOFailure) {
        do throws(IOFailure) {
            let target = ManifestName.document(sequence: sequence, writer: writer)
            try files.rename(FilePath.join(root, name), to: FilePath.join(root, target))
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
        guard let sequence = ManifestName.sequence(of: name) else { return false }
        let document: ManifestDocument
        do throws(ManifestError) {
            document = try ManifestReader(directory: directory, files: files).document(FilePath.join(root, name))
        } catch {
            // Renamed between the listing and the reading: published by somebody else.
            if case .file(let failure) = error, failure.isNotFound { return false }
            throw error
        }
        try mapped { () throws(IOFailure) in
            for entry in document.entries { try PartFile.show(entry.path, in: directory, files: files) }
            try files.syncDirectory(directory)
            try show(name, sequence: sequence, writer: document.writer, root: root, files: files)
        }
        return true
    }

    private static func mapped<R>(_ body: () throws(IOFailure) -> R) throws(ManifestError) -> R {
        do throws(IOFailure) { return try body() } catch { throw .file(error) }
    }
}
