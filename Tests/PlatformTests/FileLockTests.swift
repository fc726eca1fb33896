import Glibc
import TestSupport
import Testing

@testable import Platform

@Suite struct FileLockTests {
    @Test func oneExclusiveHolderOrManySharedOnes() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a.lock")
        let one = try #require(try FileLock.take(path, .shared))
        let two = try #require(try FileLock.take(path, .shared))
        #expect(try FileLock.take(path, .exclusive) == nil)
        one.release()
        one.release()
        #expect(try FileLock.take(path, .exclusive) == nil)
        two.release()
        let three = try #require(try FileLock.take(path, .exclusive))
        #expect(try FileLock.take(path, .shared) == nil)
        try three.write(note: "a longer note")
        try three.write(note: "a note")
        #expect(FileLock.note(at: path) == "a note")
        three.release()
        // Letting go of an object is letting go of the lock.
        do { _ = try FileLock.take(path, .exclusive) }
        let last = try FileLock.take(path, .exclusive)
        #expect(last?.path == path)
    }

    /// A child between fork and exec has its parent's descriptors: who releases does not wait for it.
    @Test func aCopyOfTheDescriptorHoldsNothing() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a.lock")
        let lock = try #require(try FileLock.take(path, .exclusive))
        let copy = dup(lock.file.raw)
        defer { close(copy) }
        #expect(try FileLock.take(path, .shared) == nil)
        lock.release()
        #expect(try FileLock.take(path, .exclusive) != nil)
    }

    @Test func aPathThatCannotBeOpenedIsAFailure() throws {
        let directory = try TemporaryDirectory()
        let error = #expect(throws: IOFailure.self) {
            try FileLock.take(directory.file("missing/a.lock"), .exclusive)
        }
        #expect(error?.isNotFound == true)
        #expect(FileLock.note(at: directory.file("missing")) == "")
    }

    @Test(.enabled(if: access("/usr/bin/flock", X_OK) == 0))
    func aKilledProcessHoldsNothing() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a.lock")
        var child = pid_t()
        let words = ["flock", "--no-fork", "--exclusive", path, "sleep", "600"]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        try #require(posix_spawn(&child, "/usr/bin/flock", nil, nil, arguments, nil) == 0)
        func isHeld() throws -> Bool {
            guard let lock = try FileLock.take(path, .exclusive) else { return true }
            lock.release()
            return false
        }
        try waitUntil("flock holds the lock") { try isHeld() }
        kill(child, SIGKILL)
        var status: Int32 = 0
        waitpid(child, &status, 0)
        #expect(try !isHeld())
    }
}
