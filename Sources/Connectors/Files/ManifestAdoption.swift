import Platform
import StreamEngine

/// What a new writer finds in an output: who of its predecessors is alive, what dead ones left, and whether it can go on
/// with the newest document.
///
/// A writer holds the lock of its incarnation as long as it lives. Under `_manifest/lock`, one process at a time:
/// - the newest document is taken over where its writer is dead and nothing is prepared for it (that may have been decided);
///   the document then names the new writer, so that nobody takes it over a second time;
/// - data files of dead writers are removed that no document names, published or prepared: begun and never prepared, given
///   up, or merged. (A file that may yet be published is named by a prepared document.)
///
/// Where the locks cannot be had, nothing is taken over and nothing removed: a new document is begun.
struct ManifestAdoption {
    private let directory: String
    private let root: String
    private let files: any FileSystem
    private let entriesMax: Int

    init(directory: String, files: any FileSystem, entriesMax: Int) {
        self.entriesMax = entriesMax
        self.directory = directory
        root = FilePath.join(directory, ManifestName.directory)
        self.files = files
    }

    private func lock(_ name: String, _ mode: FileLock.Mode = .exclusive) -> FileLock? {
        // A file system without locks, or one that cannot be written: as if somebody had it.
        try? FileLock.take(FilePath.join(root, name), mode)
    }

    /// Takes the lock that says that a writer is alive; sinks of one process share it.
    func declareAlive(_ incarnation: String) -> FileLock? { lock(ManifestName.lock(of: incarnation), .shared) }

    /// Goes on with the newest document and tidies up, where that may be.
    func takeOver(_ incarnation: String) throws(ManifestError) -> ManifestDocument? {
        guard let held = lock(ManifestName.mergeLock) else { return nil }
        defer { withExtendedLifetime(held) {} }
        do throws(IOFailure) {
            // First who is dead, then the documents: what a dead writer left does not change any more, but a live one may
            // publish and end between the two.
            var writers = LiveWriters(own: incarnation) { writer in
                let name = ManifestName.lock(of: writer)
                guard (try? files.exists(FilePath.join(root, name))) ?? true else { return false }
                return lock(name) == nil
            }
            let candidates = try dataFiles().filter { !writers.isAlive($0.writer) }
            guard let before = try documents(&writers) else { return nil }
            let newestWriter = before.published.last?.writer ?? ""
            let isNewestDead = !newestWriter.isEmpty && !writers.isAlive(newestWriter)
            guard let now = try documents(&writers) else { return nil }
            let named = Set((now.published + now.prepared.map(\.document)).flatMap(\.entries).map(\.path))
            for candidate in candidates where !named.contains(candidate.path) {
                try files.remove(FilePath.join(directory, candidate.actualPath))
            }
            for name in try files.list(root) where !writers.isAlive(lockFile: name) {
                try files.remove(FilePath.join(root, name))
            }
            guard isNewestDead, var newest = now.published.last, newest.writer == newestWriter,
                newest.entries.count < entriesMax,
                !now.prepared.contains(where: { $0.sequence >= ManifestName.sequence(of: newest.name) ?? .min })
            else { return nil }
            newest.writer = incarnation
            try files.writeAtomically(newest.json, to: FilePath.join(root, newest.name))
            return newest
        } catch {
            throw .file(error)
        }
    }

    private struct Documents {
        var published: [ManifestDocument] = []
        var prepared: [(sequence: Int, document: ManifestDocument)] = []
    }

    /// The documents, published ones in order; nil where that is not safe to say (renamed just now, or damaged).
    private func documents(_ writers: inout LiveWriters) throws(IOFailure) -> Documents? {
        let names = try files.list(root)
        guard let prepared = try preparedDocuments(names, &writers) else { return nil }
        var documents = Documents(prepared: prepared)
        let reader = ManifestReader(directory: directory, files: files)
        for name in names where name.hasSuffix(ManifestName.suffix) && !name.hasPrefix(".") {
            guard let document = try? reader.document(FilePath.join(root, name)) else { return nil }
            documents.published.append(document)
        }
        return documents
    }

    /// What is prepared and may yet be published; nil where that is not safe to say. What a dead writer did not write to
    /// its end was never prepared, and is removed.
    private func preparedDocuments(
        _ names: [String], _ writers: inout LiveWriters
    ) throws(IOFailure) -> [(sequence: Int, document: ManifestDocument)]? {
        var prepared: [(sequence: Int, document: ManifestDocument)] = []
        for name in names where name.hasSuffix(ManifestName.preparedSuffix) {
            let path = FilePath.join(root, name)
            guard let sequence = ManifestName.sequence(of: name), let writer = ManifestName.writer(ofPrepared: name),
                let bytes = try? files.readAll(path)
            else { return nil }
            if let document = try? ManifestDocument(decoding: bytes) {
                prepared.append((sequence, document))
            } else if writers.isAlive(writer) {
                // It is being written; the files of a live writer are safe anyway.
                prepared.append((sequence, ManifestDocument(writer: writer, name: "", epoch: 0, entries: [])))
            } else if bytes.last != UInt8(ascii: "\n") {
                try files.remove(path)
            } else {
                return nil
            }
        }
        return prepared
    }

    /// A data file in the output.
    private struct DataFile {
        /// As a document names it.
        let path: String
        /// As it is called now.
        let actualPath: String
        let writer: String
    }

    private func dataFiles() throws(IOFailure) -> [DataFile] {
        var all: [DataFile] = []
        for folder in try folders(in: "", depth: 16) {
            for name in try files.list(FilePath.join(directory, folder)) {
                guard let token = ManifestName.epoch(ofPart: name) else { continue }
                let visible = name.hasPrefix(".") ? String(name.dropFirst()) : name
                all.append(
                    DataFile(
                        path: FilePath.join(folder, visible), actualPath: FilePath.join(folder, name),
                        writer: token.incarnation))
            }
        }
        return all
    }

    /// The root and the folders of partitions in it.
    private func folders(in folder: String, depth: Int) throws(IOFailure) -> [String] {
        var all = [folder]
        guard depth > 0 else { return all }
        for name in try files.list(FilePath.join(directory, folder)) where !name.hasPrefix(".") && name.contains("=") {
            let path = FilePath.join(folder, name)
            if try files.status(FilePath.join(directory, path))?.kind == .directory {
                all += try folders(in: path, depth: depth - 1)
            }
        }
        return all
    }
}

/// Which writers are alive, each asked once.
private struct LiveWriters {
    private let own: String
    /// Whether somebody holds the lock of a writer. It is tried for a moment only: a writer has a new incarnation, never
    /// that of a dead one.
    private let isLocked: (String) -> Bool
    private var known: [String: Bool] = [:]

    init(own: String, isLocked: @escaping (String) -> Bool) {
        self.own = own
        self.isLocked = isLocked
    }

    mutating func isAlive(_ writer: String) -> Bool {
        if writer == own { return true }
        if let isAlive = known[writer] { return isAlive }
        let isAlive = isLocked(writer)
        known[writer] = isAlive
        return isAlive
    }

    /// Whether a name in `_manifest` is anything else than the lock of a dead writer.
    mutating func isAlive(lockFile name: String) -> Bool {
        guard name.hasPrefix("."), name.hasSuffix(".lock") else { return true }
        return isAlive(String(name.dropFirst().dropLast(5)))
    }
}
