import Platform
import StreamEngine

/// The decision of an epoch as one Kafka transaction on the sources' cluster (SEMANTICS §5): the offsets of all partitions
/// the member owns, with what its sinks sent; also where no sink is Kafka.
///
/// Two fences keep a member that was left behind from deciding anything. The group's (KIP-447): offsets carry the
/// member's generation, which brokers from Kafka 2.5 on compare. The producer's: whoever has the slot's transactional
/// id last is the only one whose transactions are taken.
public final class KafkaCommitPoint: CommitPoint {
    public let slot: String
    private let output: KafkaEpochProducer
    private let consumer: KafkaConsumer
    private let locks: MembershipLocks?
    private let clock: any Clock
    private let log: (String) -> Void
    /// Counts changes of the assignment.
    private var assignment = 0
    /// The group's identity at the time when the assignment was accepted; nil without one.
    private var accepted: (assignment: Int, member: KafkaMember)?
    /// The assignment at the time when the open transaction began.
    private var begunWith: Int?
    /// When abandoned transactions were ended last (monotonic).
    private var lastEndingNs: Int64?

    /// How long one question to the brokers may take.
    private let timeoutMs: Int
    private static let endingIntervalNs: Int64 = 2_000_000_000
    private static let endingTimeoutMs = 5_000

    /// A commit point of the member that `consumer` is. Takes the transactional id over, which ends what this slot's
    /// earlier process left open; brokers that do not answer are asked again later, refusals are thrown. `timeoutMs` is
    /// how long one question to the brokers may take: as long as a transaction may be open.
    public init(
        _ output: KafkaEpochProducer, consumer: KafkaConsumer, locks: MembershipLocks?, slot: String,
        timeoutMs: Int = 10_000, clock: any Clock = SystemClock(), log: @escaping (String) -> Void
    ) throws(SourceError) {
        self.output = output
        self.consumer = consumer
        self.locks = locks
        self.slot = slot
        self.timeoutMs = timeoutMs
        self.clock = clock
        self.log = log
        do throws(SourceError) {
            try output.takeOver(timeoutMs: timeoutMs)
        } catch {
            guard error.isRetriable else { throw error }
            log("\(error); trying again")
        }
    }

    deinit { close() }

    public func assignmentAccepted() throws(SourceError) {
        try output.takeOver(timeoutMs: timeoutMs)
        assignment += 1
        accepted = (assignment, try KafkaTransactions.member(of: consumer))
    }

    public func assignmentEnded() {
        assignment += 1
        accepted = nil
    }

    public func begin() throws(SourceError) {
        // Where the last transaction was aborted with losses, or not even that, the producer is renewed here; nothing of it
        // was decided.
        try output.takeOver(timeoutMs: timeoutMs)
        guard let transactions = output.transactions else {
            throw SourceError(.other, "the producer \(output.transactionalID) has not taken its id over")
        }
        do throws(SourceError) {
            try transactions.begin()
        } catch {
            output.spend()
            throw error
        }
        begunWith = assignment
    }

    public func commit(_ offsets: [PartitionID: CommittedOffset]) -> CommitOutcome {
        // `JobExecution.decide` begins right before, and what sinks send in between neither ends the transaction nor spends it.
        guard let transactions = output.transactions, transactions.isOpen else {
            preconditionFailure("commit without begin")
        }
        do throws(SourceError) {
            try transactions.flush(timeoutMs: timeoutMs)
            try transactions.sendOffsets(offsets, of: try memberOfNow(), timeoutMs: timeoutMs)
        } catch {
            return giveUp(because: error)
        }
        FaultPoint.reach(.offsetsSent)
        return outcome(transactions.commit(timeoutMs: timeoutMs))
    }

    /// The group's identity, where it still is that of the epoch. A generation that moved on while this member kept all
    /// it had (cooperative rebalancing) is as good; one that is lost is not, as brokers take it unfenced.
    private func memberOfNow() throws(SourceError) -> KafkaMember {
        guard let accepted, begunWith == accepted.assignment, !consumer.isAssignmentLost else {
            throw SourceError(.fenced, "the partitions were taken from this member; the epoch is given up")
        }
        // Without a place in the group librdkafka has no metadata either.
        guard let now = try? KafkaTransactions.member(of: consumer), now.id != nil,
            try now.isFenced(groupID: consumer.groupID, instanceID: consumer.instanceID)
        else {
            throw SourceError(.fenced, "this process is not a member of the group (any more); the epoch is given up")
        }
        return now
    }

    private func giveUp(because reason: SourceError) -> CommitOutcome {
        guard let transactions = output.transactions else { return .unknown(reason) }
        return outcome(transactions.abort(because: reason, timeoutMs: timeoutMs))
    }

    private func outcome(_ outcome: KafkaTransactionOutcome) -> CommitOutcome {
        begunWith = nil
        switch outcome {
        case .committed: return .committed
        case .aborted(let reason):
            if let transactions = output.transactions, transactions.hasLostRecords || transactions.isSpent {
                output.spend()
            }
            return .aborted(reason)
        case .unknown(let reason):
            output.spend()
            return .unknown(reason)
        case .fenced(let reason):
            output.spend()
            return .fenced(reason)
        }
    }

    public func abort() {
        guard output.transactions?.isOpen == true else { return }
        switch giveUp(because: SourceError(.other, "the epoch is given up")) {
        case .committed, .aborted: break
        // The brokers end it when it times out, or when `begin` makes a new producer: it was never to be committed.
        case .unknown(let reason), .fenced(let reason): log("\(reason); a new producer takes over")
        }
    }

    public func renew() throws(SourceError) { try output.takeOver(timeoutMs: timeoutMs) }

    public func endAbandoned() {
        guard let locks else { return }
        if let last = lastEndingNs, clock.monotonicNs() - last < Self.endingIntervalNs { return }
        locks.withAbandonedSlots { other in
            let id = output.transactionalID.dropLast(slot.utf8.count) + other
            do throws(SourceError) {
                try output.end(String(id), timeoutMs: Self.endingTimeoutMs)
                log("ended what a member that is gone left open (slot \(other))")
            } catch {
                log("cannot end what a member that is gone left open (slot \(other)): \(error)")
            }
        }
        lastEndingNs = clock.monotonicNs()
    }

    public func close() { output.close() }
}
