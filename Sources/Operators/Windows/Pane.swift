import StreamEngine

/// One pane of one query and partition: aggregate state by local group, and the samples per-series functions need.
final class Pane {
    let index: Int64
    /// The newest window that contains it; when that is frozen the pane is done with.
    let newestWindow: Int64
    /// Bounds in event time, ms; `[startMs, endMs)`.
    let startMs: Int64
    let endMs: Int64
    /// Groups with a sample, in the order of their first.
    private(set) var groups: [UInt32] = []
    /// Groups with a sample since the last trigger; kept in update mode only.
    var changed: [UInt32] = []
    /// Groups with a sample since the last checkpoint; kept where there are checkpoints.
    private(set) var unsaved: [UInt32] = []
    /// Whether a checkpoint knows the pane.
    var isSaved = false
    let columns: [any StateColumn]
    let logs: [SampleLog]
    /// Rows on their way into the state; lent while a batch is processed.
    var pending: RowBuffer?
    /// Not 0 for groups with a sample, by group.
    private(set) var marks: [UInt8] = []

    private static let seen: UInt8 = 1
    private static let changedMark: UInt8 = 2
    private static let unsavedMark: UInt8 = 4
    /// What the mark of a group that is noted everywhere looks like.
    private let full: UInt8

    init(
        index: Int64, window: WindowSpec, columns: [any StateColumn], logs: [SampleLog], tracksChanges: Bool,
        tracksUnsaved: Bool
    ) {
        full = Pane.seen | (tracksChanges ? Pane.changedMark : 0) | (tracksUnsaved ? Pane.unsavedMark : 0)
        self.index = index
        newestWindow = window.newestWindow(ofPane: index)
        startMs = window.paneStartMs(index)
        endMs = startMs + window.paneMs
        self.columns = columns
        self.logs = logs
    }

    /// Makes room for all groups known so far.
    func grow(to groupBound: Int) {
        guard groupBound > marks.count else { return }
        marks.append(contentsOf: repeatElement(0, count: groupBound - marks.count))
        for column in columns { column.grow(to: groupBound) }
    }

    /// Notes which groups these rows touch.
    func mark(_ rows: UnsafeBufferPointer<UInt32>) {
        marks.withUnsafeMutableBufferPointer { marks in
            for group in rows where marks[Int(group)] != full {
                let missing = ~marks[Int(group)] & full
                if missing & Pane.seen != 0 { groups.append(group) }
                if missing & Pane.changedMark != 0 { changed.append(group) }
                if missing & Pane.unsavedMark != 0 { unsaved.append(group) }
                marks[Int(group)] = full
            }
        }
    }

    /// Begins a new trigger: nothing has changed yet.
    func clearChanged() {
        for group in changed { marks[Int(group)] &= ~Pane.changedMark }
        changed.removeAll(keepingCapacity: true)
    }

    /// A checkpoint has it all.
    func noteSaved() {
        for group in unsaved { marks[Int(group)] &= ~Pane.unsavedMark }
        unsaved.removeAll(keepingCapacity: true)
        isSaved = true
    }

    /// Takes groups whose state was read from a checkpoint.
    func restore(_ restored: [UInt32]) {
        for group in restored where marks[Int(group)] & Pane.seen == 0 {
            groups.append(group)
            marks[Int(group)] |= Pane.seen
        }
    }

    /// `groups` or `unsaved` in ascending order.
    static func ascending(_ groups: [UInt32], bound: Int) -> [UInt32] {
        guard groups.count > bound / 16 else { return groups.sorted() }
        var isIn = [Bool](repeating: false, count: bound)
        for group in groups { isIn[Int(group)] = true }
        var result: [UInt32] = []
        result.reserveCapacity(groups.count)
        for group in 0..<bound where isIn[group] { result.append(UInt32(group)) }
        return result
    }

    /// Bytes of state held.
    var byteCount: Int {
        marks.capacity + groups.capacity * 4 + columns.reduce(0) { $0 + $1.byteCount }
            + logs.reduce(0) { $0 + $1.byteCount }
    }
}

/// Rows of one pane, gathered so that each aggregate is called once for many of them.
final class RowBuffer {
    static let capacity = 1024

    private(set) var count = 0
    let groups = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
    /// Index of each row in the batch.
    let rows = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
    let values = UnsafeMutablePointer<Double>.allocate(capacity: capacity)
    let timestamps = UnsafeMutablePointer<Int64>.allocate(capacity: capacity)

    deinit {
        groups.deallocate()
        rows.deallocate()
        values.deallocate()
        timestamps.deallocate()
    }

    @inline(__always)
    func append(group: UInt32, row: UInt32, value: Double, timestampMs: Int64) {
        groups[count] = group
        rows[count] = row
        values[count] = value
        timestamps[count] = timestampMs
        count &+= 1
    }

    var isFull: Bool { count == RowBuffer.capacity }

    func clear() { count = 0 }
}
