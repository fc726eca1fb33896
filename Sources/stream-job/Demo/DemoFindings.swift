import StreamEngine

/// Shows what the detectors of `demo` find, a line each, when the epoch is published.
final class DemoFindings: Sink {
    private let console: Console
    private let isJSON: Bool
    private var open: [String] = []

    init(_ console: Console, isJSON: Bool) {
        self.console = console
        self.isJSON = isJSON
    }

    let description = "the console"
    var written: (files: Int, bytes: Int64)? { nil }
    var findingForm: FindingForm { isJSON ? .document : .line }

    func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {}

    func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {
        open += documents.documents.map { String(decoding: $0, as: UTF8.self) }
    }

    func prepare(_ epoch: EpochToken) throws(SinkError) {}

    func publish(_ epoch: EpochToken) throws(SinkError) {
        for line in open {
            if isJSON {
                console.out(line + "\n")
            } else {
                // The board's lines have no date either.
                let text = String(line.dropFirst("2026-01-01 ".count))
                console.out(console.outPaint(text, line.contains("  FIRING ") ? .red : .green) + "\n")
            }
        }
        open = []
    }

    func discard(_ epoch: EpochToken) { open = [] }
    func abandon(_ epoch: EpochToken) { open = [] }
    func close() throws(SinkError) {}
}
