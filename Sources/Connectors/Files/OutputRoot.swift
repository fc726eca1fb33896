import Platform
import StreamEngine

/// Why a replay's output directory cannot be used. All are the user's to mend (exit code 2).
public enum OutputRootError: Error, Sendable, CustomStringConvertible {
    case notEmpty(String)
    case notADirectory(String)
    case io(IOFailure)

    public var description: String {
        switch self {
        case .notEmpty(let path):
            "the output directory \(path) is not empty; choose another one, or give --overwrite to replace earlier output"
        case .notADirectory(let path): "the output \(path) is a file; give a directory"
        case .io(let failure): "output directory: \(failure)"
        }
    }
}

/// The directory that a replay writes into: relative sink paths lie under it, a Kafka topic is a directory in it, dead
/// letters are in `dead-letter`.
public struct OutputRoot: Sendable {
    public let path: String
    private let files: any FileSystem

    /// Makes the directory where it is missing. One with anything in it is refused, unless `overwrite`: then every output
    /// of ours in it (a directory with `_manifest`: its manifest and data files) is removed, and nothing else.
    public init(
        _ path: String, overwrite: Bool, files: any FileSystem = PosixFileSystem()
    ) throws(OutputRootError) {
        self.path = path
        self.files = files
        guard let status = try Self.mapped({ () throws(IOFailure) in try files.status(path) }) else {
            try Self.mapped { () throws(IOFailure) in try files.createDirectories(path) }
            return
        }
        guard status.kind == .directory else { throw .notADirectory(path) }
        let isEmpty = try Self.mapped { () throws(IOFailure) in try files.list(path).isEmpty }
        if isEmpty { return }
        guard overwrite else { throw .notEmpty(path) }
        try Self.mapped { () throws(IOFailure) in try Self.removeOutputs(in: path, files: files, depth: 16) }
    }

    /// Removes every output of ours in a directory and the directories in it.
    private static func removeOutputs(
        in directory: String, files: any FileSystem, depth: Int
    ) throws(IOFailure) {
        let names = try files.list(directory)
        if names.contains(ManifestName.directory) {
            try removeParts(in: directory, files: files, depth: depth)
            try files.removeTree(FilePath.join(directory, ManifestName.directory))
        }
        guard depth > 0 else { return }
        for name in names where !name.hasPrefix(".") && name != ManifestName.directory {
            let path = FilePath.join(directory, name)
            if try files.status(path)?.kind == .directory {
                try removeOutputs(in: path, files: files, depth: depth - 1)
            }
        }
    }

    /// Removes the data files of an output, also those in the folders of its partitions, and those folders where nothing
    /// else is in them.
    private static func removeParts(in directory: String, files: any FileSystem, depth: Int) throws(IOFailure) {
        for name in try files.list(directory) {
            let path = FilePath.join(directory, name)
            if ManifestName.isPart(name) {
                try files.remove(path)
            } else if depth > 0, name.contains("="), try files.status(path)?.kind == .directory {
                try removeParts(in: path, files: files, depth: depth - 1)
                if try files.list(path).isEmpty { try files.remove(path) }
            }
        }
    }

    private static func mapped<R>(_ body: () throws(IOFailure) -> R) throws(OutputRootError) -> R {
        do throws(IOFailure) { return try body() } catch { throw .io(error) }
    }

    /// Where a Kafka topic's messages go, as JSON lines.
    public func directory(topic: String) -> String { FilePath.join(path, topic) }

    /// Where dead letters go.
    public var deadLetters: String { FilePath.join(path, "dead-letter") }
}
