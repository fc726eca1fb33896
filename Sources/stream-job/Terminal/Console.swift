import Connectors
import Glibc

/// Where a command writes: data to stdout, all else to stderr, colour only where a person sees it.
struct Console: Sendable {
    /// A colour with its meaning.
    enum Color: String, Sendable {
        case red = "1;31"
        case yellow = "1;33"
        case green = "32"
        case dim = "2"
        case bold = "1"
    }

    /// When to colour.
    enum ColorChoice: String, Sendable {
        case auto, always, never
    }

    /// Whether stdout is coloured.
    let colorsOut: Bool
    /// Whether stderr is coloured.
    let colorsNotes: Bool
    /// Whether stderr is a terminal that can rewrite a line: only then progress bars.
    let canRewriteNotes: Bool

    /// Decides on colour by `--color`, the terminal, `NO_COLOR` (no-color.org: set and not empty) and `TERM=dumb`.
    init(_ choice: ColorChoice) {
        let noColor = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        let isDumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? true
        func colors(_ descriptor: Int32) -> Bool {
            switch choice {
            case .always: true
            case .never: false
            case .auto: isatty(descriptor) == 1 && !noColor && !isDumb
            }
        }
        colorsOut = colors(STDOUT_FILENO)
        colorsNotes = colors(STDERR_FILENO) && LogFormat.ofProcess == .text
        canRewriteNotes = isatty(STDERR_FILENO) == 1 && !isDumb && LogFormat.ofProcess == .text
    }

    /// Data, to stdout. When its reader has gone (`| head`) the process ends quietly; other failures end it with 1.
    func out(_ text: String) {
        switch Self.write(text, to: STDOUT_FILENO) {
        case 0: return
        case EPIPE: exit(ExitCode.done)
        case let code:
            error("cannot write to stdout: \(String(cString: strerror(code)))")
            exit(ExitCode.failed)
        }
    }

    /// Everything that is no data, to stderr. A stderr that nobody reads is no reason to stop.
    func note(_ text: String) {
        switch LogFormat.ofProcess {
        case .text: _ = Self.write(text, to: STDERR_FILENO)
        case .json: for record in LogRecord.lines(of: text) { log(record) }
        }
    }

    /// A text for people, or in its place a record for programs.
    func note(_ text: String, _ record: @autoclosure () -> LogRecord) {
        switch LogFormat.ofProcess {
        case .text: note(text)
        case .json: log(record())
        }
    }

    private func log(_ record: LogRecord) { _ = Self.write(record.line(), to: STDERR_FILENO) }

    /// `error: …` on stderr, with what to do below.
    func error(_ message: String, hint: String = "") {
        note(
            "\(notePaint("error", .red)): \(message)\n" + (hint.isEmpty ? "" : "  = \(hint)\n"),
            LogRecord(message, level: .error, hint.isEmpty ? [] : [("hint", .string(hint))]))
    }

    /// `warning: …` on stderr.
    func warning(_ message: String) {
        note("\(notePaint("warning", .yellow)): \(message)\n", LogRecord(message, level: .warning))
    }

    /// Text for stdout, coloured where stdout is.
    func outPaint(_ text: String, _ color: Color) -> String { Self.paint(text, color, colorsOut) }

    /// Text for stderr, coloured where stderr is.
    func notePaint(_ text: String, _ color: Color) -> String { Self.paint(text, color, colorsNotes) }

    private static func paint(_ text: String, _ color: Color, _ isColoured: Bool) -> String {
        isColoured ? "\u{1B}[\(color.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// What librdkafka has to say, on stderr: warnings and worse (syslog levels).
    static func logKafka(_ line: KafkaLogLine) {
        guard line.level <= 4 else { return }
        let record = LogRecord(line.text, level: line.level < 4 ? .error : .warning, [("of", .string("kafka"))])
        _ = write(LogFormat.ofProcess == .text ? "kafka: \(line.text)\n" : record.line(), to: STDERR_FILENO)
    }

    /// Something that went wrong in the background and stops nothing.
    static func logNotice(_ text: String) {
        let record = LogRecord(text, level: .warning)
        _ = write(LogFormat.ofProcess == .text ? "warning: \(text)\n" : record.line(), to: STDERR_FILENO)
    }

    /// Columns of the terminal behind stderr (or stdout), 80 without one.
    var width: Int {
        for descriptor in [STDERR_FILENO, STDOUT_FILENO] {
            var size = winsize()
            if ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
        }
        return 80
    }

    /// Writes all of a text; gives 0 or the `errno`.
    static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { bytes in
            var at = 0
            while at < bytes.count {
                let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + at }, bytes.count - at)
                if count >= 0 {
                    at += count
                } else if errno == EAGAIN {
                    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&ready, 1, -1)
                } else if errno != EINTR {
                    return errno
                }
            }
            return 0
        }
    }
}
