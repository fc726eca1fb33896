import JobFile
import StreamEngine

/// The exit codes of JOBS.md.
enum ExitCode {
    static let done: Int32 = 0
    static let failed: Int32 = 1
    /// The job or the arguments are wrong.
    static let wrongInput: Int32 = 2
}

/// One command of `stream-job`. Adding one is one file in `Commands/` (`extension Command { static let … }`) and one line
/// in `CommandList`.
struct Command: Sendable {
    let name: String
    /// One line for the list of commands.
    let summary: String
    /// What follows the flags: `JOB.yaml …`.
    let operands: String
    /// What it does, a few lines for its help.
    var details = ""
    /// Its own flags; `--color` and `--help` come by themselves.
    let flags: [Flag]
    /// Two or three command lines that work when pasted in the project's directory.
    let examples: [String]
    /// Whether the list of commands leaves it out.
    var isHidden = false
    /// Whether SIGINT and SIGTERM stop it cleanly (`Signals.watch`), with exit code 130 or 143 from its first moment on.
    var stopsCleanly = false
    /// Runs; gives the exit code. Data goes to `console.out`, all else to `console.note`.
    let run: @Sendable (ParsedArguments, Console) throws(UsageError) -> Int32

    /// With those every command has.
    var allFlags: [Flag] { flags + [.color, .help] }
}

extension ParsedArguments {
    /// Reads a command's one job, with `--set` put in, and shows what is wrong with it. Nil: the command ends with
    /// `ExitCode.wrongInput`.
    func loadJob(_ console: Console) throws(UsageError) -> JobDefinition? {
        let path = try onlyJob()
        let checked = JobFileLoader(.standard).load(path, overrides: values(.set))
        console.show(checked)
        return checked.definition
    }
}
