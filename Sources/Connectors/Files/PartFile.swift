import Platform
import StreamEngine

/// How far a data file is written: what a manifest commits, and what a discarded epoch goes back to.
struct PartMark: Sendable, Equatable {
    var bytes: Int64 = 0
    var rows: Int64 = 0
    var digest = XXH64()

    static func == (a: PartMark, b: PartMark) -> Bool {
        a.bytes == b.bytes && a.rows == b.rows && a.digest.digest == b.digest.digest
    }
}

/// A data file being written. It has a hidden name until its first rows are published.
final class PartFile {
    /// The name its readers know, relative to the directory.
    let name: String
    /// When it was made, ns of the monotonic clock.
    let createdNs: Int64
    /// All that is written.
    private(set) var mark = PartMark()
    /// What the manifest says about all that is written.
    var entry: ManifestEntry {
        ManifestEntry(path: name, rows: mark.rows, bytes: mark.bytes, checksum: mark.digest.digest)
    }
    /// What of it a manifest document names, published or prepared; nil before there is one.
    var committed: PartMark?
    private(set) var isVisible = false
    /// A write failed half way: bytes behind `mark` are in the file.
    private var isTorn = false
    /// Bytes from the start that are on the disk.
    private var syncedBytes: Int64 = 0
    private var syncFailure: IOFailure?
    /// Bytes from the start that the system was asked to bring to the disk.
    private var startedBytes: Int64 = 0
    /// So many new ones are worth asking: a replay writes for minutes and syncs once.
    private static let startedAtOnce: Int64 = 1 << 20

    private let directory: String
    private let files: any FileSystem
    /// nil while the file is put aside (full).
    private var file: (any File)?

    init(name: String, directory: String, files: any FileSystem, createdNs: Int64) throws(IOFailure) {
        self.name = name
        self.directory = directory
        self.files = files
        self.createdNs = createdNs
        file = try files.open(FilePath.join(directory, ManifestName.hidden(name)), .createNew)
    }

    /// Goes on with a committed file. What stands behind its committed bytes is cut off by the first write.
    init(
        resuming entry: ManifestEntry, digest: XXH64, directory: String, files: any FileSystem, createdNs: Int64
    ) {
        name = entry.path
        self.directory = directory
        self.files = files
        self.createdNs = createdNs
        mark = PartMark(bytes: entry.bytes, rows: entry.rows, digest: digest)
        committed = mark
        syncedBytes = entry.bytes
        isVisible = true
        isTorn = true
    }

    private var currentPath: String { FilePath.join(directory, isVisible ? name : ManifestName.hidden(name)) }

    /// Writes bytes at the end: pieces that follow each other.
    func append(_ pieces: [[UInt8]], rows: Int64) throws(IOFailure) {
        if isTorn { try rewind(to: mark) }
        do throws(IOFailure) {
            let file = try opened()
            for piece in pieces { try file.writeAll(piece) }
        } catch {
            isTorn = true
            throw error
        }
        mark.rows += rows
        for piece in pieces {
            mark.bytes += Int64(piece.count)
            mark.digest.update(piece)
        }
        if mark.bytes - max(startedBytes, syncedBytes) >= Self.startedAtOnce {
            file?.startSync(max(startedBytes, syncedBytes)..<mark.bytes)
            startedBytes = mark.bytes
        }
    }

    private func opened() throws(IOFailure) -> any File {
        if let file { return file }
        let opened = try files.open(currentPath, .readWrite)
        try opened.seek(to: mark.bytes)
        file = opened
        return opened
    }

    /// Goes back to an earlier mark; a write that failed half way is cut off too.
    func rewind(to earlier: PartMark) throws(IOFailure) {
        guard isTorn || syncFailure != nil || earlier != mark else { return }
        mark = earlier
        startedBytes = min(startedBytes, earlier.bytes)
        let file = try opened()
        try file.truncate(to: earlier.bytes)
        try file.seek(to: earlier.bytes)
        isTorn = false
        // The cut itself needs no sync: what lies behind the committed length does not count.
        if earlier.bytes <= syncedBytes {
            syncedBytes = earlier.bytes
            syncFailure = nil
        }
    }

    /// Returns when everything written is on the disk.
    ///
    /// After a failed fsync the system forgets which pages did not reach the disk, and a second one succeeds without
    /// them. So the failure stays until those bytes are cut off and written anew.
    func sync() throws(IOFailure) {
        if let syncFailure { throw syncFailure }
        guard syncedBytes != mark.bytes, let file else { return }
        do throws(IOFailure) {
            try file.sync()
        } catch {
            syncFailure = error
            throw error
        }
        syncedBytes = mark.bytes
    }

    /// Makes everything durable and gives the descriptor back; writing on opens the file again.
    func putAside() throws(IOFailure) {
        try sync()
        try file?.close()
        file = nil
    }

    /// Gives the file its visible name. Does nothing where it has it: somebody else may have published the epoch.
    func show() throws(IOFailure) {
        if isVisible { return }
        try Self.show(name, in: directory, files: files)
        isVisible = true
    }

    /// Gives a prepared data file its visible name, unless that was done before.
    static func show(_ name: String, in directory: String, files: any FileSystem) throws(IOFailure) {
        let visible = FilePath.join(directory, name)
        do throws(IOFailure) {
            try files.rename(FilePath.join(directory, ManifestName.hidden(name)), to: visible)
        } catch {
            guard error.isNotFound, try files.exists(visible) else { throw error }
        }
    }

    /// Closes the file as it is.
    func letGo() {
        // Nothing that was promised depends on this close: what counts was synced by `prepare`.
        try? file?.close()
        file = nil
    }

    /// Closes and removes a file none of whose bytes were committed.
    func remove() throws(IOFailure) {
        try file?.close()
        file = nil
        try files.remove(currentPath)
    }
}
