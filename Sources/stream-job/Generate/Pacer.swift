import Platform
import StreamEngine

/// Holds event time back to so many times the clock's pace.
struct Pacer {
    private let clock = SystemClock()
    /// nil: as fast as possible.
    private let speed: Double?
    private let startNs: Int64
    private let startMs: Int64

    /// Begins now, at `startMs` of event time.
    init(speed: Double?, startMs: Int64) {
        self.speed = speed
        self.startMs = startMs
        startNs = clock.monotonicNs()
    }

    /// Waits until it is time for `timestampMs`, calling `body` at least every 100 ms; returns early when stopped.
    func wait(for timestampMs: Int64, _ stop: StopRequest, _ body: () throws -> Void) rethrows {
        guard let speed else { return }
        let offsetNs = Double(timestampMs - startMs) / speed * 1e6
        let dueNs = startNs + Int64(min(max(offsetNs, 0), 4e18))
        while !stop.isRequested {
            let leftNs = dueNs - clock.monotonicNs()
            guard leftNs > 0 else { return }
            clock.sleep(ms: Int(min(leftNs / 1_000_000 + 1, 100)))
            try body()
        }
    }
}
