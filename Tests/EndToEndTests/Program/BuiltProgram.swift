import Glibc
import Platform

/// What a program left behind.
struct ProgramResult {
    /// The exit code; 128 + the signal that ended it.
    let code: Int32
    let output: String
    let errors: String
}

/// The program this package builds, run as a user runs it: another process, its own arguments, files and signals.
enum BuiltProgram {
    /// `stream-job` as built beside the tests.
    static let path: String = {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return FilePath.join(FilePath.directory(of: own), "stream-job")
    }()

    /// The package's directory.
    static let package: String = {
        var directory = #filePath
        for _ in 0..<4 { directory = FilePath.directory(of: directory) }
        return directory
    }()

    /// A path of this target's fixtures.
    static func fixture(_ name: String) -> String { "\(package)/Tests/EndToEndTests/Fixtures/\(name)" }

    /// Runs `stream-job` to its end.
    static func run(_ arguments: [String], in scratch: Scratch) throws -> ProgramResult {
        try start(path, arguments, in: scratch).result()
    }

    /// Starts a program; a bare name is looked up in PATH. It works in `scratch`, with variables such as `NAME=value`
    /// beside those of this process; its output goes to files, so that it never waits for us.
    static func start(
        _ program: String, _ arguments: [String], environment: [String] = [], in scratch: Scratch
    ) throws -> RunningProgram {
        let running = RunningProgram(scratch)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, running.outputPath, flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, running.errorsPath, flags, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Signals do what they do at a terminal, also where these tests were started with some of them ignored.
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var words: [UnsafeMutablePointer<CChar>?] =
            (["env", "-C", scratch.path] + environment + [program] + arguments).map { strdup($0) }
        words.append(nil)
        defer { words.forEach { free($0) } }
        let code = posix_spawnp(&running.pid, "env", &actions, &attributes, words, environ)
        guard code == 0 else { throw IOFailure(.open, path: program, code: code) }
        return running
    }
}

/// A started program.
final class RunningProgram {
    fileprivate(set) var pid: pid_t = 0
    fileprivate let outputPath: String
    fileprivate let errorsPath: String

    /// Holds the directory, also where the caller does not.
    private let scratch: Scratch
    /// What `waitpid` said, once it has ended.
    private var status: Int32?

    fileprivate init(_ scratch: Scratch) {
        self.scratch = scratch
        outputPath = scratch.fresh("stdout")
        errorsPath = scratch.fresh("stderr")
    }

    /// Waits for its end.
    func result() throws -> ProgramResult {
        _ = try wait(0)
        return ProgramResult(code: try code() ?? 0, output: try text(outputPath), errors: try text(errorsPath))
    }

    /// The exit code, 128 + the signal that ended it; nil while it runs.
    func code() throws -> Int32? {
        guard let status = try status ?? wait(WNOHANG) else { return nil }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }

    /// The signal whose default action ended it; nil where it called exit. Waits for its end.
    func endingSignal() throws -> Int32? {
        let signal = (try wait(0) ?? 0) & 0x7f
        return signal == 0 ? nil : signal
    }

    private func wait(_ options: Int32) throws -> Int32? {
        if let status { return status }
        var found: Int32 = 0
        while true {
            let ended = waitpid(pid, &found, options)
            if ended == pid { break }
            if ended == 0 { return nil }
            guard errno == EINTR else { throw IOFailure(.read, path: "process \(pid)", code: errno) }
        }
        status = found
        return found
    }

    /// What it wrote to stdout so far.
    func output() throws -> String { try text(outputPath) }

    /// What it wrote to stderr so far.
    func errors() throws -> String { try text(errorsPath) }

    /// Sends it a signal, unless it is known to have ended.
    func signal(_ signal: Int32) {
        if status == nil { kill(pid, signal) }
    }

    private func text(_ path: String) throws -> String {
        String(decoding: try PosixFileSystem().readAll(path, limit: .max), as: UTF8.self)
    }
}

/// A directory of its own for a test, removed at the end.
final class Scratch: Sendable {
    let path: String
    private let count = Monitor(0)

    init() throws {
        var template = Array("/tmp/stream-job-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw IOFailure(.createDirectory, path: "/tmp", code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? PosixFileSystem().removeTree(path) }

    /// A path in the directory.
    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// A path that was not given out before.
    func fresh(_ name: String) -> String {
        let number = count.withLock { count in
            count += 1
            return count
        }
        return file("\(name).\(number)")
    }

    /// Writes a file and gives its path.
    func write(_ text: String, to name: String) throws -> String {
        try PosixFileSystem().writeAtomically(Array(text.utf8), to: file(name))
        return file(name)
    }
}
