import Connectors
import Platform
import StreamEngine

extension Command {
    /// `stream-job diff DIR DIR`
    static let diff = Command(
        name: "diff", summary: "tell which flags appear or vanish between two replays", operands: "DIR DIR",
        details: """
            Compares the anomalies (firing, and flagged where `emit` says so) in the output directories of two replays: by
            query, detector, labels and time. Severity and reason may differ.
            """,
        flags: [.json],
        examples: ["stream-job diff out/above-80 out/above-90", "stream-job diff before after --json"],
        run: Difference.run)
}

/// What `diff` does.
private enum Difference {
    /// What makes two flags the same.
    private struct Identity: Hashable, Comparable {
        let timestampMs: Int64
        let query: String
        let detector: String
        let labels: String
        let state: String

        init(_ record: AnomalyRecord) {
            timestampMs = record.timestampMs
            query = record.query
            detector = record.detector
            labels = "{\(record.labels.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ", "))}"
            state = record.state
        }

        static func < (a: Identity, b: Identity) -> Bool {
            (a.timestampMs, a.query, a.detector, a.labels, a.state) < (
                b.timestampMs, b.query, b.detector, b.labels, b.state
            )
        }
    }

    private static let linesMax = 40

    @Sendable
    static func run(_ arguments: ParsedArguments, _ console: Console) throws(UsageError) -> Int32 {
        let directories = arguments.positionals
        guard directories.count == 2 else {
            throw UsageError("two output directories are expected, found \(directories.count)")
        }
        var sides: [[Identity: AnomalyRecord]] = []
        for directory in directories {
            do {
                let records = try AnomalyRecord.read(below: directory)
                let flags = records.filter { $0.state == "firing" || $0.state == "flagged" }
                sides.append(Dictionary(flags.map { (Identity($0), $0) }) { first, _ in first })
            } catch let failure as IOFailure {
                throw UsageError("\(failure)")
            } catch {
                return console.showFailure(error)
            }
        }
        let vanished = sides[0].filter { sides[1][$0.key] == nil }
        let appeared = sides[1].filter { sides[0][$0.key] == nil }
        let same = sides[0].count - vanished.count
        let changes =
            (vanished.map { (identity: $0.key, record: $0.value, isNew: false) }
            + appeared.map { (identity: $0.key, record: $0.value, isNew: true) }).sorted { $0.identity < $1.identity }
        if arguments.has(.json) {
            console.out(json(changes.map { ($0.record, $0.isNew) }, same: same).text + "\n")
            return ExitCode.done
        }
        for change in changes.prefix(linesMax) {
            let mark = change.isNew ? console.outPaint("+", .green) : console.outPaint("-", .red)
            let identity = change.identity
            console.out(
                "\(mark) \(EventTime.consoleText(identity.timestampMs))Z  \(identity.query).\(identity.detector) "
                    + "\(identity.labels) \(identity.state): \(change.record.reason)\n")
        }
        if changes.count > linesMax {
            console.out("  (and \(FigureText.count(changes.count - linesMax)) more; --json has all)\n")
        }
        console.out(
            "\(Plural.of(same, "flag")) in both, \(FigureText.count(appeared.count)) appear, "
                + "\(FigureText.count(vanished.count)) vanish\n")
        return ExitCode.done
    }

    private static func json(_ changes: [(record: AnomalyRecord, isNew: Bool)], same: Int) -> JSONValue {
        func list(_ isNew: Bool) -> JSONValue {
            .array(
                changes.filter { $0.isNew == isNew }.map { change in
                    .object([
                        ("query", .string(change.record.query)), ("detector", .string(change.record.detector)),
                        ("labels", ReportDocument.labels(change.record.labels)),
                        ("timestamp", .string(EventTime.rfc3339(change.record.timestampMs))),
                        ("state", .string(change.record.state)), ("severity", .string(change.record.severity)),
                        ("reason", .string(change.record.reason)),
                    ])
                })
        }
        return .object([("same", .integer(same)), ("appear", list(true)), ("vanish", list(false))])
    }
}
