import Generator
import Platform

/// A file of incident labels that grows as incidents begin.
final class LabelsFile {
    private let file: any File

    /// Begins the file anew.
    init(_ path: String) throws {
        let files = PosixFileSystem()
        try files.createDirectories(FilePath.directory(of: path))
        file = try files.open(path, .replace)
        try file.writeAll(Array((Incident.csvHeader + "\n").utf8))
    }

    /// Adds an incident.
    func add(_ incident: Incident) throws { try file.writeAll(Array((incident.csv + "\n").utf8)) }

    /// Closes the file.
    func close() throws { try file.close() }
}
