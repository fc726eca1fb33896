/// The geometry of a query's windows: `[start, end)`, aligned to the epoch plus an offset, cut into panes.
///
/// Windows are numbered: window k is `[k·slide + offset, k·slide + offset + size)`. Panes are `gcd(size, slide)` wide, so
/// that a sample updates one pane and a window is the merge of its panes (J. Li et al., "No pane, no gain", SIGMOD Record
/// 2005). All divisions floor, also before 1970. Callers keep timestamps within `timestampRangeMs`, so nothing overflows.
public struct WindowSpec: Sendable, Hashable {
    public let sizeMs: Int64
    public let slideMs: Int64
    public let offsetMs: Int64
    /// Width of a pane, ms.
    public let paneMs: Int64
    /// Panes of one window.
    public let panesPerWindow: Int64
    /// Panes between the starts of two neighbouring windows.
    public let panesPerSlide: Int64

    /// Windows of `sizeMs` every `slideMs`; 0 < slide <= size, -slide < offset < slide.
    public init(sizeMs: Int64, slideMs: Int64, offsetMs: Int64 = 0) {
        precondition(sizeMs > 0 && slideMs > 0 && slideMs <= sizeMs, "the job's check admits no other windows")
        self.sizeMs = sizeMs
        self.slideMs = slideMs
        self.offsetMs = offsetMs
        var a = sizeMs
        var b = slideMs
        while b != 0 { (a, b) = (b, a % b) }
        paneMs = a
        panesPerWindow = sizeMs / a
        panesPerSlide = slideMs / a
    }

    /// Whether each sample belongs to one window only.
    public var isTumbling: Bool { sizeMs == slideMs }

    /// Timestamps whose windows stay inside Int64 milliseconds, with room for `marginMs` (delay, lateness) above.
    public func timestampRangeMs(marginMs: Int64) -> ClosedRange<Int64> {
        let edge = sizeMs.addingReportingOverflow(slideMs)
        let reach = edge.partialValue.addingReportingOverflow(abs(offsetMs) + marginMs)
        guard !edge.overflow, !reach.overflow, reach.partialValue < Int64.max / 2 else { return 0...0 }
        return (Int64.min + reach.partialValue)...(Int64.max - reach.partialValue)
    }

    /// The pane a time falls into.
    @inlinable
    public func pane(of timestampMs: Int64) -> Int64 { EventTime.floorDivide(timestampMs - offsetMs, paneMs) }

    /// The start of a pane.
    @inlinable
    public func paneStartMs(_ pane: Int64) -> Int64 { pane * paneMs + offsetMs }

    /// Whether a window of this number lies within time.
    public func holds(window: Int64) -> Bool {
        let (startMs, overflow) = window.multipliedReportingOverflow(by: slideMs)
        return !overflow && (Int64.min / 2...Int64.max / 2).contains(startMs)
    }

    /// Whether a pane of this number lies, with its windows, within time.
    public func holds(pane: Int64) -> Bool {
        let (startMs, overflow) = pane.multipliedReportingOverflow(by: paneMs)
        return !overflow && (Int64.min / 2...Int64.max / 2).contains(startMs)
    }

    /// The newest window that contains a pane.
    @inlinable
    public func newestWindow(ofPane pane: Int64) -> Int64 { EventTime.floorDivide(pane, panesPerSlide) }

    /// The oldest window that contains a pane.
    @inlinable
    public func oldestWindow(ofPane pane: Int64) -> Int64 {
        EventTime.floorDivide(pane - panesPerWindow, panesPerSlide) + 1
    }

    /// The panes of a window.
    @inlinable
    public func panes(of window: Int64) -> Range<Int64> {
        let first = window * panesPerSlide
        return first..<(first + panesPerWindow)
    }

    /// The start of a window.
    @inlinable
    public func startMs(_ window: Int64) -> Int64 { window * slideMs + offsetMs }

    /// The end of a window, exclusive.
    @inlinable
    public func endMs(_ window: Int64) -> Int64 { window * slideMs + offsetMs + sizeMs }

    /// The newest window whose end + `latenessMs` the watermark has reached.
    @inlinable
    public func newestClosed(watermarkMs: Int64, latenessMs: Int64) -> Int64 {
        EventTime.floorDivide(watermarkMs - latenessMs - sizeMs - offsetMs, slideMs)
    }

    /// How many panes are merged ahead for windows of so many: as many as the window for small ones, at three merges a
    /// window; fewer for large ones, at four, so that what is merged stays small beside the panes themselves.
    public static func panesPerStretch(ofWindowsOf panesPerWindow: Int64) -> Int64 {
        panesPerWindow <= 32
            ? max(1, panesPerWindow) : Int64((2 * Double(panesPerWindow).squareRoot()).rounded())
    }
}
