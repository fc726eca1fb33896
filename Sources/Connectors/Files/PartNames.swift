import Platform
import StreamEngine

/// Gives an output's data files their names, in the order in which they are begun.
struct PartNames {
    private let directory: String
    private let files: any FileSystem
    /// What the names end with, such as `.jsonl.zst`.
    let suffix: String
    /// The highest sequence number so far.
    private var sequence: Int

    /// Goes on behind the data files in `directory` and those that `named` documents have in its folders.
    init(
        directory: String, suffix: String, _ files: any FileSystem, named: [ManifestEntry] = []
    ) throws(IOFailure) {
        self.directory = directory
        self.files = files
        self.suffix = suffix
        let known = try files.list(directory) + named.map(\.path)
        sequence =
            known.filter { ManifestName.isPart(FilePath.name(of: $0)) }
            .compactMap(ManifestName.sequence(of:)).max() ?? 0
    }

    /// The name of a new file, relative to the directory. Another sink of this process may write to the same directory:
    /// its files have other numbers.
    mutating func next(_ epoch: EpochToken, folder: String = "") throws(IOFailure) -> String {
        while true {
            sequence += 1
            let name = ManifestName.part(folder: folder, sequence: sequence, epoch: epoch, suffix: suffix)
            let visible = FilePath.join(directory, name)
            let hidden = FilePath.join(directory, ManifestName.hidden(name))
            if try !files.exists(visible), try !files.exists(hidden) { return name }
        }
    }
}
