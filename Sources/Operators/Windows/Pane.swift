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
    /// State by group; while `lone` serves, columns without a state.
    private(set) var columns: [any StateColumn]
    /// By group the value of its only row, NaN where there is none, as long as no group has had a second row; nil where
    /// `columns` hold the state. 8 bytes a group instead of all columns, and cheaper to merge.
    private(set) var lone: [Double]?
    /// How many rows it has taken; those read from a checkpoint count as one a group.
    private var rowCount = 0
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

    /// With `lone`, room without a row, it begins with lone rows, and nothing is written to `columns`.
    init(
        index: Int64, window: WindowSpec, columns: [any StateColumn], lone: [Double]? = nil, logs: [SampleLog],
        tracksChanges: Bool, tracksUnsaved: Bool
    ) {
        full = Pane.seen | (tracksChanges ? Pane.changedMark : 0) | (tracksUnsaved ? Pane.unsavedMark : 0)
        self.index = index
        newestWindow = window.newestWindow(ofPane: index)
        startMs = window.paneStartMs(index)
        endMs = startMs + window.paneMs
        self.columns = columns
        self.lone = lone
        self.logs = logs
    }

    /// Whether no group has had more than one row.
    var hasOneRowEach: Bool { rowCount == groups.count }

    /// Makes room for all groups known so far.
    func grow(to groupBound: Int) {
        guard groupBound > marks.count else { return }
        if marks.isEmpty {
            marks = [UInt8](repeating: 0, count: groupBound)
        } else {
            marks.append(contentsOf: repeatElement(0, count: groupBound - marks.count))
        }
        guard let held = lone?.count else {
            for column in columns { column.grow(to: groupBound) }
            return
        }
        if held == 0 {
            lone = [Double](repeating: .nan, count: groupBound)
        } else if held < groupBound {
            lone?.append(contentsOf: repeatElement(.nan, count: groupBound - held))
        }
    }

    /// Takes these rows as lone ones; false where that cannot be: nothing has changed then. Else they are marked, too.
    func takeLone(_ rows: UnsafeBufferPointer<UInt32>, _ values: UnsafePointer<Double>) -> Bool {
        guard lone != nil, isNew(rows) else { return false }
        let full = full
        let isTaken = marks.withUnsafeMutableBufferPointer { marks in
            lone?.withUnsafeMutableBufferPointer { lone in
                var again: UInt8 = 0
                var notFinite: UInt64 = 0
                for row in 0..<rows.count {
                    let group = Int(rows[row])
                    again |= marks[group]
                    notFinite |= LoneRow.notFinite(values[row])
                    marks[group] = full
                    lone[group] = values[row]
                }
                guard again != 0 || notFinite & LoneRow.mark != 0 else { return true }
                for group in rows {
                    marks[Int(group)] = 0
                    lone[Int(group)] = .nan
                }
                return false
            } ?? false
        }
        guard isTaken else { return false }
        rowCount += rows.count
        groups.append(contentsOf: rows)
        if full & Pane.changedMark != 0 { changed.append(contentsOf: rows) }
        if full & Pane.unsavedMark != 0 { unsaved.append(contentsOf: rows) }
        return true
    }

    /// Whether no row was there before of any of these rows' groups.
    private func isNew(_ rows: UnsafeBufferPointer<UInt32>) -> Bool {
        marks.withUnsafeBufferPointer { marks in
            var seen: UInt8 = 0
            for group in rows { seen |= marks[Int(group)] }
            return seen == 0
        }
    }

    /// States take over from lone rows: `columns`, of the right types.
    func spill(into columns: [any StateColumn]) {
        guard let lone else { return }
        for column in columns { column.assign(lone: lone) }
        self.columns = columns
        self.lone = nil
    }

    /// The room of lone rows, for another pane; this one is done with.
    func giveLone() -> [Double]? {
        var room = lone
        lone = nil
        room?.withUnsafeMutableBufferPointer { $0.update(repeating: .nan) }
        return room
    }

    /// The state of each group: `columns`, or others made of lone rows.
    var states: [any StateColumn] {
        guard let lone else { return columns }
        return columns.map { column in
            let states = column.makeEmpty()
            states.assign(lone: lone)
            return states
        }
    }

    /// Notes which groups these rows touch.
    func mark(_ rows: UnsafeBufferPointer<UInt32>) {
        rowCount += rows.count
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
            rowCount += 1
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
        marks.capacity + groups.capacity * 4 + (lone?.capacity ?? 0) * 8 + columns.reduce(0) { $0 + $1.byteCount }
            + logs.reduce(0) { $0 + $1.byteCount }
    }
}

/// What is known of rows that stand as their values.
enum LoneRow {
    static let mark: UInt64 = 1 << 63

    /// Has the bit `mark` where a value is infinite or NaN: ORed over many values it tells whether one of them is, in a
    /// loop without a branch.
    @inline(__always)
    static func notFinite(_ value: Double) -> UInt64 { (value.bitPattern & 0x7ff0_0000_0000_0000) &+ (1 << 52) }
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
