import Glibc
import Platform

/// Finds out whether a sink can write into a directory by doing what sinks do: a file is made, written, synced to the disk,
/// renamed and taken away again. Nothing stays.
public struct DirectoryTrial: Sendable {
    /// Why it cannot be written.
    public struct Failure: Error, Sendable {
        /// What happened, such as `/data: No space left on device (while writing a file)`.
        public let text: String
        /// What to do.
        public let mend: String

        /// A failure in words.
        public init(text: String, mend: String) {
            self.text = text
            self.mend = mend
        }
    }

    /// Bytes of the file: more than a file system keeps inside its tables.
    private static let size = 64 << 10

    private let files: any FileSystem

    /// A trial of directories of `files`.
    public init(files: any FileSystem = PosixFileSystem()) { self.files = files }

    /// Tries a directory. Where it is missing, whether the nearest one above it would let it be made.
    public func run(_ path: String) throws(Failure) {
        let place = try nearest(path)
        let name = ".stream-job-trial-\(getpid())"
        do throws(IOFailure) {
            if place == path {
                try writeFile(FilePath.join(place, name))
            } else {
                try writeDirectory(FilePath.join(place, name))
            }
        } catch {
            let reason = String(cString: strerror(error.code))
            throw Failure(
                text: "\(place): \(reason) (\(Self.doing(error.operation)))",
                mend: error.advice ?? "allow it, or choose another path than \(path)")
        }
    }

    /// `path` itself, or the directory above it that is there.
    private func nearest(_ path: String) throws(Failure) -> String {
        var place = path
        while true {
            let found: FileStatus?
            do throws(IOFailure) {
                found = try files.status(place)
            } catch {
                // A part of the path is a file: it is come to on the way up.
                guard error.code == ENOTDIR else {
                    throw Failure(
                        text: "\(place): \(String(cString: strerror(error.code)))",
                        mend: error.advice ?? "choose another path than \(path)")
                }
                found = nil
            }
            if let found {
                guard found.kind == .directory else {
                    throw Failure(text: "\(place) is no directory", mend: "choose another path than \(path)")
                }
                return place
            }
            let above = FilePath.directory(of: place)
            guard above != place else {
                throw Failure(text: "\(path): there is no such directory", mend: "choose another path than \(path)")
            }
            place = above
        }
    }

    private func writeFile(_ path: String) throws(IOFailure) {
        do throws(IOFailure) {
            try files.writeAtomically([UInt8](repeating: 0, count: Self.size), to: path)
            try files.remove(path)
        } catch {
            // The write's own failure is what matters; where the file cannot be removed either there is nothing left to try.
            _ = try? files.remove(path)
            throw error
        }
    }

    private func writeDirectory(_ path: String) throws(IOFailure) {
        try files.createDirectories(path)
        do throws(IOFailure) {
            try writeFile(FilePath.join(path, "file"))
            try files.removeTree(path)
        } catch {
            _ = try? files.removeTree(path)
            throw error
        }
    }

    private static func doing(_ operation: IOFailure.Operation) -> String {
        switch operation {
        case .open: "making a file"
        case .write, .truncate: "writing a file"
        case .sync, .close: "waiting for the disk"
        case .rename: "renaming a file"
        case .remove: "taking a file away"
        case .createDirectory: "making a directory"
        case .read, .list, .lock, .examine: "looking at it"
        }
    }
}
