import Glibc
import Platform
import StreamEngine

/// How a live run stands: one line, rewritten in place on a terminal, a plain line every 10 s elsewhere; log lines go above.
final class StatusLine {
    private let console: Console
    private let clock = SystemClock()
    private var nextNs: Int64 = 0
    private var isShown = false
    private let rewrites: Bool

    init(_ console: Console) {
        self.console = console
        // Where stdout is the same terminal, tables come between: a line that is rewritten would tear them.
        rewrites = console.canRewriteNotes && isatty(STDOUT_FILENO) == 0
    }

    /// A line with the time.
    func log(_ text: String) {
        clear()
        console.note("\(time())  \(text)\n", LogRecord(text))
    }

    /// The status after a trigger.
    func show(_ progress: QueryProgress) {
        let nowNs = clock.monotonicNs()
        guard rewrites || nowNs >= nextNs else { return }
        nextNs = nowNs + 10_000_000_000
        var parts = ["\(FigureText.count(Int(progress.samplesPerSecond))) samples/s"]
        if let lag = progress.lag { parts.append("lag \(FigureText.count(Int(lag)))") }
        for source in progress.sources { parts.append(watermark(source, many: progress.sources.count > 1)) }
        // Before the first epoch there is nothing but the wait for records.
        parts.append(
            progress.epoch < 0
                ? "no epoch so far"
                : "epoch \(FigureText.count(progress.epoch)) in \(FigureText.duration(seconds: progress.commitMs / 1000))"
        )
        parts.append(Plural.of(progress.rows, "row"))
        if let latency = progress.latency {
            parts.append("latency p99 \(FigureText.duration(seconds: Double(latency.p99Ms) / 1000))")
        }
        if progress.anomalies > 0 { parts.append(Plural.of(progress.anomalies, "anomaly", "anomalies")) }
        parts.append("\(FigureText.count(progress.late)) late")
        parts.append("\(FigureText.count(progress.bad)) bad")
        let figures = parts.joined(separator: " · ")
        let line = "\(time())  ▸ \(figures)"
        if rewrites {
            console.note("\r\u{1B}[K\(line.prefix(max(20, console.width - 1)))")
            isShown = true
        } else {
            console.note(line + "\n", LogRecord(figures, [("status", progress.json)]))
        }
    }

    /// Takes a rewritten line away.
    func finish() { clear() }

    private func clear() {
        if isShown { console.note("\r\u{1B}[K") }
        isShown = false
    }

    private func watermark(_ source: QueryProgress.Source, many: Bool) -> String {
        let name = many ? "\(source.name) watermark" : "watermark"
        guard let watermark = source.watermarkMs else {
            return source.holder.map { "no \(name) yet (waits for \($0): no record so far)" } ?? "no \(name) yet"
        }
        var text = "\(name) \(EventTime.consoleText(watermark / 1000 * 1000).suffix(8))Z"
        guard source.partitions > 1 || (source.holderQuietMs ?? 0) > 2000, let holder = source.holder else {
            return text
        }
        text += " (waits for \(holder)"
        if let quiet = source.holderQuietMs, quiet > 2000 {
            text += ", quiet \(FigureText.duration(seconds: Double(quiet) / 1000))"
        }
        return text + ")"
    }

    private func time() -> String { "\(EventTime.consoleText(clock.wallMs() / 1000 * 1000).suffix(8))Z" }
}
