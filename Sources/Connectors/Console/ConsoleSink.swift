import Platform
import StreamEngine

/// Prints the rows of an epoch as one table, findings as lines and other documents as JSON, when the epoch is published.
///
/// Holds at most `rows` rows of an epoch, and every document.
public final class ConsoleSink: Sink {
    public let description = "console"
    private let rowsMax: Int
    private let truncate: Int
    private let output: any File
    private var pending = ""

    /// Prints to `output`; at most `rows` rows of an emission, text cells cut at `truncate` columns (0: never).
    public init(rows: Int = 20, truncate: Int = 40, output: any File = FileDescriptor.standardOutput()) {
        rowsMax = rows
        self.truncate = truncate
        self.output = output
    }

    public var written: (files: Int, bytes: Int64)? { nil }
    public var findingForm: FindingForm { .line }

    /// The rows of the open epoch that will be shown, and how many there are in all.
    private struct OpenTable {
        var rows: RowBatch
        var total: Int
        var info: EmissionInfo
    }

    private var table: OpenTable?

    public func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        guard rows.rowCount > 0 else { return }
        // Rows of `without` queries may have other columns from window to window: then a table ends.
        if let open = table, open.rows.schema != rows.schema || open.info.query != info.query { endTable() }
        if var open = table {
            let room = min(rows.rowCount, rowsMax - open.rows.rowCount)
            if room > 0 { open.rows.append(rows.rows(Array(0..<room))) }
            open.total += rows.rowCount
            open.info = info
            table = open
        } else {
            let shown = rows.rows(Array(0..<min(rows.rowCount, rowsMax)))
            table = OpenTable(rows: shown, total: rows.rowCount, info: info)
        }
    }

    private func endTable() {
        guard let open = table else { return }
        table = nil
        let rule = String(repeating: "-", count: 43) + "\n"
        let number = PeopleNumber.text(Int64(open.info.epoch.number))
        pending += rule
        pending += "Epoch \(number) · \(open.info.query)\(Self.watermark(open.info))\n"
        pending += rule
        pending += ConsoleTable(open.rows, total: open.total, truncate: truncate).text
        pending += "\n"
    }

    public func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {
        for document in documents.documents {
            pending += String(decoding: document, as: UTF8.self)
            pending += "\n"
        }
    }

    private static let yearTenThousandMs: Int64 = 253_402_300_800_000

    private static func watermark(_ info: EmissionInfo) -> String {
        guard let watermarkMs = info.watermarkMs else { return "" }
        // The end of a bounded input counts as +infinity (SEMANTICS §3).
        if watermarkMs >= yearTenThousandMs { return " · end of input" }
        return " · watermark \(EventTime.consoleText(watermarkMs).split(separator: " ").last ?? "")Z"
    }

    public func prepare(_ epoch: EpochToken) throws(SinkError) {}

    public func publish(_ epoch: EpochToken) throws(SinkError) {
        endTable()
        guard !pending.isEmpty else { return }
        let text = pending
        pending = ""
        do throws(IOFailure) {
            try output.writeAll(Array(text.utf8))
        } catch {
            throw SinkError("console: \(error)", isBrokenPipe: error.isBrokenPipe)
        }
    }

    public func discard(_ epoch: EpochToken) {
        pending = ""
        table = nil
    }

    /// What was not shown is not known to be decided: whoever goes on from here shows later epochs.
    public func abandon(_ epoch: EpochToken) { discard(epoch) }

    public func close() throws(SinkError) {}
}
