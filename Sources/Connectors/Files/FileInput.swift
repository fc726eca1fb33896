import Platform
import StreamEngine

/// Why `--input SOURCE=PATH` cannot be read. All but a failing disk are the user's to mend (exit code 2).
public enum FileInputError: Error, Sendable, CustomStringConvertible {
    /// Nothing is at the path.
    case missing(source: String, path: String)
    /// The directory has no file to read.
    case noFiles(source: String, path: String)
    /// The directory has a directory in it, which would otherwise be passed over silently.
    case subdirectory(source: String, path: String, name: String)
    case io(source: String, IOFailure)

    /// Whether the arguments are wrong (exit code 2), and not the machine (1).
    public var isUsage: Bool {
        if case .io = self { return false }
        return true
    }

    public var description: String {
        switch self {
        case .missing(let source, let path):
            "input of source \(source): nothing is at \(path); check the path of --input \(source)=…"
        case .noFiles(let source, let path):
            "input of source \(source): the directory \(path) has no files; its files are the partitions, by name"
        case .subdirectory(let source, let path, let name):
            "input of source \(source): \(path) has a directory \(name) in it; give the directory whose files are the "
                + "partitions"
        case .io(let source, let failure): "input of source \(source): \(failure)"
        }
    }
}

/// Files as partitions of a source, for `replay --input`.
public enum FileInput {
    /// Readers of the partitions at `path`. A file is partition 0; a directory's files are partitions 0, 1, … in the
    /// order of their names as bytes. Names that begin with `.` or `_` (hidden files, `_manifest`, `_SUCCESS`) are not
    /// input; any other directory inside is an error, so that nothing is passed over silently. Files are opened at their
    /// first read.
    public static func partitions(
        source: String, path: String, files: any FileSystem = PosixFileSystem(), maxLineBytes: Int = 64 * 1024
    ) throws(FileInputError) -> [FilePartitionReader] {
        let inputs = try list(source: source, path: path, files: files)
        return inputs.enumerated().map { index, input in
            FilePartitionReader(
                id: PartitionID(source: source, topic: source, partition: Int32(index)), path: input.path,
                status: input.status, files: files, maxLineBytes: maxLineBytes)
        }
    }

    /// The same, where files may also be what this program wrote: an output folder of ours is read as its manifest says (lines
    /// or Parquet; the committed rows, each once), a Parquet file among others, or alone, is a partition.
    public static func readers(
        source: String, path: String, files: any FileSystem = PosixFileSystem(), maxLineBytes: Int = 64 * 1024
    ) throws -> [any PartitionReader] {
        if let folder = try ParquetInput.folder(source: source, path: path, files: files) {
            if folder.isEmpty { throw FileInputError.noFiles(source: source, path: path) }
            return folder
        }
        if let folder = try CommittedLinesReader.folder(
            source: source, path: path, files: files, maxLineBytes: maxLineBytes)
        {
            if folder.isEmpty { throw FileInputError.noFiles(source: source, path: path) }
            return folder
        }
        return try list(source: source, path: path, files: files).enumerated().map { index, input in
            let id = PartitionID(source: source, topic: source, partition: Int32(index))
            guard try ParquetInput.isParquet(input.path, input.status, files: files) else {
                return FilePartitionReader(
                    id: id, path: input.path, status: input.status, files: files, maxLineBytes: maxLineBytes)
            }
            return try ParquetPartitionReader(
                id: id, inputs: [ParquetInputFile(path: input.path, byteCount: input.status.size)], files: files)
        }
    }

    private static func list(
        source: String, path: String, files: any FileSystem
    ) throws(FileInputError) -> [(path: String, status: FileStatus)] {
        let status = try examine(path, source: source, files: files)
        guard status.kind == .directory else { return [(path, status)] }
        let names: [String]
        do throws(IOFailure) { names = try files.list(path) } catch { throw .io(source: source, error) }
        var inputs: [(path: String, status: FileStatus)] = []
        for name in names where !name.hasPrefix(".") && !name.hasPrefix("_") {
            let file = FilePath.join(path, name)
            let status = try examine(file, source: source, files: files)
            if status.kind == .directory { throw .subdirectory(source: source, path: path, name: name) }
            inputs.append((file, status))
        }
        if inputs.isEmpty { throw .noFiles(source: source, path: path) }
        return inputs
    }

    /// A link to nowhere inside a directory is said to be missing rather than left out.
    private static func examine(
        _ path: String, source: String, files: any FileSystem
    ) throws(FileInputError) -> FileStatus {
        do throws(IOFailure) {
            if let status = try files.status(path) { return status }
        } catch {
            throw .io(source: source, error)
        }
        throw .missing(source: source, path: path)
    }
}
