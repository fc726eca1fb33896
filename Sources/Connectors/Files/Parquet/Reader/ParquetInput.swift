import Platform
import StreamEngine

/// One of the files of a partition, in the order in which they are read.
struct ParquetInputFile: Sendable, Equatable {
    var path: String
    /// Bytes that count.
    var byteCount: Int64
    /// XXH64 of those, where a manifest says it.
    var checksum: UInt64?
    /// Columns that stand in the path: `mode=user/`.
    var folders: [(name: String, value: ByteString?)] = []

    static func == (a: ParquetInputFile, b: ParquetInputFile) -> Bool {
        a.path == b.path && a.byteCount == b.byteCount && a.checksum == b.checksum
            && a.folders.elementsEqual(b.folders) { $0.name == $1.name && $0.value == $1.value }
    }
}

/// Parquet as `--input`: an output folder of ours with its manifest, or single files.
enum ParquetInput {
    /// Readers for a folder with a manifest that names Parquet files; nil for any other path.
    ///
    /// What one writer wrote into one folder is one partition: such rows come in the order of their windows. Rows of
    /// several writers (members of a group, a restart) and of `partitionBy` folders lie beside each other in time.
    static func folder(
        source: String, path: String, files: any FileSystem
    ) throws -> [any PartitionReader]? {
        guard try files.status(path)?.kind == .directory,
            try files.status(FilePath.join(path, ManifestName.directory)) != nil
        else { return nil }
        let documents = try ManifestReader(directory: path, files: files).documents()
        guard documents.contains(where: { $0.entries.contains { isParquet($0.path) } }) else { return nil }
        var groups: [(writer: String, directory: String, files: [ParquetInputFile])] = []
        for document in documents {
            for entry in document.entries where isParquet(entry.path) && entry.rows > 0 {
                let directory = entry.path.contains("/") ? FilePath.directory(of: entry.path) : ""
                let file = ParquetInputFile(
                    path: FilePath.join(path, entry.path), byteCount: entry.bytes, checksum: entry.checksum,
                    folders: folders(directory))
                if let at = groups.firstIndex(where: { $0.writer == document.writer && $0.directory == directory }) {
                    groups[at].files.append(file)
                } else {
                    groups.append((document.writer, directory, [file]))
                }
            }
        }
        return try groups.enumerated().map { index, group in
            try ParquetPartitionReader(
                id: PartitionID(source: source, topic: source, partition: Int32(index)), inputs: group.files,
                files: files)
        }
    }

    /// Whether a file is Parquet by its first bytes. Only regular files are looked into.
    static func isParquet(_ path: String, _ status: FileStatus, files: any FileSystem) throws(IOFailure) -> Bool {
        guard status.kind == .file, status.size >= 4 else { return false }
        let file = try files.open(path, .read)
        var head = [UInt8](repeating: 0, count: 4)
        let result = head.withUnsafeMutableBytes { room in
            Result { () throws(IOFailure) in try file.read(into: room, at: 0) }
        }
        let count = try result.get()
        try file.close()
        return count == 4 && ParquetFile.begins(head)
    }

    private static func isParquet(_ path: String) -> Bool { path.hasSuffix(".parquet") }

    /// The columns in a path below the output's root.
    private static func folders(_ directory: String) -> [(name: String, value: ByteString?)] {
        directory.split(separator: "/").compactMap { part in
            guard let equals = part.utf8.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let value = unescaped(part[part.utf8.index(after: equals)...])
            let name = String(decoding: unescaped(part[..<equals]), as: UTF8.self)
            return (name, value.elementsEqual("__HIVE_DEFAULT_PARTITION__".utf8) ? nil : ByteString(bytes: value))
        }
    }

    /// Hive writes what a path cannot have as `%` and two hexadecimal digits.
    private static func unescaped(_ text: Substring) -> [UInt8] {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "%"), at + 2 < bytes.count,
                let value = UInt8(String(decoding: bytes[(at + 1)...(at + 2)], as: UTF8.self), radix: 16)
            {
                out.append(value)
                at += 3
            } else {
                out.append(bytes[at])
                at += 1
            }
        }
        return out
    }
}

extension ManifestReader {
    /// The documents now, in the order in which they were written.
    func documents() throws(ManifestError) -> [ManifestDocument] {
        let root = FilePath.join(directory, ManifestName.directory)
        let names: [String]
        do throws(IOFailure) { names = try files.list(root) } catch { throw .file(error) }
        var documents: [ManifestDocument] = []
        for name in names where name.hasSuffix(ManifestName.suffix) && !name.hasPrefix(".") {
            documents.append(try document(FilePath.join(root, name)))
        }
        return documents
    }
}
