import Platform

/// A job's checkpoint directory: whose it is, and of what job. `job.json` is written once, when the directory is made, and
/// again when a job is changed in a way that its state survives; the id stays.
public struct CheckpointDirectory: Sendable {
    public let path: String
    /// 128 random bits as 32 hexadecimal digits: part of every transactional id.
    public let id: String
    /// The job that the checkpoint is of.
    public private(set) var job: JobIdentity
    private let files: any FileSystem

    private static let format: Int64 = 1

    /// The checkpoint in a directory; nil where there is none.
    public static func open(
        _ path: String, files: any FileSystem = PosixFileSystem()
    ) throws(CheckpointError) -> CheckpointDirectory? {
        let file = CheckpointLayout(root: path).job
        let bytes: [UInt8]
        do throws(IOFailure) {
            bytes = try files.readAll(file, limit: 64 << 20)
        } catch {
            guard !error.isNotFound else { return nil }
            throw CheckpointError(error)
        }
        return try CheckpointDirectory(path, document: bytes, file: file, files)
    }

    /// Opens a checkpoint, or makes one for this job. Of several processes that do so at once one makes it, and all have it.
    ///
    /// Whether the job fits is for the caller: `JobDifference`.
    public static func openOrCreate(
        _ path: String, job: JobIdentity, files: any FileSystem = PosixFileSystem()
    ) throws(CheckpointError) -> CheckpointDirectory {
        if let there = try open(path, files: files) { return there }
        let made = CheckpointDirectory(path: path, id: EpochToken.randomIncarnation(), job: job, files: files)
        do throws(IOFailure) {
            try makeDirectories(path, files)
            // A name of its own: another process may be doing the same at this moment.
            let temporary = FilePath.join(path, CheckpointLayout.temporaryName("job-\(made.id)"))
            let file = try files.open(temporary, .createNew)
            do throws(IOFailure) {
                try file.writeAll(made.document)
                try file.sync()
                try file.close()
                try files.renameNew(temporary, to: CheckpointLayout(root: path).job)
            } catch {
                // What matters is why; a left-over temporary file is nobody's.
                _ = try? files.remove(temporary)
                guard error.exists else { throw error }
            }
            try files.syncDirectory(path)
        } catch {
            throw CheckpointError(error)
        }
        guard let there = try open(path, files: files) else {
            throw CheckpointError(.missing, "checkpoint \(path) was taken away while it was made; start again")
        }
        return there
    }

    /// Makes a directory and its missing parents so that they are there after a power failure too.
    private static func makeDirectories(_ path: String, _ files: any FileSystem) throws(IOFailure) {
        var parents: [String] = []
        var at = path
        while at != "/", at != ".", try !files.exists(at) {
            at = FilePath.directory(of: at)
            parents.append(at)
        }
        try files.createDirectories(path)
        for parent in parents { try files.syncDirectory(parent) }
    }

    /// Notes that the job was changed, in a way that its state survives.
    public mutating func update(_ job: JobIdentity) throws(CheckpointError) {
        guard job != self.job else { return }
        var changed = self
        changed.job = job
        do throws(IOFailure) {
            try files.writeAtomically(changed.document, to: CheckpointLayout(root: path).job)
        } catch {
            throw CheckpointError(error)
        }
        self = changed
    }

    /// Moves a checkpoint directory aside, to `<path>.old-<time>`, and gives its new name; nil where there is nothing.
    /// Nothing is deleted. No process may be running on it.
    public static func setAside(
        _ path: String, nowMs: Int64, files: any FileSystem = PosixFileSystem()
    ) throws(CheckpointError) -> String? {
        var base = path
        while base.count > 1, base.hasSuffix("/") { base.removeLast() }
        let time = EventTime.rfc3339(nowMs).prefix(19).filter { $0 != "-" && $0 != ":" }
        do throws(IOFailure) {
            guard try files.exists(base) else { return nil }
            var target = "\(base).old-\(time)Z"
            var again = 2
            while try files.exists(target) {
                target = "\(base).old-\(time)Z-\(again)"
                again += 1
            }
            try files.rename(base, to: target)
            try files.syncDirectory(FilePath.directory(of: base))
            return target
        } catch {
            throw CheckpointError(error)
        }
    }

    // MARK: The document

    private init(path: String, id: String, job: JobIdentity, files: any FileSystem) {
        self.path = path
        self.id = id
        self.job = job
        self.files = files
    }

    /// One JSON object on one line; its last member is the XXH64 of every byte before that member's comma.
    private var document: [UInt8] {
        let tree = JSONTree.object([
            .init("format", .integer(Self.format)), .init("checkpointId", .text(id)), .init("identity", job.tree),
        ])
        let body = Array(tree.canonical.utf8.dropLast())
        return body + Array(Self.ending(body).utf8)
    }

    private static func ending(_ body: some Collection<UInt8>) -> String {
        let digits = String(XXH64.hash(Array(body)), radix: 16)
        return ",\"xxh64\":\"\(String(repeating: "0", count: 16 - digits.count))\(digits)\"}\n"
    }

    private init(
        _ path: String, document: [UInt8], file: String, _ files: any FileSystem
    ) throws(CheckpointError) {
        func damaged(_ what: String) -> CheckpointError {
            CheckpointError(
                .damaged,
                "checkpoint file \(file) is damaged: \(what); restore it from a copy, or begin anew with --new-checkpoint"
            )
        }
        let endingCount = Self.ending([]).utf8.count
        guard document.count > endingCount else {
            throw damaged("it has \(document.count) bytes, too few for a checksum")
        }
        let body = document.dropLast(endingCount)
        guard document.suffix(endingCount).elementsEqual(Self.ending(body).utf8) else {
            throw damaged("bytes 0 to \(document.count - 1): its checksum is another")
        }
        guard let tree = JSONTree(parsing: document) else { throw damaged("it is no JSON document of ours") }
        guard tree["format"] == .integer(Self.format) else {
            throw CheckpointError(
                .version,
                "checkpoint file \(file) has another format than this program reads (\(Self.format)); use the program "
                    + "that wrote it, or begin anew with --new-checkpoint")
        }
        guard let id = tree["checkpointId"]?.string, let identity = tree["identity"] else {
            throw damaged("it has no checkpointId or no identity")
        }
        self.init(path: path, id: id, job: JobIdentity(tree: identity), files: files)
    }
}
