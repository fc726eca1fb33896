import Glibc
import StreamEngine

/// Panes merged in time order: the groups of all of them, with state by group.
///
/// A run is made once and then grows at its end, or is made anew in the same room. What is handed on is a run that nobody
/// changes any more, or shares storage that is copied when the run changes.
final class PaneRun {
    /// Groups with state, in the order in which they came.
    private(set) var groups: [UInt32]
    /// State by group.
    let columns: [any StateColumn]
    /// Not 0 for groups with state, by group.
    private var marks: [UInt8]
    /// Bumped with every change.
    private(set) var version = 0

    /// What one pane holds now. Nothing is copied until one of the two changes.
    init(_ pane: Pane) {
        groups = pane.groups
        columns = pane.columns.map { $0.copy() }
        marks = pane.marks
    }

    /// What another run holds now. Nothing is copied until one of the two changes.
    init(_ other: PaneRun) {
        groups = other.groups
        columns = other.columns.map { $0.copy() }
        marks = other.marks
    }

    /// A run, then what is later than everything in it.
    init(_ earlier: PaneRun, _ later: PaneRun) {
        groups = []
        columns = earlier.columns.map { $0.makeEmpty() }
        marks = []
        become(earlier.part, later.part)
    }

    /// A pane and the run that follows.
    convenience init(_ pane: Pane, then later: PaneRun) {
        self.init(pane)
        append(later.part)
    }

    /// Groups, states and marks of what is merged.
    private typealias Part = (groups: [UInt32], columns: [any StateColumn], marks: [UInt8])

    private var part: Part { (groups, columns, marks) }

    private static func part(_ pane: Pane) -> Part { (pane.groups, pane.columns, pane.marks) }

    /// Adds the pane that follows.
    func append(_ pane: Pane) { append(PaneRun.part(pane)) }

    /// Adds what is later than everything here.
    func append(_ later: PaneRun) { append(later.part) }

    /// Becomes what one pane holds now.
    func become(_ pane: Pane) {
        version &+= 1
        groups = pane.groups
        marks = pane.marks
        for place in columns.indices { columns[place].assign(pane.columns[place]) }
    }

    /// Becomes a pane and the run that follows, another one than this.
    func become(_ pane: Pane, then later: PaneRun) { become(PaneRun.part(pane), later.part) }

    private func become(_ earlier: Part, _ later: Part) {
        version &+= 1
        // The other way copies all of the earlier one first: half of them there is enough.
        if PaneRun.areDense(earlier, later, leastShare: 4) {
            for place in columns.indices { columns[place].combine(earlier.columns[place], later.columns[place]) }
        } else {
            for place in columns.indices { columns[place].assign(earlier.columns[place]) }
            mergeGroups(later, bound: max(earlier.marks.count, later.marks.count))
        }
        (groups, marks) = (earlier.groups, earlier.marks)
        add(later.groups, later.marks)
    }

    private func append(_ later: Part) {
        version &+= 1
        if PaneRun.areDense(later, part, leastShare: 7) {
            for place in columns.indices { columns[place].append(later.columns[place]) }
        } else {
            mergeGroups(later, bound: max(marks.count, later.marks.count))
        }
        add(later.groups, later.marks)
    }

    private func mergeGroups(_ later: Part, bound: Int) {
        later.groups.withUnsafeBufferPointer { groups in
            for place in columns.indices {
                columns[place].grow(to: bound)
                columns[place].merge(later.columns[place], sources: groups, targets: groups)
            }
        }
    }

    /// Whether it is cheaper to go through all groups of a partition than through those that are there: the next one's
    /// place is known, and looking at a few empty states costs less than looking groups up. `leastShare` eighths of the
    /// groups must be in the first part, seven in the second.
    private static func areDense(_ a: Part, _ b: Part, leastShare: Int) -> Bool {
        let bound = max(a.marks.count, b.marks.count)
        return a.groups.count * 8 >= bound * leastShare && b.groups.count * 8 >= bound * 7
    }

    /// Adds groups that are not there yet.
    private func add(_ later: [UInt32], _ laterMarks: [UInt8]) {
        // All groups there are, or the same ones: nothing is new.
        if groups.count == marks.count, laterMarks.count <= marks.count { return }
        if PaneRun.isSame(groups, later) { return }
        if marks.count < laterMarks.count {
            marks.append(contentsOf: repeatElement(0, count: laterMarks.count - marks.count))
        }
        for group in later where marks[Int(group)] == 0 {
            marks[Int(group)] = 1
            groups.append(group)
        }
    }

    private static func isSame(_ a: [UInt32], _ b: [UInt32]) -> Bool {
        guard a.count == b.count else { return false }
        return a.withUnsafeBytes { a in
            b.withUnsafeBytes { b in
                guard let first = a.baseAddress, let other = b.baseAddress else { return true }
                return first == other || memcmp(first, other, a.count) == 0
            }
        }
    }

    /// State columns by place in `groups`, for windows that have few of a partition's groups.
    func compactColumns() -> [any StateColumn] {
        let targets = [UInt32](0..<UInt32(groups.count))
        let compact = columns.map { $0.makeEmpty() }
        groups.withUnsafeBufferPointer { sources in
            targets.withUnsafeBufferPointer { targets in
                for place in columns.indices {
                    compact[place].grow(to: targets.count)
                    compact[place].merge(columns[place], sources: sources, targets: targets)
                }
            }
        }
        return compact
    }

    /// Bytes held.
    var byteCount: Int { marks.count + groups.count * 4 + columns.reduce(0) { $0 + $1.byteCount } }
}
