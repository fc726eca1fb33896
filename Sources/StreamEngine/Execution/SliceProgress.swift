import Synchronization

/// How far the pieces of one slice are, so that no thread waits for the others while there is something to read.
///
/// A piece is a task's share of the slice, or what the coordinator does meanwhile. A thread that is done with the share of
/// its task, where no task is left to begin, takes more of it until all pieces are done. So the share of one that has
/// fallen behind in event time reaches to where the others are. Results do not depend on where slices end (SEMANTICS §7).
final class SliceProgress: Sendable {
    private let unfinished: Atomic<Int>
    private let unbegun: Atomic<Int>

    /// A task waits for the others after so many slices, or once so many groups of frozen windows wait to be emitted beside
    /// the newest (some megabyte), so that memory stays what it is without going on.
    static let slicesMax = 64
    static let frozenRowsMax = 1 << 14

    /// Progress of `pieces`, of which `tasks` are tasks.
    init(pieces: Int, tasks: Int) {
        unfinished = Atomic(pieces)
        unbegun = Atomic(tasks)
    }

    /// A task's share is begun.
    func begin() { unbegun.subtract(1, ordering: .relaxed) }
    /// A piece is done.
    func end() { unfinished.subtract(1, ordering: .relaxed) }

    /// Whether others are at work, and none of their pieces waits for a thread.
    var othersWork: Bool { unbegun.load(ordering: .relaxed) == 0 && unfinished.load(ordering: .relaxed) > 0 }
}
