/// Puts the panes and partitions of one window together, series by series: which pieces a series has, and its samples in time
/// order. Flat scratch memory, used again from window to window.
final class SeriesWalk {
    /// Some samples of one series: an entry of one pane of one partition.
    private struct Piece {
        let part: Int32
        let entry: Int32
        var next: Int32
    }

    private var parts: [SortedSamples] = []
    private var tasks: [Int] = []
    private var pieces: [Piece] = []
    /// First and last piece of each series, -1 where it has none.
    private var heads: [Int32] = []
    private var tails: [Int32] = []
    private var times: UnsafeMutablePointer<Int64>
    private var values: UnsafeMutablePointer<Double>
    private var capacity = 1024

    init() {
        times = .allocate(capacity: capacity)
        values = .allocate(capacity: capacity)
    }

    deinit {
        times.deallocate()
        values.deallocate()
    }

    /// Begins a window over `seriesCount` series.
    func begin(seriesCount: Int) {
        parts.removeAll(keepingCapacity: true)
        tasks.removeAll(keepingCapacity: true)
        pieces.removeAll(keepingCapacity: true)
        heads.removeAll(keepingCapacity: true)
        tails.removeAll(keepingCapacity: true)
        heads.append(contentsOf: repeatElement(-1, count: seriesCount))
        tails.append(contentsOf: repeatElement(-1, count: seriesCount))
    }

    /// Adds a pane; panes come by partition, and in time order within one.
    func add(_ pane: PaneSamples, task: Int) {
        let part = Int32(parts.count)
        parts.append(pane.samples)
        tasks.append(task)
        for (entry, id) in pane.series.enumerated() where !pane.samples.range(entry).isEmpty {
            let piece = Int32(pieces.count)
            pieces.append(Piece(part: part, entry: Int32(entry), next: -1))
            if tails[Int(id)] >= 0 { pieces[Int(tails[Int(id)])].next = piece } else { heads[Int(id)] = piece }
            tails[Int(id)] = piece
        }
    }

    /// Whether a series has samples in this window.
    func has(_ id: UInt32) -> Bool { heads[Int(id)] >= 0 }

    /// A series' samples in time order, valid until the next call. Panes of one partition follow each other; several
    /// partitions are merged by time, ties in partition order, and only the first of one time is kept (SEMANTICS §2).
    func samples(
        of id: UInt32
    ) -> (timestampsMs: UnsafeBufferPointer<Int64>, values: UnsafeBufferPointer<Double>) {
        let first = pieces[Int(heads[Int(id)])]
        if first.next < 0 {
            let part = parts[Int(first.part)]
            let range = part.range(Int(first.entry))
            return (
                UnsafeBufferPointer(start: part.timestampsMs + range.lowerBound, count: range.count),
                UnsafeBufferPointer(start: part.values + range.lowerBound, count: range.count)
            )
        }
        var count = 0
        var isOnePartition = true
        var next = heads[Int(id)]
        while next >= 0 {
            let piece = pieces[Int(next)]
            if tasks[Int(piece.part)] != tasks[Int(first.part)] { isOnePartition = false }
            let part = parts[Int(piece.part)]
            let range = part.range(Int(piece.entry))
            reserve(count + range.count, used: count)
            (times + count).update(from: part.timestampsMs + range.lowerBound, count: range.count)
            (values + count).update(from: part.values + range.lowerBound, count: range.count)
            count += range.count
            next = piece.next
        }
        if !isOnePartition { count = sortByTime(count) }
        return (UnsafeBufferPointer(start: times, count: count), UnsafeBufferPointer(start: values, count: count))
    }

    private func reserve(_ wanted: Int, used: Int) {
        guard wanted > capacity else { return }
        capacity = max(wanted, capacity * 2)
        let newTimes = UnsafeMutablePointer<Int64>.allocate(capacity: capacity)
        let newValues = UnsafeMutablePointer<Double>.allocate(capacity: capacity)
        newTimes.update(from: times, count: used)
        newValues.update(from: values, count: used)
        times.deallocate()
        values.deallocate()
        times = newTimes
        values = newValues
    }

    /// Stable by time; gives how many are left when only the first of one time is kept.
    private func sortByTime(_ count: Int) -> Int {
        let rows = (0..<count).map { (times[$0], values[$0], $0) }.sorted { ($0.0, $0.2) < ($1.0, $1.2) }
        var kept = 0
        for row in rows where kept == 0 || times[kept - 1] != row.0 {
            times[kept] = row.0
            values[kept] = row.1
            kept += 1
        }
        return kept
    }
}
