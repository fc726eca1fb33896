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
        columns = pane.lone == nil ? pane.columns.map { $0.copy() } : pane.states
        marks = pane.marks
    }

    /// What another run holds now. Nothing is copied until one of the two changes.
    init(_ other: PaneRun) {
        groups = other.groups
        columns = other.columns.map { $0.copy() }
        marks = other.marks
    }

    /// Two or more runs, each of them later than everything in those before.
    init(_ runs: [PaneRun]) {
        groups = runs[0].groups
        marks = runs[0].marks
        columns = runs[0].columns.map { $0.makeEmpty() }
        var ways = [PaneRun.way(of: runs[0].part, then: runs[1].part)]
        add(runs[1].part)
        for run in runs[2...] {
            ways.append(way(ofAppending: run.part))
            add(run.part)
        }
        // One column after the other: what one merge has written is still at hand for the next.
        for place in columns.indices {
            columns[place].become(runs[0].part, runs[1].part, place, ways[0])
            for index in 2..<runs.count { columns[place].append(runs[index].part, place, ways[index - 1]) }
        }
    }

    /// A pane and the run that follows.
    init(_ pane: Pane, then later: PaneRun) {
        groups = []
        marks = []
        columns = later.columns.map { $0.makeEmpty() }
        become(pane, then: later)
    }

    private var part: Part { Part(groups: groups, marks: marks, columns: columns, lone: nil) }

    /// Adds the pane that follows.
    func append(_ pane: Pane) { append(Part(pane)) }

    /// Adds what is later than everything here.
    func append(_ later: PaneRun) { append(later.part) }

    /// Becomes what one pane holds now.
    func become(_ pane: Pane) {
        version &+= 1
        groups = pane.groups
        marks = pane.marks
        for place in columns.indices {
            if let lone = pane.lone {
                columns[place].assign(lone: lone)
            } else {
                columns[place].assign(pane.columns[place])
            }
        }
    }

    /// Becomes a pane and the run that follows, another one than this.
    func become(_ pane: Pane, then later: PaneRun) {
        version &+= 1
        let (earlier, later) = (Part(pane), later.part)
        let way = PaneRun.way(of: earlier, then: later)
        for place in columns.indices { columns[place].become(earlier, later, place, way) }
        (groups, marks) = (earlier.groups, earlier.marks)
        add(later)
    }

    private func append(_ later: Part) {
        version &+= 1
        let way = way(ofAppending: later)
        for place in columns.indices { columns[place].append(later, place, way) }
        add(later)
    }

    private func way(ofAppending later: Part) -> Way {
        let bound = max(marks.count, later.marks.count)
        return Way(
            isDense: PaneRun.areDense(later.groups.count, groups.count, leastShare: 7, bound: bound), bound: bound)
    }

    private static func way(of earlier: Part, then later: Part) -> Way {
        let bound = max(earlier.marks.count, later.marks.count)
        // The other way copies all of the earlier one first: half of them there is enough.
        return Way(
            isDense: areDense(earlier.groups.count, later.groups.count, leastShare: 4, bound: bound), bound: bound)
    }

    /// Whether it is cheaper to go through all groups of a partition than through those that are there: the next one's
    /// place is known, and looking at a few empty states costs less than looking groups up. `leastShare` eighths of the
    /// groups must be in the first part, seven in the second.
    private static func areDense(_ first: Int, _ second: Int, leastShare: Int, bound: Int) -> Bool {
        first * 8 >= bound * leastShare && second * 8 >= bound * 7
    }

    /// Adds groups that are not there yet.
    private func add(_ later: Part) {
        // All groups there are, or the same ones: nothing is new.
        if groups.count == marks.count, later.marks.count <= marks.count { return }
        if PaneRun.isSame(groups, later.groups) { return }
        if marks.count < later.marks.count {
            marks.append(contentsOf: repeatElement(0, count: later.marks.count - marks.count))
        }
        for group in later.groups where marks[Int(group)] == 0 {
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

/// What is merged: groups, marks and states, which lone rows may stand for.
private struct Part {
    let groups: [UInt32]
    let marks: [UInt8]
    let columns: [any StateColumn]
    let lone: [Double]?
}

extension Part {
    init(_ pane: Pane) {
        self.init(groups: pane.groups, marks: pane.marks, columns: pane.columns, lone: pane.lone)
    }
}

/// How two parts are merged.
private struct Way {
    /// Through all groups of the partition; else through those of the later part.
    let isDense: Bool
    /// One more than the largest group.
    let bound: Int
}

extension StateColumn {
    /// Becomes one column of `earlier`, then of `later`, which has no lone rows.
    fileprivate func become(_ earlier: Part, _ later: Part, _ place: Int, _ way: Way) {
        switch (earlier.lone, way.isDense) {
        case (let lone?, true): combine(lone: lone, later.columns[place])
        case (nil, true): combine(earlier.columns[place], later.columns[place])
        case (let lone?, false):
            assign(lone: lone)
            append(later, place, way)
        case (nil, false):
            assign(earlier.columns[place])
            append(later, place, way)
        }
    }

    /// Merges one column of what is later.
    fileprivate func append(_ later: Part, _ place: Int, _ way: Way) {
        guard !way.isDense else {
            return later.lone.map { append(lone: $0) } ?? append(later.columns[place])
        }
        later.groups.withUnsafeBufferPointer { groups in
            if let lone = later.lone { return append(lone: lone, groups: groups) }
            grow(to: way.bound)
            merge(later.columns[place], sources: groups, targets: groups)
        }
    }
}
