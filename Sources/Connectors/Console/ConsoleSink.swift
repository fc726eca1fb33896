import Platform
import StreamEngine

/// Prints rows as tables, and documents as JSON lines, when their epoch is published.
///
/// Holds the text of one epoch: at most `rows` rows of each emission, every document.
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

    public func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        guard rows.rowCount > 0 else { return }
        let rule = String(repeating: "-", count: 43) + "\n"
        pending += rule
        pending += "Epoch \(PeopleNumber.text(Int64(info.epoch.number))) · \(info.query)\(Self.watermark(info))\n"
        pending += rule
        pending += ConsoleTable(rows, limit: rowsMax, truncate: truncate).text
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
        guard !pending.isEmpty else { return }
        let text = pending
        pending = ""
        do throws(IOFailure) {
            try output.writeAll(Array(text.utf8))
        } catch {
            throw SinkError("console: \(error)", isBrokenPipe: error.isBrokenPipe)
        }
    }

    public func discard(_ epoch: EpochToken) { pending = "" }

    public func close() throws(SinkError) {}
}
