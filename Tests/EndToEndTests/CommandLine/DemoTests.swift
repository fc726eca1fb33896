import Glibc
import Platform
import TestSupport
import Testing

/// `stream-job demo` as a newcomer meets it, without a terminal.
@Suite struct DemoTests {
    @Test func windowsAppearAndFilesAreLeft() throws {
        let scratch = try Scratch()
        let result = try BuiltProgram.start(
            "env", ["TMPDIR=\(scratch.path)", BuiltProgram.path, "demo", "--seconds", "5"], in: scratch
        ).result()
        #expect(result.code == 0)
        #expect(result.output.contains("window end"))
        let windows = result.output.split(separator: "\n").filter { $0.contains(" %") }
        #expect(windows.count >= 3, "\(result.output)")
        // Each of the four nodes has a value in each window.
        for window in windows { #expect(window.split(separator: "%").count == 5, "\(window)") }
        #expect(result.output.contains("the generator says: node-"))
        #expect(result.errors.contains("0 late"))
        #expect(!result.errors.contains("error"))
        let commands = result.errors.split(separator: "\n").filter { $0.hasPrefix("  \(BuiltProgram.path)") }
        #expect(commands.count == 3)
        for command in commands {
            let words = command.split(separator: " ").map(String.init)
            let tried = try BuiltProgram.start(words[0], Array(words.dropFirst()), in: scratch).result()
            #expect(tried.code == 0, "\(command): \(tried.errors)")
        }
    }

    @Test func jsonIsOneObjectALine() throws {
        let scratch = try Scratch()
        let result = try BuiltProgram.start(
            "env", ["TMPDIR=\(scratch.path)", BuiltProgram.path, "demo", "--seconds", "3", "--json"], in: scratch
        ).result()
        #expect(result.code == 0)
        let lines = try JSON.lines(result.output)
        let busy = lines.compactMap { $0["busy"] }
        #expect(!busy.isEmpty)
        for window in busy {
            for node in 1...4 { #expect((0...1).contains(window["node-\(node)"]?.number ?? -1)) }
        }
        #expect(lines.last?["job"]?.text == "demo")
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func aSignalEndsItCleanly(_ signal: Int32) throws {
        let scratch = try Scratch()
        let running = try BuiltProgram.start(
            "env", ["TMPDIR=\(scratch.path)", BuiltProgram.path, "demo", "--seconds", "600"], in: scratch)
        try waitUntil("a window shows", state: { (try? running.errors()) ?? "" }) {
            try running.output().contains(" %")
        }
        kill(running.pid, signal)
        let result = try running.result()
        #expect(result.code == 128 + signal)
        #expect(result.errors.contains("stopping\n"))
        #expect(!result.errors.contains("Try next"))
        let names = try PosixFileSystem().list(scratch.path)
        #expect(names.allSatisfy { $0.hasPrefix("stdout") || $0.hasPrefix("stderr") }, "\(names)")
    }
}
