import Glibc
import Platform

/// Runs the built program.
enum CommandLineProgram {
    struct Result {
        var code: Int32
        var output: String
        var errors: String
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The program stands beside the test bundle.
    static let path: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return FilePath.sibling(of: own, named: "stream-job")
    }()

    static func run(_ arguments: String...) throws -> Result { try run(arguments) }

    static func run(_ arguments: [String]) throws -> Result { try spawn(path, arguments) }

    /// Runs a program to its end; its output goes through files, so that no pipe can fill up.
    static func spawn(_ program: String, _ arguments: [String]) throws -> Result {
        try withFiles([:]) { directory in
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            let flags = O_WRONLY | O_CREAT | O_TRUNC
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "\(directory)/out", flags, 0o600)
            posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "\(directory)/err", flags, 0o600)
            var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
            argv.append(nil)
            defer { for pointer in argv { free(pointer) } }
            var process = pid_t()
            let code = posix_spawn(&process, program, &actions, nil, argv, environ)
            guard code == 0 else { throw Failure(description: "\(program): \(String(cString: strerror(code)))") }
            var status: Int32 = 0
            while waitpid(process, &status, 0) < 0 {
                guard errno == EINTR else { throw Failure(description: "waitpid: \(errno)") }
            }
            let exited = status & 0x7F == 0
            return Result(
                code: exited ? (status >> 8) & 0xFF : 128 + (status & 0x7F),
                output: String(decoding: try PosixFileSystem().readAll("\(directory)/out"), as: UTF8.self),
                errors: String(decoding: try PosixFileSystem().readAll("\(directory)/err"), as: UTF8.self))
        }
    }

    /// A directory with these files, gone afterwards.
    static func withFiles<T>(_ files: [String: String], _ body: (String) throws -> T) throws -> T {
        let files = files
        var template = Array("/tmp/stream-job-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Failure(description: "mkdtemp: \(errno)") }
        let directory = String(cString: made)
        defer { try? PosixFileSystem().removeTree(directory) }
        for (name, text) in files {
            let file = try PosixFileSystem().open("\(directory)/\(name)", .replace)
            try file.writeAll(Array(text.utf8))
            try file.close()
        }
        return try body(directory)
    }
}
