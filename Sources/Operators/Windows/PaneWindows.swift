import StreamEngine

/// Tumbling and sliding windows of one query over one partition, computed from panes (SEMANTICS §2, §3).
///
/// A sample updates one pane whatever the overlap. The watermark *before* a sample decides on it; the sample that makes
/// the watermark reach a window's end + allowed lateness freezes that window at once, as a `WindowPartial` that later
/// samples cannot touch, even where they share a pane. Everything here depends on the partition's record order only: where a
/// batch is cut makes no difference.
public final class PaneWindows: WindowOperator {
    private static let filtered = UInt32.max
    /// Panes that rows are gathered for at one time; each needs a buffer.
    private static let maxActivePanes = 64

    public internal(set) var ledger = QueryLedger()
    public internal(set) var frozenThrough: Int64?

    let plan: QueryPlan
    let window: WindowSpec
    let groups: GroupDirectory
    private let inputs: InputEvaluator

    /// Open panes by index, and their indices in order.
    var panes: [Int64: Pane] = [:]
    private(set) var paneOrder: [Int64] = []
    private var activePanes: [Pane] = []
    private var spareBuffers: [RowBuffer] = []
    /// Columns of panes that went, whose room the next ones take.
    var spareColumns: [[any StateColumn]] = []
    var spareLone: [Double]?
    /// Columns without a state, for panes of lone rows; nil where rows cannot stand as values: aggregates that look at
    /// times, arguments and filters of their own, windows of one pane.
    private let loneColumns: [any StateColumn]?

    var frozen: [WindowPartial] = []
    /// Whether groups may have lost their series since the last look for those.
    private var mayRecycle = false
    var late: [LateSample] = []
    /// Windows up to here are frozen by this partition's own watermark (not by an emission that did not wait for it).
    var ownFrozenThrough: Int64?
    var maxTimestampMs = Int64.min
    /// The event time that freezes the next window; `Int64.min` before the first sample.
    var nextFreezeMs = Int64.min
    /// Whether changes are noted for checkpoints, and panes that went since the last one which it knows.
    var tracksUnsaved = false
    var removedSaved: [Int64] = []

    private var rowGroups: UnsafeMutablePointer<UInt32>
    private var rowGroupCapacity = 64
    let merger: PaneMerger

    /// Windows of `plan` over one partition.
    public init(plan: QueryPlan, partition: PartitionID, series: SeriesDictionary) {
        self.plan = plan
        window = plan.window
        merger = PaneMerger(panesPerWindow: plan.window.panesPerWindow)
        groups = GroupDirectory(plan: plan, partition: partition, series: series)
        inputs = InputEvaluator(plan: plan, partition: partition, series: series)
        let takesLoneRows =
            plan.window.panesPerWindow > 1 && plan.logs.isEmpty && inputs.arePlain
            && plan.states.allSatisfy { $0.kind.takesLoneRows }
        loneColumns = takesLoneRows ? plan.states.map { $0.kind.make() } : nil
        rowGroups = .allocate(capacity: rowGroupCapacity)
    }

    deinit {
        rowGroups.deallocate()
    }

    // MARK: Series

    public func add(series: [UInt32]) {
        groups.add(series: series)
        inputs.add(series: series)
    }

    public func forget(series: [UInt32]) {
        groups.forget(series: series)
        // Windows that never close keep what they hold for ever.
        guard !plan.neverCloses, !series.isEmpty || plan.keysDifferByRow else { return }
        mayRecycle = true
        recycle()
    }

    /// A group may go only when no window holds it. Windows waiting to be taken do, and put it off; open panes are younger than
    /// the horizon of forgetting, which is at least a window and its lateness.
    private func recycle() {
        guard mayRecycle, frozen.isEmpty else { return }
        mayRecycle = false
        groups.recycle(keeping: panes.values.lazy.flatMap { $0.groups })
    }

    public func key(of group: UInt32) -> GroupKey { groups.key(of: group) }
    public var groupBound: Int { groups.bound }
    public var groupGeneration: Int { groups.generation }
    public func logSeries(_ series: UInt32) -> (labels: SeriesLabels, group: UInt32) { groups.logSeries(series) }

    // MARK: Samples

    public func process(_ batch: SampleBatch) {
        let count = batch.count
        guard count > 0 else { return }
        recycle()
        resolveGroups(batch)
        inputs.begin(batch)
        var row = 0
        while row < count {
            row = scan(batch, from: row)
            flushActivePanes(batch)
            guard maxTimestampMs >= nextFreezeMs else { continue }
            // A batch may run through many windows: each cut gives the buffers back, so that there are as many of them as
            // panes are filled between two cuts.
            releaseActivePanes()
            advanceWatermark()
        }
        releaseActivePanes()
    }

    /// The group of each row, `filtered` for those the query does not want.
    private func resolveGroups(_ batch: SampleBatch) {
        let count = batch.count
        if count > rowGroupCapacity {
            rowGroups.deallocate()
            rowGroupCapacity = count * 2
            rowGroups = .allocate(capacity: rowGroupCapacity)
        }
        groups.resolve(batch, into: rowGroups)
    }

    /// Takes rows up to and with the one that makes the watermark freeze a window; gives the next row.
    private func scan(_ batch: SampleBatch, from start: Int) -> Int {
        let count = batch.count
        let timestamps = batch.timestamps
        let values = batch.values
        let series = batch.series
        let mayBeStale = batch.staleCount > 0
        let freezeAt = nextFreezeMs
        var maxTimestamp = maxTimestampMs
        var pane: Pane?
        var buffer: RowBuffer?
        var low = Int64.max
        var high = Int64.min
        var isPartlyLate = false
        var decoded = 0
        var filtered = 0
        var aggregated = 0
        var row = start
        while row < count {
            let time = timestamps[row]
            let group = rowGroups[row]
            if mayBeStale && values[row].bitPattern == SampleBatch.staleBits {
                // Ends a series: moves the watermark, enters nothing.
            } else {
                decoded &+= 1
                if group == PaneWindows.filtered {
                    if series[row] == SampleBatch.overLimit {
                        ledger.limitDrops += 1
                    } else {
                        filtered &+= 1
                    }
                } else {
                    if time < low || time >= high {
                        pane = openPane(for: time)
                        if let pane {
                            buffer = lend(to: pane, batch)
                            low = pane.startMs
                            high = pane.endMs
                            isPartlyLate = window.oldestWindow(ofPane: pane.index) <= frozenThrough ?? .min
                        } else {
                            noteLate(batch, row: row, maxTimestampMs: maxTimestamp)
                            low = .max
                            high = .min
                        }
                    }
                    if let pane, let buffer {
                        aggregated &+= 1
                        if isPartlyLate { ledger.partlyLate += 1 }
                        buffer.append(
                            group: group, row: UInt32(truncatingIfNeeded: row), value: values[row], timestampMs: time)
                        if buffer.isFull { flush(pane, batch) }
                    }
                }
            }
            row &+= 1
            if time > maxTimestamp {
                maxTimestamp = time
                if time >= freezeAt { break }
            }
        }
        maxTimestampMs = maxTimestamp
        ledger.decoded += decoded
        ledger.filtered += filtered
        ledger.aggregated += aggregated
        return row
    }

    /// The pane of a time, or nil when every window that contains it is frozen.
    private func openPane(for timestampMs: Int64) -> Pane? {
        let index = window.pane(of: timestampMs)
        if let pane = panes[index] { return pane }
        if let frozenThrough, window.newestWindow(ofPane: index) <= frozenThrough { return nil }
        return addPane(index)
    }

    /// Columns for the states of a pane.
    func freshColumns() -> [any StateColumn] {
        spareColumns.popLast() ?? plan.states.map { $0.kind.make() }
    }

    /// A new, empty pane.
    func addPane(_ index: Int64) -> Pane {
        var columns: [any StateColumn]
        var lone: [Double]?
        // With as many rows a group as in the newest pane, most likely.
        if let loneColumns, paneOrder.last.flatMap({ panes[$0]?.hasOneRowEach }) ?? true {
            columns = loneColumns
            lone = spareLone ?? []
            spareLone = nil
        } else {
            columns = freshColumns()
            for column in columns { column.clear() }
        }
        let pane = Pane(
            index: index, window: window, columns: columns, lone: lone,
            logs: plan.logs.map { _ in SampleLog(tracksChanges: tracksUnsaved) }, tracksChanges: plan.tracksChanges,
            tracksUnsaved: tracksUnsaved)
        panes[index] = pane
        paneOrder.insert(index, at: firstPlace(ofPane: index))
        return pane
    }

    /// Takes a pane away.
    func removePane(_ index: Int64) {
        panes[index] = nil
        paneOrder.removeAll { $0 == index }
    }

    /// How many open panes lie before `index`. O(log panes).
    func firstPlace(ofPane index: Int64) -> Int {
        guard let last = paneOrder.last, last >= index else { return paneOrder.count }
        var low = 0
        var high = paneOrder.count - 1
        while low < high {
            let middle = (low + high) / 2
            if paneOrder[middle] < index { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func noteLate(_ batch: SampleBatch, row: Int, maxTimestampMs: Int64) {
        ledger.late += 1
        let time = batch.timestamps[row]
        let newest = window.newestWindow(ofPane: window.pane(of: time))
        if newest > ownFrozenThrough ?? .min { ledger.lateAfterIdle += 1 }
        guard plan.keepsLateSamples else { return }
        let position = batch.position(of: row)
        let end = window.endMs(newest)
        // A partition's very first sample may be late: it joined, or was silent from the start.
        let watermarkMs = EventTime.difference(maxTimestampMs, plan.delayMs)
        late.append(
            LateSample(
                offset: position.offset, line: position.line, timestampMs: time, value: batch.values[row],
                labels: groups.labels(ofSeries: batch.series[row]), windowEndMs: end,
                latenessMs: max(0, EventTime.difference(watermarkMs, end + plan.latenessMs))))
    }

    // MARK: Rows into panes

    private func lend(to pane: Pane, _ batch: SampleBatch) -> RowBuffer {
        if let buffer = pane.pending { return buffer }
        // With windows of milliseconds every row may have a pane of its own.
        if activePanes.count == PaneWindows.maxActivePanes {
            flushActivePanes(batch)
            releaseActivePanes()
        }
        let buffer = spareBuffers.popLast() ?? RowBuffer()
        pane.pending = buffer
        activePanes.append(pane)
        return buffer
    }

    private func flushActivePanes(_ batch: SampleBatch) {
        for pane in activePanes { flush(pane, batch) }
    }

    private func releaseActivePanes() {
        for pane in activePanes {
            if let buffer = pane.pending { spareBuffers.append(buffer) }
            pane.pending = nil
        }
        activePanes.removeAll(keepingCapacity: true)
    }

    private func flush(_ pane: Pane, _ batch: SampleBatch) {
        guard let rows = pane.pending, rows.count > 0 else { return }
        merger.invalidate(pane.index)
        pane.grow(to: groups.bound)
        let rowGroups = UnsafeBufferPointer(start: rows.groups, count: rows.count)
        if pane.takeLone(rowGroups, rows.values) { return rows.clear() }
        if pane.lone != nil { pane.spill(into: freshColumns()) }
        pane.mark(rowGroups)
        inputs.update(pane.columns, rows: rows, batch: batch)
        if !pane.logs.isEmpty { inputs.append(to: pane.logs, rows: rows, batch: batch, directory: groups) }
        rows.clear()
    }

    // MARK: Watermark

    private func advanceWatermark() {
        let watermark = maxTimestampMs - plan.delayMs
        guard !plan.neverCloses else {
            nextFreezeMs = .max
            return
        }
        let closed = window.newestClosed(watermarkMs: watermark, latenessMs: plan.latenessMs)
        ownFrozenThrough = max(closed, ownFrozenThrough ?? .min)
        freeze(through: closed)
        nextFreezeMs = window.endMs(closed + 1) + plan.latenessMs + plan.delayMs
    }

    public func freeze(through newest: Int64) {
        guard newest > frozenThrough ?? .min else { return }
        var next = frozenThrough.map { $0 + 1 } ?? .min
        while let candidate = oldestWindowWithData(from: next), candidate <= newest {
            frozen.append(partial(of: candidate, closing: true))
            next = candidate + 1
        }
        frozenThrough = newest
        var done = 0
        while done < paneOrder.count, let pane = panes[paneOrder[done]], pane.newestWindow <= newest {
            panes[paneOrder[done]] = nil
            if pane.isSaved { removedSaved.append(pane.index) }
            // A pane of one window was given away with it.
            if window.panesPerWindow > 1 {
                if let lone = pane.giveLone() {
                    spareLone = lone
                } else if spareColumns.isEmpty {
                    spareColumns.append(pane.columns)
                }
            }
            done += 1
        }
        paneOrder.removeFirst(done)
    }

    /// The oldest window not before `first` that overlaps an open pane.
    func oldestWindowWithData(from first: Int64) -> Int64? {
        // Panes are in order, so the first that is young enough has the oldest window.
        let place = first == .min ? 0 : firstPlace(ofPane: window.panes(of: first).lowerBound)
        guard place < paneOrder.count else { return nil }
        return max(first, window.oldestWindow(ofPane: paneOrder[place]))
    }
}
