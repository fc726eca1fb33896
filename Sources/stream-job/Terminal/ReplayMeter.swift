import Platform
import StreamEngine

/// Shows how far a replay has come: a line rewritten in place on a terminal, a plain line every 10 s elsewhere.
struct ReplayMeter {
    private let console: Console
    private let clock: any Clock
    private let what: String
    private var nextNs: Int64
    private var isShown = false

    /// A meter for `what`, such as `metrics: 4 files, 1.9 GiB`.
    init(_ what: String, console: Console, clock: any Clock) {
        self.what = what
        self.console = console
        self.clock = clock
        nextNs = clock.monotonicNs() + (console.canRewriteNotes ? 500_000_000 : 10_000_000_000)
    }

    /// Shows progress when it is time to.
    mutating func show(_ progress: ReplayProgress) {
        let nowNs = clock.monotonicNs()
        guard nowNs >= nextNs else { return }
        nextNs = nowNs + (console.canRewriteNotes ? 200_000_000 : 10_000_000_000)
        let done = progress.totalBytes > 0 ? min(1, Double(progress.consumedBytes) / Double(progress.totalBytes)) : 0
        var parts = ["\(Int(done * 100)) %"]
        if let time = progress.eventTimeMs { parts.append(EventTime.consoleText(time).prefix(16) + "Z") }
        let rate = progress.seconds > 0 ? Double(progress.samples) / progress.seconds : 0
        parts.append("\(FigureText.rate(rate)) samples/s")
        if done > 0.01 { parts.append("\(FigureText.duration(seconds: progress.seconds * (1 - done) / done)) left") }
        let figures = parts.joined(separator: "   ")
        if console.canRewriteNotes {
            let room = max(8, min(24, console.width - what.count - figures.count - 18))
            let filled = Int(Double(room) * done)
            let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: room - filled)
            console.note("\r\u{1B}[Kreplaying \(what)   \(bar)   \(figures)")
            isShown = true
        } else {
            let text = "replaying \(what): \(figures)"
            console.note(text + "\n", LogRecord(text, [("progress", progress.json)]))
        }
    }

    /// Takes the rewritten line away.
    mutating func finish() {
        if isShown { console.note("\r\u{1B}[K") }
        isShown = false
    }
}
