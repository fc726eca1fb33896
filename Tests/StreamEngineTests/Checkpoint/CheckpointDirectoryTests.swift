import Glibc
import Platform
import TestSupport
import Testing

@testable import StreamEngine

@Suite("The checkpoint directory")
struct CheckpointDirectoryTests {
    private func identity(_ name: String) -> JobIdentity { JobIdentity(JobDefinition(name: name)) }

    @Test("is made once, opened again, and follows compatible changes")
    func openAndUpdate() throws {
        let files = MemoryFileSystem()
        #expect(try CheckpointDirectory.open("/ck", files: files) == nil)
        var made = try CheckpointDirectory.openOrCreate("/ck", job: identity("one"), files: files)
        #expect(made.id.count == 32 && made.job == identity("one"))
        #expect(try CheckpointDirectory.openOrCreate("/ck", job: identity("two"), files: files).job == identity("one"))
        try made.update(identity("two"))
        let again = try #require(try CheckpointDirectory.open("/ck", files: files))
        #expect(again.id == made.id && again.job == identity("two"))
        #expect(Array(files.contents.keys) == ["/ck/job.json"])
    }

    @Test("of many processes that make it at once one does, and all have the same")
    func race() throws {
        let scratch = try ScratchDirectory()
        let path = scratch.path + "/checkpoints/job"
        let ids = Monitor<[String]>([])
        let threads = try (0..<8).map { number in
            try Thread(name: "race") {
                let made = try? CheckpointDirectory.openOrCreate(
                    path, job: JobIdentity(JobDefinition(name: "job-\(number)")))
                ids.withLock { $0.append(made.map { "\($0.id) \($0.job.json)" } ?? "failed") }
            }
        }
        for thread in threads { thread.join() }
        let all = ids.withLock { $0 }
        #expect(all.count == 8 && Set(all).count == 1 && !all.contains("failed"))
        #expect(try PosixFileSystem().list(path) == ["job.json"])
    }

    @Test("death at each operation of its making leaves none, or a whole one")
    func deaths() throws {
        for call in 0..<20 {
            let files = MemoryFileSystem()
            files.die(at: call)
            _ = try? CheckpointDirectory.openOrCreate("/a/ck", job: identity("one"), files: files)
            files.heal()
            var power = SeededRandom(seed: UInt64(call))
            if call % 2 == 0 { files.lose(&power) }
            _ = try CheckpointDirectory.open("/a/ck", files: files)
            let made = try CheckpointDirectory.openOrCreate("/a/ck", job: identity("two"), files: files)
            #expect(["one", "two"].map(identity).contains(made.job))
        }
    }

    @Test("setting it aside keeps everything, under a name of the time")
    func setAside() throws {
        let files = MemoryFileSystem()
        #expect(try CheckpointDirectory.setAside("/d/ck", nowMs: 0, files: files) == nil)
        for name in ["/d/ck.old-20260102T030405Z", "/d/ck.old-20260102T030405Z-2"] {
            let made = try CheckpointDirectory.openOrCreate("/d/ck", job: identity("one"), files: files)
            #expect(try CheckpointDirectory.setAside("/d/ck/", nowMs: 1_767_323_045_678, files: files) == name)
            #expect(try CheckpointDirectory.open("/d/ck", files: files) == nil)
            #expect(try CheckpointDirectory.open(name, files: files)?.id == made.id)
        }
    }

    @Test(
        "JSON is read as it was written, and nothing else",
        arguments: [
            (#"{"a":[1,-2,"x\"y\\\u0007é\n"],"b":null,"c":{"d":true}}"#, true), (#" [ 1 , 2 ] "#, true), ("", false),
            ("{", false), (#"{"a":1,"a":2}"#, false), ("[1,]", false), ("1.5", false), (#""\uD800""#, false),
            ("\"\u{1}\"", false), ("[1] x", false), (String(repeating: "[", count: 100_000), false),
            ("9223372036854775808", false), (#""\u00"#, false), (#"{"a" 1}"#, false), ("-", false),
        ])
    func json(_ text: String, _ isGood: Bool) {
        let tree = JSONTree(parsing: text.utf8)
        #expect((tree != nil) == isGood)
        if let tree { #expect(JSONTree(parsing: tree.canonical.utf8) == tree) }
    }
}

/// A directory of its own for a test, removed at the end.
final class ScratchDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/stream-engine-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw IOFailure(.createDirectory, path: "/tmp", code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? PosixFileSystem().removeTree(path) }
}
