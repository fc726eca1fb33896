import StreamEngine

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
    /// Runs from a pane to the end of its stretch, at `endsAt`, the last pane's first; nil where there was nothing.
    private var ends: [PaneRun?] = []
    private var endsAt = Int64.min
    /// Whole stretches by their first pane.
    private var stretches: [Int64: PaneRun] = [:]
    private var middle: (panes: Range<Int64>, run: PaneRun?)?
    private var beginning: (panes: Range<Int64>, run: PaneRun?)?
    /// The newest window that was put together from more than one run, of which these are what they were.
    private var newest: (runs: [PaneRun], versions: [Int], merged: PaneRun)?
    /// Runs of an earlier stretch, whose room the next one takes.
    private var spare: [PaneRun] = []
    /// Panes from here on are part of nothing kept.
    private(set) var bound = Int64.min

    /// For windows of `panesPerWindow` panes.
    init(panesPerWindow: Int64) {
        length = WindowSpec.panesPerStretch(ofWindowsOf: panesPerWindow)
    }

    /// A pane has other contents now.
    func invalidate(_ pane: Int64) {
        guard pane < bound else { return }
        if pane < endsAt, pane >= endsAt &- Int64(ends.count) { forgetEnds() }
        stretches[start(of: pane)] = nil
        if middle?.panes.contains(pane) == true { middle = nil }
        if beginning?.panes.contains(pane) == true { beginning = nil }
    }

    /// The panes of a window in time order; nil where there are none. Nobody changes what is given.
    func merge(_ panes: Range<Int64>, pane: (Int64) -> Pane?) -> PaneRun? {
        bound = max(bound, panes.upperBound)
        let firstWhole = start(of: panes.lowerBound + length - 1)
        let last = start(of: panes.upperBound)
        guard firstWhole <= last else {
            // Shorter than a stretch and within one.
            return run(panes, onto: nil, pane)
        }
        var runs: [PaneRun] = []
        if let end = end(panes.lowerBound..<firstWhole, pane) { runs.append(end) }
        if let whole = whole(firstWhole..<last, pane) { runs.append(whole) }
        if let begin = begin(last..<panes.upperBound, pane) { runs.append(begin) }
        guard runs.count > 1 else { return runs.first.map { PaneRun($0) } }
        return merged(runs)
    }

    /// Where no pane with data came or went since the window before, it is that one again.
    private func merged(_ runs: [PaneRun]) -> PaneRun {
        if let newest, newest.runs.count == runs.count,
            runs.indices.allSatisfy({ newest.runs[$0] === runs[$0] && newest.versions[$0] == runs[$0].version })
        {
            return newest.merged
        }
        let merged = PaneRun(runs)
        newest = (runs, runs.map(\.version), merged)
        return merged
    }

    /// The first pane of a pane's stretch. At the very beginning of time it may wrap around, to where no stretch is kept: the
    /// stretches of a window lie within the window.
    private func start(of pane: Int64) -> Int64 {
        let rest = pane % length
        return pane &- (rest < 0 ? rest + length : rest)
    }

    private func forgetEnds() { keepEnds(0) }

    /// Lets all but the `count` last panes' runs go; their room serves again.
    private func keepEnds(_ count: Int) {
        while ends.count > count {
            // Where a pane held nothing the run is that of the pane after it.
            guard let run = ends.removeLast(), ends.last.map({ $0 !== run }) ?? true else { continue }
            spare.append(run)
        }
        if count == 0 { endsAt = .min }
    }

    private func end(_ panes: Range<Int64>, _ pane: (Int64) -> Pane?) -> PaneRun? {
        let count = panes.count
        guard count > 0 else { return nil }
        if endsAt != panes.upperBound || ends.count < count {
            forgetEnds()
            var later: PaneRun?
            for index in panes.reversed() {
                if let one = pane(index) { later = makeEnd(one, then: later) }
                ends.append(later)
            }
            endsAt = panes.upperBound
        }
        // No window begins earlier any more.
        keepEnds(count)
        return ends[count - 1]
    }

    private func makeEnd(_ pane: Pane, then later: PaneRun?) -> PaneRun {
        guard let run = spare.popLast() else { return later.map { PaneRun(pane, then: $0) } ?? PaneRun(pane) }
        if let later { run.become(pane, then: later) } else { run.become(pane) }
        return run
    }

    private func whole(_ panes: Range<Int64>, _ pane: (Int64) -> Pane?) -> PaneRun? {
        guard !panes.isEmpty else { return nil }
        if let middle, middle.panes == panes { return middle.run }
        stretches = stretches.filter { $0.key >= panes.lowerBound }
        var merged: PaneRun?
        for first in stride(from: panes.lowerBound, to: panes.upperBound, by: Int(length)) {
            guard let run = stretch(first, pane) else { continue }
            if let merged { merged.append(run) } else { merged = PaneRun(run) }
        }
        middle = (panes, merged)
        return merged
    }

    private func stretch(_ first: Int64, _ pane: (Int64) -> Pane?) -> PaneRun? {
        if let known = stretches[first] { return known }
        let panes = first..<(first + length)
        let run: PaneRun?
        if let beginning, beginning.panes.lowerBound == first, beginning.panes.upperBound <= panes.upperBound {
            run = self.run(beginning.panes.upperBound..<panes.upperBound, onto: beginning.run, pane)
            self.beginning = nil
        } else {
            run = self.run(panes, onto: nil, pane)
        }
        stretches[first] = run
        return run
    }

    private func begin(_ panes: Range<Int64>, _ pane: (Int64) -> Pane?) -> PaneRun? {
        guard !panes.isEmpty else { return nil }
        let run: PaneRun?
        if let beginning, beginning.panes.lowerBound == panes.lowerBound,
            beginning.panes.upperBound <= panes.upperBound
        {
            run = self.run(beginning.panes.upperBound..<panes.upperBound, onto: beginning.run, pane)
        } else {
            run = self.run(panes, onto: nil, pane)
        }
        beginning = (panes, run)
        return run
    }

    /// Panes merged from the first to the last, after `earlier` where there is one.
    private func run(_ panes: Range<Int64>, onto earlier: PaneRun?, _ pane: (Int64) -> Pane?) -> PaneRun? {
        var run = earlier
        for index in panes {
            guard let one = pane(index) else { continue }
            if let run { run.append(one) } else { run = PaneRun(one) }
        }
        return run
    }

    /// Bytes of what is kept beside the panes.
    var byteCount: Int {
        var seen: Set<ObjectIdentifier> = []
        var bytes = 0
        let runs = ends + Array(stretches.values) + spare + [middle?.run, beginning?.run, newest?.merged]
        for run in runs.compactMap({ $0 }) where seen.insert(ObjectIdentifier(run)).inserted {
            bytes += run.byteCount
        }
        return bytes
    }
}
