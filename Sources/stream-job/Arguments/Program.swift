import StreamEngine

/// The program: takes the command line apart and runs a command.
enum Program {
    /// The version told by `--version`.
    static let version = "0.1.0"

    /// Runs with the arguments behind the program's name; gives the exit code.
    static func run(_ arguments: [String]) -> Int32 {
        let console = Console(colorChoice(arguments))
        if LogFormat.ofProcess == .json { Signals.endEarly(.json) }
        do throws(UsageError) {
            return try run(arguments, console)
        } catch {
            console.error(error.message, hint: error.hint)
            return ExitCode.wrongInput
        }
    }

    private static func run(_ arguments: [String], _ console: Console) throws(UsageError) -> Int32 {
        guard let first = arguments.first else {
            console.note(HelpText.program())
            return ExitCode.wrongInput
        }
        switch first {
        case "--help", "-h", "help":
            guard first == "help", let name = arguments.dropFirst().first, name != "--help" else {
                console.out(HelpText.program())
                return ExitCode.done
            }
            console.out(HelpText.command(try command(name)))
            return ExitCode.done
        case "--version", "-V", "version":
            console.out("stream-job \(version)\n")
            return ExitCode.done
        default: break
        }
        let command = try command(first)
        if !command.stopsCleanly { Signals.leaveToSystem() }
        let rest = arguments.dropFirst()
        if isHelpAsked(rest) {
            console.out(HelpText.command(command))
            return ExitCode.done
        }
        return try command.run(ParsedArguments(rest, of: command), console)
    }

    private static func command(_ name: String) throws(UsageError) -> Command {
        if let command = CommandList.named(name) { return command }
        if name.hasPrefix("-") {
            let near = Suggestion.nearest(name, among: ["--help", "--version"])
            throw UsageError(
                "the first argument is a command, found `\(name)`",
                hint: near.map { "did you mean `\($0)`?" } ?? "see stream-job --help")
        }
        let names = CommandList.all.filter { !$0.isHidden }.map { $0.name }
        let near = Suggestion.nearest(name, among: names)
        throw UsageError(
            "unknown command `\(name)`",
            hint: near.map { "did you mean `\($0)`?" } ?? "commands: \(names.joined(separator: ", "))")
    }

    private static func isHelpAsked(_ arguments: ArraySlice<String>) -> Bool {
        arguments.prefix { $0 != "--" }.contains { $0 == "--help" || $0 == "-h" }
    }

    /// `--color`, looked for before anything is parsed, so that errors are coloured rightly too.
    private static func colorChoice(_ arguments: [String]) -> Console.ColorChoice {
        for (index, argument) in arguments.enumerated() {
            if argument == "--color", index + 1 < arguments.count {
                return Console.ColorChoice(rawValue: arguments[index + 1]) ?? .auto
            }
            if argument.hasPrefix("--color=") {
                return Console.ColorChoice(rawValue: String(argument.dropFirst(8))) ?? .auto
            }
        }
        return .auto
    }
}
