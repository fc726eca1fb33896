import Connectors
import Glibc
import Platform
import Testing

@Suite struct DirectoryTrialTests {
    private let real = PosixFileSystem()

    /// Whichever call fails, it is said; and nothing is left, where there or where missing.
    @Test(arguments: [ENOSPC, EDQUOT, EIO, EROFS], ["", "/missing/below"])
    func everyCallThatFailsIsToldAndLeavesNothing(_ code: Int32, _ below: String) throws {
        let directory = try TemporaryDirectory()
        var step = 0
        while true {
            let files = CrashingFileSystem(failingAt: step, code: code, once: true)
            do {
                try DirectoryTrial(files: files).run(directory.path + below)
                #expect(!files.met, "step \(step)")
            } catch {
                #expect(
                    error.text.hasPrefix("\(directory.path): \(String(cString: strerror(code))) ("), "\(error.text)")
                #expect(!error.mend.isEmpty)
            }
            #expect(try real.list(directory.path).isEmpty, "step \(step)")
            guard files.met else { break }
            step += 1
        }
        #expect(step > 5)
    }

    @Test func aWholeDirectoryStaysAsItIs() throws {
        let directory = try TemporaryDirectory()
        try real.writeAtomically([1, 2, 3], to: directory.path + "/rows")
        try DirectoryTrial().run(directory.path)
        try DirectoryTrial().run(directory.path + "/a/b")
        #expect(try real.list(directory.path) == ["rows"])
        #expect {
            try DirectoryTrial().run(directory.path + "/rows/a")
        } throws: {
            ($0 as? DirectoryTrial.Failure)?.text == "\(directory.path)/rows is no directory"
        }
    }
}
