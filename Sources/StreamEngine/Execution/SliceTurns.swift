import Platform

/// Hands out the turns of one slice: which task a data-plane thread takes next.
///
/// Each task has one turn. Where the run goes on while others are at work, a thread that finds every task begun takes the
/// one furthest behind in event time for another turn, until all first turns and what the coordinator does meanwhile are
/// done: no thread waits while there is something to read, and partitions keep together. Results do not depend on where
/// slices end (SEMANTICS §7).
final class SliceTurns: Sendable {
    private struct Entry {
        var newestMs: Int64
        var turns = 0
        var isTaken = false
        var mayGoOn = true
    }

    private struct State {
        var entries: [Entry]
        /// First turns and other work that are not done.
        var unfinished: Int
    }

    /// A task waits for the others after so many turns, or once frozen windows of so many bytes wait to be emitted beside the
    /// newest, so that memory stays about what it is without going on.
    private static let turnsMax = 64
    static let frozenBytesMax = 1 << 18

    private let state: Monitor<State>
    private let goesOn: Bool

    /// Turns of tasks whose newest event times these are. `others` pieces of work are done beside them.
    init(newestMs: [Int64], others: Int, goesOn: Bool) {
        state = Monitor(State(entries: newestMs.map { Entry(newestMs: $0) }, unfinished: newestMs.count + others))
        self.goesOn = goesOn
    }

    /// The task of the next turn, and whether it had one before; nil where there is none.
    func take() -> (task: Int, isContinued: Bool)? {
        state.withLock { state in
            var best: Int?
            for (task, entry) in state.entries.enumerated() where !entry.isTaken {
                let mayHaveTurn =
                    entry.turns == 0
                    || goesOn && state.unfinished > 0 && entry.mayGoOn && entry.turns < Self.turnsMax
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
            return (best, state.entries[best].turns > 0)
        }
    }

    /// A turn is over; the task's newest event time now, and whether it may have another one.
    func give(_ task: Int, newestMs: Int64, mayGoOn: Bool) {
        state.withLock {
            if $0.entries[task].turns == 0 { $0.unfinished -= 1 }
            $0.entries[task].turns += 1
            $0.entries[task].isTaken = false
            $0.entries[task].newestMs = newestMs
            $0.entries[task].mayGoOn = mayGoOn
        }
    }

    /// A piece of other work is done.
    func endOther() { state.withLock { $0.unfinished -= 1 } }
}
