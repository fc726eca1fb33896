import Generator
import StreamEngine

/// The live view of `demo`: a line for each window, a column for each node.
///
/// Used by the coordinating thread; what the generator announces is written by `announce`, which keeps no state.
final class DemoBoard {
    /// What the queries say of one window.
    private struct Window {
        var busy: [String: Double] = [:]
        var requests: Double?
        var p99: Double?
    }

    private let console: Console
    private let nodes: [String]
    private let isJSON: Bool
    private var open: [Int64: Window] = [:]
    private var shown = 0
    /// Busy shares seen, by window end and node: for the last word.
    private(set) var history: [(windowEndMs: Int64, busy: [String: Double])] = []

    /// Length of the job's windows.
    static let windowMs: Int64 = 5000
    /// The workload's start: windows that begin earlier are not full and not shown.
    private let startMs: Int64

    init(_ console: Console, _ settings: WorkloadSettings, isJSON: Bool) {
        self.console = console
        nodes = (0..<Workload(settings).nodeCount).map { "node-\($0 + 1)" }
        startMs = settings.startMs
        self.isJSON = isJSON
    }

    /// Takes a query's rows.
    func take(_ rows: RowBatch, query: String) {
        guard case .timestamps(let ends)? = rows.column("window_end")?.values else { return }
        for row in 0..<rows.rowCount where ends[row] - Self.windowMs >= startMs {
            var window = open[ends[row]] ?? Window()
            switch query {
            case "cpu":
                if let node = rows.text("node", row) { window.busy[node] = rows.number("busy", row) }
            default:
                window.requests = rows.number("requests", row)
                window.p99 = rows.number("p99", row)
            }
            open[ends[row]] = window
        }
    }

    /// Forgets what was taken and not shown.
    func discard() { open = [:] }

    /// Shows the windows taken, in order.
    func show() {
        for (endMs, window) in open.sorted(by: { $0.key < $1.key }) {
            history.append((endMs, window.busy))
            console.out(isJSON ? json(endMs, window) : text(endMs, window))
        }
        open = [:]
    }

    private func text(_ endMs: Int64, _ window: Window) -> String {
        var out = ""
        if shown % 20 == 0 {
            let heads = nodes.map { Self.right($0, 9) }.joined()
            out += "\n" + console.outPaint("window end\(heads)  requests/s       p99", .bold) + "\n"
        }
        shown += 1
        out += "\(EventTime.consoleText(endMs).suffix(8))Z "
        for node in nodes {
            let busy = window.busy[node]
            let cell = Self.right(busy.map { "\(FigureText.decimals($0 * 100, 0)) %" } ?? "-", 9)
            out += (busy ?? 0) >= 0.9 ? console.outPaint(cell, .red) : cell
        }
        out += Self.right(window.requests.map { FigureText.decimals($0, 0) } ?? "-", 12)
        out += Self.right(window.p99.map { FigureText.duration(seconds: $0) } ?? "-", 10)
        return out + "\n"
    }

    private func json(_ endMs: Int64, _ window: Window) -> String {
        JSONValue.object([
            ("window_end", .string(EventTime.rfc3339(endMs))),
            ("busy", .object(window.busy.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) })),
            ("requestsPerSecond", window.requests.map { .number($0) } ?? .null),
            ("p99Seconds", window.p99.map { .number($0) } ?? .null),
        ]).text + "\n"
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(width - text.count, 0)) + text
    }

    /// Says that an incident begins.
    static func announce(_ incident: Incident, _ console: Console, isJSON: Bool) {
        guard !isJSON else {
            console.out(
                JSONValue.object([
                    ("incident", .string(incident.kind.rawValue)),
                    ("start", .string(EventTime.rfc3339(incident.startMs))),
                    ("end", .string(EventTime.rfc3339(incident.endMs))), ("selector", .string(incident.selector)),
                ]).text + "\n")
            return
        }
        let from = EventTime.consoleText(incident.startMs / 1000 * 1000).suffix(8)
        let until = EventTime.consoleText(incident.endMs / 1000 * 1000).suffix(8)
        console.out(
            console.outPaint("\(from)Z  the generator says: \(incident.description) from now until \(until)Z", .yellow)
                + "\n")
    }

    /// How busy a node was on average in windows that lie within an incident, and in those outside.
    func contrast(_ incident: Incident) -> (inside: Double, outside: Double)? {
        let node = "node-\(incident.node + 1)"
        let inside = history.filter {
            $0.windowEndMs - Self.windowMs >= incident.startMs && $0.windowEndMs <= incident.endMs
        }.compactMap { $0.busy[node] }
        let outside = history.filter {
            $0.windowEndMs <= incident.startMs || $0.windowEndMs - Self.windowMs >= incident.endMs
        }.compactMap { $0.busy[node] }
        guard !inside.isEmpty, !outside.isEmpty else { return nil }
        return (
            inside.reduce(0, +) / Double(inside.count), outside.reduce(0, +) / Double(outside.count)
        )
    }
}

extension RowBatch {
    /// A column by its name.
    fileprivate func column(_ name: String) -> ColumnData? {
        schema.columns.firstIndex { $0.name == name }.map { columns[$0] }
    }

    fileprivate func text(_ name: String, _ row: Int) -> String? {
        guard case .texts(let cells)? = column(name)?.values else { return nil }
        return cells.text(at: row)?.description
    }

    fileprivate func number(_ name: String, _ row: Int) -> Double? {
        guard let column = column(name), !column.isNull(row), case .doubles(let cells) = column.values else {
            return nil
        }
        return cells[row].isFinite ? cells[row] : nil
    }
}

/// Hands a query's rows to the board; the last query's sink shows them.
final class DemoSink: Sink {
    private let board: DemoBoard
    private let shows: Bool

    init(_ board: DemoBoard, shows: Bool) {
        self.board = board
        self.shows = shows
    }

    let description = "the console"
    var written: (files: Int, bytes: Int64)? { nil }

    func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) { board.take(rows, query: info.query) }
    func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {}
    func prepare(_ epoch: EpochToken) throws(SinkError) {}
    func publish(_ epoch: EpochToken) throws(SinkError) { if shows { board.show() } }
    func discard(_ epoch: EpochToken) { board.discard() }
    func abandon(_ epoch: EpochToken) { board.discard() }
    func close() throws(SinkError) {}
}
