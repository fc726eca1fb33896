/// The text of `--help`, made of what commands declare.
enum HelpText {
    /// Of the program.
    static func program() -> String {
        let commands = CommandList.all.filter { !$0.isHidden }
        let width = commands.map(\.name.count).max() ?? 0
        var out = "stream-job: windows over metrics and events, from Kafka or from files\n\n"
        out += "usage: stream-job COMMAND [flags] …\n\ncommands:\n"
        for command in commands { out += "  \(pad(command.name, width))  \(command.summary)\n" }
        out += "\nexamples:\n"
        for example in commands.compactMap(\.examples.first).prefix(3) { out += "  \(example)\n" }
        return out + "\nstream-job COMMAND --help says more; stream-job --version tells the version.\n"
    }

    /// Of one command.
    static func command(_ command: Command) -> String {
        let operands = command.operands.isEmpty ? "" : " \(command.operands)"
        var out =
            "stream-job \(command.name): \(command.summary)\n\nusage: stream-job \(command.name) [flags]\(operands)\n"
        if !command.details.isEmpty { out += "\n\(command.details)\n" }
        let flags = command.allFlags
        let width = flags.map(\.usage.count).max() ?? 0
        out += "\nflags:\n"
        for flag in flags {
            out += "  \(pad(flag.usage, width))  \(flag.summary)\(flag.isRepeatable ? " (again and again)" : "")\n"
        }
        if !command.examples.isEmpty {
            out += "\nexamples:\n"
            for example in command.examples { out += "  \(example)\n" }
        }
        return out
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }
}
