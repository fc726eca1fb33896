/// The repetitions of Kubernetes events read so far, so that each counts once.
///
/// About 130 bytes each. An event older than the newest one by `retentionMs` or more is never taken for a duplicate
/// and is forgotten, so memory holds a day of events. It starts empty with the process: after a restart an event that
/// was read before it may count once more. When offsets go back (an epoch was aborted), what was read from there on is
/// forgotten, for it will be read again.
struct EventRepetitions {
    /// 24 hours of event time.
    static let retentionMs: Int64 = 86_400_000

    /// The offset at which each was read first.
    private var seen: [KubernetesEvent.Repetition: Int64] = [:]
    private var newestMs = Int64.min
    private var newestOffset = Int64.min
    private var pruneAt = 4096

    /// Notes that the record at an offset is read next.
    mutating func begin(_ offset: Int64) {
        if offset <= newestOffset { seen = seen.filter { $0.value < offset } }
        newestOffset = offset
    }

    /// Notes an occurrence; false when it was noted before.
    mutating func isNew(_ repetition: KubernetesEvent.Repetition, _ offset: Int64) -> Bool {
        newestMs = max(newestMs, repetition.timestampMs)
        let (horizonMs, overflow) = newestMs.subtractingReportingOverflow(Self.retentionMs)
        guard overflow || repetition.timestampMs > horizonMs else { return true }
        guard seen[repetition] == nil else { return false }
        seen[repetition] = offset
        if seen.count >= pruneAt {
            if !overflow { seen = seen.filter { $0.key.timestampMs > horizonMs } }
            pruneAt = max(4096, seen.count * 2)
        }
        return true
    }
}
