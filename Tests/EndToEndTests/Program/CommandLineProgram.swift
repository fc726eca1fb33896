import Platform

/// Short forms for tests that need no files of their own.
enum CommandLineProgram {
    static func run(_ arguments: String...) throws -> ProgramResult { try run(arguments) }

    static func run(_ arguments: [String]) throws -> ProgramResult { try spawn(BuiltProgram.path, arguments) }

    /// Runs a program to its end.
    static func spawn(_ program: String, _ arguments: [String]) throws -> ProgramResult {
        try BuiltProgram.start(program, arguments, in: Scratch()).result()
    }

    /// A directory with these files, gone afterwards.
    static func withFiles<T>(_ files: [String: String], _ body: (String) throws -> T) throws -> T {
        let scratch = try Scratch()
        for (name, text) in files { _ = try scratch.write(text, to: name) }
        return try withExtendedLifetime(scratch) { try body(scratch.path) }
    }
}
