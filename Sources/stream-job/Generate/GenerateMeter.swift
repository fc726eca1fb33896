import Generator
import Platform
import StreamEngine

/// How generating stands: one line rewritten on a terminal, a line every 10 s elsewhere.
struct GenerateMeter {
    private let console: Console
    private let clock = SystemClock()
    private let startNs: Int64
    private var nextNs: Int64
    private var isShown = false

    init(_ console: Console) {
        self.console = console
        startNs = clock.monotonicNs()
        nextNs = startNs + (console.canRewriteNotes ? 1_000_000_000 : 10_000_000_000)
    }

    private var seconds: Double { Double(clock.monotonicNs() - startNs) / 1e9 }

    /// Says how many samples have gone out, now and then.
    mutating func show(_ samples: Int) {
        let nowNs = clock.monotonicNs()
        guard nowNs >= nextNs else { return }
        nextNs = nowNs + (console.canRewriteNotes ? 500_000_000 : 10_000_000_000)
        let text = "\(Plural.of(samples, "sample")), \(FigureText.rate(Double(samples) / seconds))/s"
        console.note(console.canRewriteNotes ? "\r\u{1B}[K\(text)" : "\(text)\n")
        isShown = console.canRewriteNotes
    }

    /// Says that an incident begins.
    mutating func note(_ incident: Incident) {
        clear()
        console.note(
            "\(EventTime.consoleText(incident.startMs / 1000 * 1000))Z  incident `\(incident.kind.rawValue)`: "
                + "\(incident.description), until \(EventTime.consoleText(incident.endMs / 1000 * 1000).suffix(8))Z\n")
    }

    private mutating func clear() {
        if isShown { console.note("\r\u{1B}[K") }
        isShown = false
    }

    /// The last line.
    mutating func finish(_ samples: Int, _ target: String) {
        clear()
        console.note(
            "\(Plural.of(samples, "sample")) in \(FigureText.duration(seconds: seconds)) to \(target)\n")
    }
}
