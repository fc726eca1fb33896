import StreamEngine

/// Panes merged in time order: the groups of all of them, with state by group.
final class PaneRun {
    private(set) var groups: [UInt32]
    private(set) var columns: [any StateColumn]
    private var isIn: [Bool]

    /// What one pane holds. Nothing is copied until something is merged in.
    init(_ pane: Pane) {
        groups = pane.groups
        columns = pane.columns.map { $0.copy() }
        isIn = []
    }

    /// The same as another run, until something is merged in.
    init(_ other: PaneRun) {
        groups = other.groups
        columns = other.columns.map { $0.copy() }
        isIn = other.isIn
    }

    /// Adds what is later than everything here.
    func merge(_ later: [UInt32], _ laterColumns: [any StateColumn], groupBound: Int) {
        if isIn.count < groupBound {
            let isNew = isIn.isEmpty
            isIn.append(contentsOf: repeatElement(false, count: groupBound - isIn.count))
            if isNew { for group in groups { isIn[Int(group)] = true } }
            for column in columns { column.grow(to: groupBound) }
        }
        isIn.withUnsafeMutableBufferPointer { isIn in
            for group in later where !isIn[Int(group)] {
                isIn[Int(group)] = true
                groups.append(group)
            }
        }
        later.withUnsafeBufferPointer { later in
            for (mine, theirs) in zip(columns, laterColumns) { mine.merge(theirs, sources: later, targets: later) }
        }
    }

    func merge(_ later: PaneRun, groupBound: Int) { merge(later.groups, later.columns, groupBound: groupBound) }
}

/// Merges the panes of sliding windows at a cost for each window that does not grow with size / slide.
///
/// Panes stand in *stretches* of `length`, at fixed places. A window is the end of a stretch, then whole stretches, then the
/// beginning of one: ends are merged once for all windows that begin within the stretch, backwards from its last pane;
/// the beginning grows by a pane a window; whole stretches together change once a stretch. That is about four merges a
/// window instead of one for each pane (M. van Herk, 1992, and J. Gil and M. Werman, 1993, do it with stretches as long as the
/// window; shorter ones, for windows of many panes, need less memory: about 2·√panes copies beside the panes).
///
/// How a window's panes are put in brackets depends on its number alone, so its bits do not depend on which windows came
/// before, on batches or on restarts. A pane that changes (a sample late for some of its windows) throws away what it is
/// part of.
final class PaneMerger {
    private let length: Int64
    /// Runs from a pane to the end of its stretch, at `endsAt`; nil where there was nothing.
    private var ends: [Int64: PaneRun] = [:]
    private var endsAt = Int64.min
    private var endsFrom = Int64.min
    /// Whole stretches by their first pane.
    private var stretches: [Int64: PaneRun] = [:]
    private var middle: (panes: Range<Int64>, run: PaneRun?)?
    private var beginning: (panes: Range<Int64>, run: PaneRun?)?
    /// Panes from here on are part of nothing kept.
    private(set) var bound = Int64.min

    /// For windows of `panesPerWindow` panes.
    init(panesPerWindow: Int64) {
        length = WindowSpec.panesPerStretch(ofWindowsOf: panesPerWindow)
    }

    /// A pane has other contents now.
    func invalidate(_ pane: Int64) {
        guard pane < bound else { return }
        if pane < endsAt, pane >= endsFrom { forgetEnds() }
        stretches[start(of: pane)] = nil
        if middle?.panes.contains(pane) == true { middle = nil }
        if beginning?.panes.contains(pane) == true { beginning = nil }
    }

    /// The panes of a window in time order; nil where there are none.
    func merge(_ panes: Range<Int64>, groupBound: Int, pane: (Int64) -> Pane?) -> PaneRun? {
        bound = max(bound, panes.upperBound)
        let firstWhole = start(of: panes.lowerBound + length - 1)
        let last = start(of: panes.upperBound)
        guard firstWhole <= last else {
            // Shorter than a stretch and within one.
            return run(panes, onto: nil, groupBound, pane)
        }
        let parts = [
            end(panes.lowerBound..<firstWhole, groupBound, pane), whole(firstWhole..<last, groupBound, pane),
            begin(last..<panes.upperBound, groupBound, pane),
        ].compactMap { $0 }
        guard let first = parts.first else { return nil }
        // What is kept goes on growing: the window gets a copy.
        let merged = PaneRun(first)
        for part in parts[1...] { merged.merge(part, groupBound: groupBound) }
        return merged
    }

    /// The first pane of a pane's stretch. At the very beginning of time it may wrap around, to where no stretch is kept: the
    /// stretches of a window lie within the window.
    private func start(of pane: Int64) -> Int64 {
        let rest = pane % length
        return pane &- (rest < 0 ? rest + length : rest)
    }

    private func forgetEnds() {
        ends.removeAll(keepingCapacity: true)
        endsAt = .min
    }

    private func end(_ panes: Range<Int64>, _ groupBound: Int, _ pane: (Int64) -> Pane?) -> PaneRun? {
        guard !panes.isEmpty else { return nil }
        if endsAt != panes.upperBound || panes.lowerBound < endsFrom {
            forgetEnds()
            var later: PaneRun?
            for index in panes.reversed() {
                if let one = pane(index) {
                    let run = PaneRun(one)
                    if let later { run.merge(later, groupBound: groupBound) }
                    later = run
                }
                ends[index] = later
            }
            endsAt = panes.upperBound
        }
        // No window begins earlier any more.
        while endsFrom < panes.lowerBound, ends.count > Int(panes.upperBound - panes.lowerBound) {
            ends[endsFrom] = nil
            endsFrom += 1
        }
        endsFrom = panes.lowerBound
        return ends[panes.lowerBound]
    }

    private func whole(_ panes: Range<Int64>, _ groupBound: Int, _ pane: (Int64) -> Pane?) -> PaneRun? {
        guard !panes.isEmpty else { return nil }
        if let middle, middle.panes == panes { return middle.run }
        stretches = stretches.filter { $0.key >= panes.lowerBound }
        var runs: [PaneRun] = []
        for first in stride(from: panes.lowerBound, to: panes.upperBound, by: Int(length)) {
            if let run = stretch(first, groupBound, pane) { runs.append(run) }
        }
        var merged = runs.first
        if runs.count > 1 {
            let whole = PaneRun(runs[0])
            for run in runs[1...] { whole.merge(run, groupBound: groupBound) }
            merged = whole
        }
        middle = (panes, merged)
        return merged
    }

    private func stretch(_ first: Int64, _ groupBound: Int, _ pane: (Int64) -> Pane?) -> PaneRun? {
        if let known = stretches[first] { return known }
        let panes = first..<(first + length)
        let run: PaneRun?
        if let beginning, beginning.panes.lowerBound == first, beginning.panes.upperBound <= panes.upperBound {
            run = self.run(
                beginning.panes.upperBound..<panes.upperBound, onto: beginning.run, groupBound, pane)
            self.beginning = nil
        } else {
            run = self.run(panes, onto: nil, groupBound, pane)
        }
        stretches[first] = run
        return run
    }

    private func begin(_ panes: Range<Int64>, _ groupBound: Int, _ pane: (Int64) -> Pane?) -> PaneRun? {
        guard !panes.isEmpty else { return nil }
        if let beginning, beginning.panes.lowerBound == panes.lowerBound,
            beginning.panes.upperBound <= panes.upperBound
        {
            let run = self.run(
                beginning.panes.upperBound..<panes.upperBound, onto: beginning.run, groupBound, pane)
            self.beginning = (panes, run)
            return run
        }
        let run = self.run(panes, onto: nil, groupBound, pane)
        beginning = (panes, run)
        return run
    }

    /// Panes merged from the first to the last, into `earlier` where there is one.
    private func run(
        _ panes: Range<Int64>, onto earlier: PaneRun?, _ groupBound: Int, _ pane: (Int64) -> Pane?
    ) -> PaneRun? {
        var run = earlier
        for index in panes {
            guard let one = pane(index) else { continue }
            if let run {
                run.merge(one.groups, one.columns, groupBound: groupBound)
            } else {
                run = PaneRun(one)
            }
        }
        return run
    }

    /// Bytes of what is kept beside the panes.
    var byteCount: Int {
        var seen: Set<ObjectIdentifier> = []
        var bytes = 0
        for run in Array(ends.values) + Array(stretches.values) + [middle?.run, beginning?.run].compactMap({ $0 })
        where seen.insert(ObjectIdentifier(run)).inserted {
            bytes += run.groups.count * 4 + run.columns.reduce(0) { $0 + $1.byteCount }
        }
        return bytes
    }
}
