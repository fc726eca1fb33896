import Glibc
import Platform

/// A directory of its own for a test, removed at the end.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/stream-engine-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw IOFailure(.createDirectory, path: "/tmp", code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? PosixFileSystem().removeTree(path) }

    /// A path in the directory.
    func file(_ name: String) -> String { path + "/" + name }
}
