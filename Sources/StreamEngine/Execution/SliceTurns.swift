import Platform

/// Hands out the turns of one slice: which task a data-plane thread takes next.
///
/// Each task has one turn. Where the run goes on, threads that find every task begun take the one furthest behind in event
/// time for another turn, until each task has frozen windows worth emitting and what the coordinator does meanwhile
/// is done: no thread waits while there is something to read, and partitions keep together. Results do not depend on where
/// slices end (SEMANTICS §7).
final class SliceTurns: Sendable {
    private struct Entry {
        var newestMs: Int64
        var turns = 0
        var isTaken = false
        var mayGoOn = true
        var hasFrozen = false
    }

    private struct State {
        var entries: [Entry]
        var isOtherDone: Bool
        /// Turns beyond the first.
        var more = 0

        var goesOn: Bool { more < SliceTurns.moreMax && (!isOtherDone || !entries.allSatisfy(\.hasFrozen)) }
    }

    /// What a task is like after a turn.
    struct Standing {
        let newestMs: Int64
        /// Bytes of frozen windows, and of those but the newest of each query.
        let frozenBytes: (all: Int, older: Int)
        /// Whether it has more to read, and may.
        let mayGoOn: Bool
        /// Whether it has windows to freeze at all: sources of events have none.
        let hasWindows: Bool
    }

    /// Frozen windows of so many bytes are worth a barrier. A task that holds as many beside the newest waits for the others,
    /// so that memory stays about what it is without going on.
    private static let frozenBytesMax = 1 << 18
    /// So many turns beyond the first end a slice in any case: who waits for one (a stop, progress, a trigger) waits for a
    /// few tenths of a second.
    private static let moreMax = 256
    /// Where the run goes on turns are short, so that threads end together: so many of what a slice takes otherwise.
    static let turnsOfSlice = 4

    private let state: Monitor<State>
    private let goesOn: Bool

    /// Turns of tasks whose newest event times these are. With `hasOther` other work is done beside them.
    init(newestMs: [Int64], hasOther: Bool, goesOn: Bool) {
        state = Monitor(State(entries: newestMs.map { Entry(newestMs: $0) }, isOtherDone: !hasOther))
        self.goesOn = goesOn
    }

    /// The task of the next turn, and whether it had one before; nil where there is none.
    func take() -> (task: Int, isContinued: Bool)? {
        state.withLock { state in
            var best: Int?
            let isGoingOn = goesOn && state.goesOn
            for (task, entry) in state.entries.enumerated() where !entry.isTaken {
                let mayHaveTurn =
                    entry.turns == 0
                    || isGoingOn && entry.mayGoOn
                guard mayHaveTurn else { continue }
                guard let other = best.map({ state.entries[$0] }) else {
                    best = task
                    continue
                }
                let isFirst = entry.turns == 0
                let otherIsFirst = other.turns == 0
                if isFirst != otherIsFirst ? isFirst : entry.newestMs < other.newestMs { best = task }
            }
            guard let best else { return nil }
            state.entries[best].isTaken = true
            let isContinued = state.entries[best].turns > 0
            if isContinued { state.more += 1 }
            return (best, isContinued)
        }
    }

    /// A turn is over.
    func give(_ task: Int, _ standing: Standing) {
        state.withLock {
            $0.entries[task].turns += 1
            $0.entries[task].isTaken = false
            $0.entries[task].newestMs = standing.newestMs
            $0.entries[task].mayGoOn = standing.mayGoOn && standing.frozenBytes.older < Self.frozenBytesMax
            $0.entries[task].hasFrozen =
                !standing.mayGoOn || !standing.hasWindows || standing.frozenBytes.all >= Self.frozenBytesMax
        }
    }

    /// What is done beside the tasks is done.
    func endOther() { state.withLock { $0.isOtherDone = true } }
}
