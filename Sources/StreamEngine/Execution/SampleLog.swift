import Platform

/// The samples of one pane that per-series functions need, appended in record order.
///
/// 20 bytes a sample while it fills, 16 once a window has been evaluated. Append-only, so that a frozen window keeps a prefix
/// of it by its length alone, while later samples of the pane still come for younger windows.
public final class SampleLog {
    /// The first samples, by series: what the windows evaluated so far have seen.
    private(set) var base: SortedSamples?
    /// The samples after those of `base`, in record order.
    private(set) var series: [UInt32] = []
    private(set) var timestampsMs: [Int64] = []
    private(set) var values: [Double] = []

    /// Where the samples begin that no checkpoint has yet, among those after `base`; nil where none is written.
    var unsavedFrom: Int?
    /// Samples that no checkpoint had when they moved to `base`.
    var spilled = SampleRun()

    public init() {}

    /// An empty log; with `tracksChanges` one that `encodeChanges` may be asked of.
    public init(tracksChanges: Bool) { unsavedFrom = tracksChanges ? 0 : nil }

    /// Samples appended.
    public var count: Int { (base?.prefix ?? 0) + series.count }

    /// Bytes held.
    public var byteCount: Int {
        series.capacity * 4 + timestampsMs.capacity * 8 + values.capacity * 8 + (base?.byteCount ?? 0)
    }

    /// Appends rows in record order.
    public func append(
        series newSeries: UnsafeBufferPointer<UInt32>, values newValues: UnsafePointer<Double>,
        timestampsMs newTimes: UnsafePointer<Int64>
    ) {
        let wanted = series.count + newSeries.count
        if wanted > series.capacity {
            // Arrays would double: a fifth more at a time keeps a sample at 24 bytes.
            let capacity = max(wanted, series.count + series.count / 5)
            series.reserveCapacity(capacity)
            timestampsMs.reserveCapacity(capacity)
            values.reserveCapacity(capacity)
        }
        series.append(contentsOf: newSeries)
        values.append(contentsOf: UnsafeBufferPointer(start: newValues, count: newSeries.count))
        timestampsMs.append(contentsOf: UnsafeBufferPointer(start: newTimes, count: newSeries.count))
    }

    /// The first `count` samples by series, each series in time order; of several samples of one time the first counts
    /// (SEMANTICS §2). `count` never falls from call to call: windows are evaluated in the order in which they were frozen.
    /// O(samples) for input in time order, O(1) when nothing followed since the last call.
    public func sortedPrefix(_ count: Int) -> SortedSamples {
        let known = base?.prefix ?? 0
        if let base, known == count { return base }
        // A count is noted when its window freezes, which windows do in order; the log and the counts are saved together.
        precondition(
            count >= known && count <= self.count, "windows are evaluated in the order in which they were frozen")
        let added = count - known
        if let from = unsavedFrom {
            if from < added { spilled.append(series[from..<added], timestampsMs[from..<added], values[from..<added]) }
            unsavedFrom = max(0, from - added)
        }
        let made = SortedSamples(
            after: base, series: series[..<added], timestampsMs: timestampsMs[..<added], values: values[..<added])
        base = made
        series = Array(series[added...])
        timestampsMs = Array(timestampsMs[added...])
        values = Array(values[added...])
        return made
    }
}

/// Samples grouped by series and in time order: flat columns, read without a reference count a sample.
public final class SortedSamples {
    /// How many samples of the log it was made from.
    let prefix: Int
    /// Local series that occur, ascending.
    public private(set) var series: [UInt32] = []
    /// Where each series' samples begin; one more entry than `series`.
    private(set) var starts: [Int] = []
    /// Columns of `capacity` samples, of which those named by `starts` count.
    let timestampsMs: UnsafeMutablePointer<Int64>
    let values: UnsafeMutablePointer<Double>

    var byteCount: Int { series.capacity * 12 + (starts.last ?? 0) * 16 }

    deinit {
        timestampsMs.deallocate()
        values.deallocate()
    }

    /// The samples of `base` followed by more in record order.
    init(
        after base: SortedSamples?, series more: ArraySlice<UInt32>, timestampsMs times: ArraySlice<Int64>,
        values numbers: ArraySlice<Double>
    ) {
        prefix = (base?.prefix ?? 0) + more.count
        let held = (base?.starts.last ?? 0) + more.count
        timestampsMs = .allocate(capacity: max(held, 1))
        values = .allocate(capacity: max(held, 1))
        var counts = [Int](repeating: 0, count: Int(max(more.max() ?? 0, base?.series.last ?? 0)) + 1)
        if let base { for (entry, id) in base.series.enumerated() { counts[Int(id)] = base.range(entry).count } }
        for id in more { counts[Int(id)] += 1 }
        var next = [Int](repeating: 0, count: counts.count)
        var total = 0
        for id in counts.indices where counts[id] > 0 {
            series.append(UInt32(id))
            starts.append(total)
            next[id] = total
            total += counts[id]
        }
        starts.append(total)
        if let base {
            for (entry, id) in base.series.enumerated() {
                let range = base.range(entry)
                (timestampsMs + next[Int(id)]).update(from: base.timestampsMs + range.lowerBound, count: range.count)
                (values + next[Int(id)]).update(from: base.values + range.lowerBound, count: range.count)
                next[Int(id)] += range.count
            }
        }
        for row in more.indices {
            let id = Int(more[row])
            timestampsMs[next[id]] = times[row]
            values[next[id]] = numbers[row]
            next[id] += 1
        }
        sortEachByTime()
    }

    /// Stable by time within each series, then drops all but the first of one time.
    private func sortEachByTime() {
        var write = 0
        var newStarts: [Int] = []
        newStarts.reserveCapacity(starts.count)
        for entry in 0..<series.count {
            let range = starts[entry]..<starts[entry + 1]
            var inOrder = true
            for i in range.dropFirst() where timestampsMs[i] <= timestampsMs[i - 1] {
                inOrder = false
                break
            }
            newStarts.append(write)
            if inOrder {
                if write != range.lowerBound {
                    for i in range {
                        timestampsMs[write + i - range.lowerBound] = timestampsMs[i]
                        values[write + i - range.lowerBound] = values[i]
                    }
                }
                write += range.count
                continue
            }
            let rows = range.map { (timestampsMs[$0], values[$0], $0) }.sorted { ($0.0, $0.2) < ($1.0, $1.2) }
            var last: Int64?
            for row in rows where row.0 != last {
                last = row.0
                timestampsMs[write] = row.0
                values[write] = row.1
                write += 1
            }
        }
        newStarts.append(write)
        starts = newStarts
    }

    /// The samples of the series at `entry`.
    func range(_ entry: Int) -> Range<Int> { starts[entry]..<starts[entry + 1] }

    /// The samples of the series at `entry` of `series`; valid as long as this object.
    public func samples(
        _ entry: Int
    ) -> (timestampsMs: UnsafeBufferPointer<Int64>, values: UnsafeBufferPointer<Double>) {
        let range = range(entry)
        return (
            UnsafeBufferPointer(start: timestampsMs + range.lowerBound, count: range.count),
            UnsafeBufferPointer(start: values + range.lowerBound, count: range.count)
        )
    }
}
