import Glibc
import Platform
import Testing

@Suite("File system")
struct FileSystemTests {
    let files = PosixFileSystem()

    @Test("an atomic write is read back, replaces, and leaves no temporary file")
    func atomicWrite() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a/b/c.json")
        try files.createDirectories(directory.file("a/b"))
        try files.createDirectories(directory.file("a/b"))
        try files.writeAtomically(Array("one".utf8), to: path)
        try files.writeAtomically(Array("two".utf8), to: path)
        #expect(try files.readAll(path) == Array("two".utf8))
        #expect(try files.list(directory.file("a/b")) == ["c.json"])
    }

    @Test("append writes at the end; positional reads and writes do not move")
    func positions() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("log")
        for text in ["abc", "def"] {
            let file = try files.open(path, .append)
            try file.writeAll(Array(text.utf8))
            try file.close()
            try file.close()
        }
        let file = try files.open(path, .readWrite)
        try withUnsafeBytes(of: UInt8(ascii: "X")) { try file.writeAll($0, at: 1) }
        var buffer = [UInt8](repeating: 0, count: 16)
        let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        #expect(buffer[..<count] == ArraySlice(Array("aXcdef".utf8)))
        try file.truncate(to: 2)
        #expect(try file.size() == 2)
        #expect(try files.status(path)?.kind == .file)
    }

    @Test("removing a tree does not follow links")
    func removeTree() throws {
        let directory = try TemporaryDirectory()
        try files.createDirectories(directory.file("kept"))
        try files.writeAtomically([1], to: directory.file("kept/file"))
        try files.createDirectories(directory.file("gone/deep"))
        try files.writeAtomically([1], to: directory.file("gone/deep/file"))
        #expect(symlink(directory.file("kept"), directory.file("gone/link")) == 0)
        try files.removeTree(directory.file("gone"))
        #expect(try files.list(directory.path) == ["kept"])
        #expect(try files.list(directory.file("kept")) == ["file"])
        try files.removeTree(directory.file("never"))
    }

    @Test("failures say what, where and what to do")
    func failures() throws {
        let directory = try TemporaryDirectory()
        let missing = directory.file("none")
        #expect(
            message { () throws(IOFailure) in _ = try files.open(missing, .read) }
                == "cannot open \(missing): No such file or directory; check the path")
        #expect(
            message { () throws(IOFailure) in _ = try files.open(directory.path, .replace) }
                == "cannot open \(directory.path): Is a directory; it is a directory where a file was expected")
        let file = directory.file("file")
        try files.writeAtomically([], to: file)
        #expect(message { () throws(IOFailure) in try files.createDirectories(file) }.contains("Not a directory"))
        #expect(
            message { () throws(IOFailure) in try files.createDirectories(file + "/x") }.contains("Not a directory"))
        #expect(message { () throws(IOFailure) in _ = try files.open(file, .createNew) }.contains("it exists already"))
        #expect(
            message { () throws(IOFailure) in
                let full = try files.open("/dev/full", .append)
                try full.writeAll([1])
            }
                == "cannot write /dev/full: No space left on device; the disk is full; free space on it or choose another directory"
        )
        #expect(
            message { () throws(IOFailure) in _ = try files.readAll("/proc/self/status", limit: 10) }.contains(
                "File too large"))
        #expect(try files.status(missing) == nil)
        #expect(try !files.remove(missing))
    }

    private func message(_ body: () throws(IOFailure) -> Void) -> String {
        do throws(IOFailure) {
            try body()
            return "no failure"
        } catch {
            return error.description
        }
    }

    @Test(
        "paths are joined and taken apart",
        arguments: [
            ("a/b", "a", "b"), ("b", ".", "b"), ("/b", "/", "b"), ("/a/b", "/a", "b"),
        ])
    func paths(_ path: String, _ directory: String, _ name: String) {
        #expect(FilePath.directory(of: path) == directory)
        #expect(FilePath.name(of: path) == name)
        #expect(FilePath.join("x", "/y") == "/y")
        #expect(FilePath.join("x/", "y") == "x/y")
        #expect(FilePath.join("", "y") == "y")
    }
}
