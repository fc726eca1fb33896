import Backtest
import Platform
import StreamEngine

/// `--labels` and `--report` of `replay` and `backtest`.
struct Backtesting {
    static let labels = Flag.valued(
        "--labels", "FILE", "labelled incidents (CSV: start,end,kind,selector): every detector is scored against them")
    static let report = Flag.valued("--report", "DIR", "writes report.json and report.html (of every detector) there")

    /// By start; empty without `--labels`.
    let incidents: [LabelledIncident]
    let hasLabels: Bool
    let reportDirectory: String?

    /// Whether detectors are heard at all.
    var isOn: Bool { hasLabels || reportDirectory != nil }

    init(_ arguments: ParsedArguments, _ definition: JobDefinition) throws(UsageError) {
        reportDirectory = arguments.value(Self.report)
        hasLabels = arguments.value(Self.labels) != nil
        if let path = arguments.value(Self.labels) {
            let bytes: [UInt8]
            do throws(IOFailure) {
                bytes = try PosixFileSystem().readAll(path, limit: 64 << 20)
            } catch {
                throw UsageError("labels: \(error)")
            }
            do throws(LabelsError) {
                incidents = try LabelledIncident.parse(bytes, file: path)
            } catch {
                throw UsageError("labels: \(error)")
            }
        } else {
            incidents = []
        }
        if isOn, definition.queries.allSatisfy(\.anomalies.isEmpty) {
            throw UsageError(
                "the job has no detector to score", hint: "`anomalies:` of a query; see docs/reference.md")
        }
    }

    /// Shows how the detectors did, and writes the report where one is wanted.
    func finish(_ recorder: BacktestRecorder, job: JobDefinition, _ console: Console) throws {
        console.note(ScoreText.table(recorder, hasLabels: hasLabels))
        guard let reportDirectory else { return }
        let files = PosixFileSystem()
        try files.createDirectories(reportDirectory)
        let document = ReportDocument(recorder, job: job.name)
        let json = FilePath.join(reportDirectory, "report.json")
        try files.writeAtomically(Array((document.json.text + "\n").utf8), to: json)
        let page = ReportPage.html(job: job.name, report: document.json, tracks: ReportTracks.json(recorder))
        let html = FilePath.join(reportDirectory, "report.html")
        try files.writeAtomically(Array(page.utf8), to: html)
        console.note("  report   \(json), \(html)\n")
    }
}
