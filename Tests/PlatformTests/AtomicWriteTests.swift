import Glibc
import Platform
import Testing

/// Several members of a job start at one moment, and write the same first manifest.
@Suite struct AtomicWriteTests {
    @Test func writersOfOneFileDoNotDisturbEachOther() throws {
        var template = Array("/tmp/stream-job-test-XXXXXX".utf8CString)
        let directory = String(cString: try #require(mkdtemp(&template)))
        let files = PosixFileSystem()
        defer { try? files.removeTree(directory) }
        let failures = Monitor<[String]>([])
        let threads = try (0..<4).map { number in
            try Thread(name: "writer") {
                for _ in 0..<40 {
                    do throws(IOFailure) {
                        try PosixFileSystem().writeAtomically(
                            [UInt8](repeating: UInt8(number), count: 3000), to: "\(directory)/file")
                    } catch {
                        failures.withLock { $0.append("\(error)") }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(failures.withLock { $0 } == [])
        let bytes = try files.readAll("\(directory)/file")
        #expect(bytes.count == 3000 && Set(bytes).count == 1)
        #expect(try files.list(directory) == ["file"])
    }
}
