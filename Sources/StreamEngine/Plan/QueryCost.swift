/// What a query costs in memory and rows, as far as its plan tells (for `explain`).
public struct QueryCost: Sendable {
    /// Aggregate state of one group in one pane, bytes; sketches grow beyond with their data.
    public let bytesPerGroupAndPane: Int
    /// What a group costs beside its panes: key, directory entry, look-ups. The key's text comes on top.
    public let bytesPerGroup: Int
    /// Bytes of each sample that per-series functions keep until its last window is closed; 0 without such functions.
    public let bytesPerLoggedSample: Int
    /// Panes held at once by a partition that is not behind: those of the windows not final yet.
    public let openPanes: Int64
    /// What panes merged with each other take beside them, at most, in panes: sliding windows keep such runs (`PaneMerger`).
    public let mergedPanes: Int64
    /// Rows of one group and second, in append mode.
    public let rowsPerGroupAndSecond: Double

    /// The cost of a plan.
    public init(_ plan: QueryPlan) {
        let states = plan.states.reduce(0) { $0 + $1.kind.bytesPerGroup }
        // A pane marks each group it has met (1 byte) and lists it (4).
        bytesPerGroupAndPane = states + 5
        // Key with its cells, entry and look-up of a group directory.
        bytesPerGroup = 48 + MemoryLayout<GroupKey?>.stride
        // Series, time and value of a `SampleLog`; more than one log keeps a sample more than once.
        bytesPerLoggedSample = 20 * plan.logs.count
        let window = plan.window
        let waitMs = plan.delayMs + plan.latenessMs
        // A window ends before its panes are let go; while it waits, the panes of the following ones fill.
        openPanes = window.panesPerWindow + (waitMs + window.paneMs - 1) / window.paneMs + window.panesPerSlide - 1
        let panes = window.panesPerWindow
        let stretch = WindowSpec.panesPerStretch(ofWindowsOf: panes)
        // Ends of a stretch, whole stretches and all of them together, a beginning.
        mergedPanes = panes == 1 ? 0 : stretch + (stretch < panes ? panes / stretch + 1 : 0) + 1
        rowsPerGroupAndSecond = 1000 / Double(window.slideMs)
    }

    /// State of so many groups that are in every open pane, in bytes.
    public func bytes(groups: Int) -> Double {
        Double(groups) * (Double(bytesPerGroupAndPane) * Double(openPanes + mergedPanes) + Double(bytesPerGroup))
    }
}
