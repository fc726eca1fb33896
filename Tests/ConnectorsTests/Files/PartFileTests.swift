import Platform
import Testing

@testable import Connectors

@Suite struct PartFileTests {
    @Test func whatIsWrittenIsOnItsWayToTheDiskBeforeTheSync() throws {
        let directory = try TemporaryDirectory()
        let files = CrashingFileSystem.unfailing
        let part = try PartFile(name: "a", directory: directory.path, files: files, createdNs: 0)
        let piece = [UInt8](repeating: 7, count: 600_000)
        var marks = [part.mark]
        for _ in 0..<5 {
            try part.append([piece], rows: 1)
            marks.append(part.mark)
        }
        // A megabyte at a time, each byte once.
        #expect(files.startedSyncs == [0..<1_200_000, 1_200_000..<2_400_000])
        // What is cut off and written anew is asked for anew.
        try part.rewind(to: marks[3])
        try part.append([piece], rows: 1)
        #expect(files.startedSyncs.count == 2)
        try part.append([piece], rows: 1)
        #expect(files.startedSyncs.last == 1_800_000..<3_000_000)
        // What is synced is not asked for.
        try part.sync()
        try part.append([piece, piece], rows: 2)
        #expect(files.startedSyncs.last == 3_000_000..<4_200_000)
        try part.putAside()
        let path = FilePath.join(directory.path, ManifestName.hidden("a"))
        #expect(try PosixFileSystem().status(path)?.size == 4_200_000)
    }
}
