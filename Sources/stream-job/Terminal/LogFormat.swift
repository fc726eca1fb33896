import Platform
import StreamEngine

/// How the process logs, `--log-format`: text for people, or one JSON object a line for programs that collect logs.
enum LogFormat: String, Sendable {
    case text, json

    /// What the process was started with. It holds for the process, as its stderr does, and is looked for before anything is
    /// parsed, so that errors of the command line and what librdkafka says keep to it too.
    static let ofProcess = asked(CommandLine.arguments.dropFirst())

    /// What these arguments ask for.
    static func asked(_ arguments: some Collection<String>) -> LogFormat {
        var rest = arguments.prefix { $0 != "--" }[...]
        while let argument = rest.popFirst() {
            if argument == "--log-format" { return rest.first.flatMap(LogFormat.init) ?? .text }
            if argument.hasPrefix("--log-format=") {
                return LogFormat(rawValue: String(argument.dropFirst(13))) ?? .text
            }
        }
        return .text
    }
}

extension Flag {
    /// Of commands that work for long.
    static let logFormat = Flag.valued(
        "--log-format", "FORMAT", "stderr as text, or as json: an object a line", words: ["text", "json"])
}

/// A line of `--log-format json`: `time` (RFC 3339), `level` (info, warning, error), `message`, then what belongs to it.
struct LogRecord {
    enum Level: String {
        case info, warning, error
    }

    var level: Level
    var message: String
    var fields: [(String, JSONValue)] = []

    /// A record; a message that begins as people are warned is of that level.
    init(_ text: some StringProtocol, level: Level = .info, _ fields: [(String, JSONValue)] = []) {
        self.level = level
        self.fields = fields
        var text = text[...]
        for (prefix, meant) in [("warning: ", Level.warning), ("error: ", .error)] where text.hasPrefix(prefix) {
            text = text.dropFirst(prefix.count)
            self.level = meant
        }
        message = String(text)
    }

    /// The lines of a text for people, each a record; empty lines are left out.
    static func lines(of text: String) -> [LogRecord] {
        text.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { !$0.isEmpty }.map { LogRecord($0) }
    }

    /// The line, with its end.
    func line(at timeMs: Int64 = SystemClock().wallMs()) -> String {
        JSONValue.object(
            [
                ("time", .string(EventTime.rfc3339(timeMs))), ("level", .string(level.rawValue)),
                ("message", .string(message)),
            ] + fields
        ).text + "\n"
    }
}
