import Platform

/// Looks after the client of a replay's topics: takes its events, waits where nothing is at hand, and gives up when no broker
/// answers for long.
final class TopicWatch {
    let topics: any LiveSource
    private let clock: any Clock
    private let reachTimeoutMs: Int64
    private var nextLookNs: Int64 = 0
    /// Since when nothing came although something was waited for (monotonic); nil while records come.
    private var waitingSinceNs: Int64?
    private var isReachable = true

    /// How often events are looked for while records come.
    private static let lookIntervalNs: Int64 = 100_000_000

    init(_ topics: any LiveSource, clock: any Clock, reachTimeoutMs: Int64) {
        self.topics = topics
        self.clock = clock
        self.reachTimeoutMs = reachTimeoutMs
    }

    /// Takes the client's events; with `isWaiting` it also waits a little for records.
    func attend(isWaiting: Bool, _ log: (String) -> Void) throws(JobFailure) {
        let nowNs = clock.monotonicNs()
        if !isWaiting { waitingSinceNs = nil }
        guard isWaiting || nowNs >= nextLookNs else { return }
        nextLookNs = nowNs + Self.lookIntervalNs
        for event in topics.poll(untilNs: isWaiting ? nowNs + 20_000_000 : nowNs) { try take(event, log) }
        guard isWaiting else { return }
        let sinceNs = waitingSinceNs ?? nowNs
        waitingSinceNs = sinceNs
        // Brokers that answer may be moving a partition to another one.
        let limitMs = reachTimeoutMs * (isReachable ? 4 : 1)
        guard nowNs - sinceNs > limitMs * 1_000_000 else { return }
        let limit = DurationText.compact(limitMs)
        throw JobFailure(
            isReachable
                ? "\(topics.description): no record for \(limit), though the end is not reached; is a partition without leader?"
                : "\(topics.description): no broker in reach for \(limit); is it up, and is its address right?")
    }

    private func take(_ event: SourceEvent, _ log: (String) -> Void) throws(JobFailure) {
        switch event {
        case .brokerDown(let text):
            isReachable = false
            log(text)
        case .brokerUp(let text):
            isReachable = true
            log(text)
        case .warning(let text): log("warning: \(text)")
        case .failed(let error): throw JobFailure(error.description)
        // Partitions that are new since the start lie behind the end.
        case .assigned, .revoked, .lost: break
        }
    }
}
