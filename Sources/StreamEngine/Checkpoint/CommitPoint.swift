/// What became of an epoch's decision.
public enum CommitOutcome: Sendable {
    case committed
    /// It did not take effect: nothing of it is visible.
    case aborted(SourceError)
    /// No answer came. `renew`, then the committed offsets and tokens, tell.
    case unknown(SourceError)
    /// Another process has taken this one's place, or the client cannot go on. Whether the epoch took effect is unknown.
    case fenced(SourceError)
}

/// The one point at which an epoch is decided (SEMANTICS §5): one Kafka transaction, or for a replay its commit log.
/// Used by the coordinator's thread, which also serves the group's events.
public protocol CommitPoint: AnyObject {
    /// This member's slot (DESIGN §3), for the record of an epoch.
    var slot: String { get }
    /// Notes the group's identity of this moment: an assignment was accepted. Epochs that begin from here on carry it.
    func assignmentAccepted() throws(SourceError)
    /// The assignment ended (revoked or lost): an epoch begun before can no longer be committed.
    func assignmentEnded()
    /// Opens the epoch's transaction. Called when everything else is prepared; transactional sinks prepare after it.
    func begin() throws(SourceError)
    /// Decides: these offsets, with what transactional sinks sent since `begin`.
    func commit(_ offsets: [PartitionID: CommittedOffset]) -> CommitOutcome
    /// Gives an open transaction up; does nothing where none is open.
    func abort()
    /// After `unknown` or `fenced`: makes a new producer, which ends what the old one left open.
    func renew() throws(SourceError)
    /// Ends transactions that members which are gone left open, where that keeps offsets from being read
    /// (called when committed offsets could not be read for over a second).
    func endAbandoned()
    /// Frees everything.
    func close()
}
