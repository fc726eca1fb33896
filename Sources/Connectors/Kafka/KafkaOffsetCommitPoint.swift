import StreamEngine

/// The decision of an epoch with `delivery: atLeastOnce`: its offsets, committed after its output is visible. What comes
/// between the two may be written twice.
public final class KafkaOffsetCommitPoint: CommitPoint {
    public let slot: String
    private let consumer: KafkaConsumer
    private var isAssigned = false
    private static let timeoutMs = 10_000

    /// A commit point of the member that `consumer` is.
    public init(consumer: KafkaConsumer, slot: String) {
        self.consumer = consumer
        self.slot = slot
    }

    public func assignmentAccepted() throws(SourceError) { isAssigned = true }
    public func assignmentEnded() { isAssigned = false }
    public func begin() throws(SourceError) {}

    public func commit(_ offsets: [PartitionID: CommittedOffset]) -> CommitOutcome {
        // librdkafka would commit for nobody, which brokers take unfenced.
        guard isAssigned, consumer.memberID != nil, !consumer.isAssignmentLost else {
            return .aborted(
                SourceError(.fenced, "the partitions were taken from this member; its offsets are not committed"))
        }
        do throws(SourceError) {
            try consumer.commit(offsets, timeoutMs: Self.timeoutMs)
            return .committed
        } catch {
            return error.isRetriable ? .unknown(error) : .aborted(error)
        }
    }

    public func abort() {}
    public func renew() throws(SourceError) {}
    public func endAbandoned() {}
    public func close() {}
}
