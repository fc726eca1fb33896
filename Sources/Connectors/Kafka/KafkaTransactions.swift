import CRdkafka
import StreamEngine

/// What became of a transaction.
public enum KafkaTransactionOutcome: Sendable {
    case committed
    /// Nothing of it is visible; the next may begin.
    case aborted(SourceError)
    /// No answer came: the brokers may have committed it or not. Read committed offsets and tokens, with a new
    /// producer, to know (SEMANTICS §5).
    case unknown(SourceError)
    /// Another producer with this transactional id took over, or the client cannot go on: a new producer is needed.
    /// Whether a commit under way took effect is unknown as well.
    case fenced(SourceError)
}

/// The transactions of one producer: `begin` → records → `sendOffsets` → `finish`. Used by the producer's thread.
public final class KafkaTransactions {
    private let producer: KafkaProducer
    private var handle: OpaquePointer { producer.client.handle }
    /// Whether a transaction is open.
    public private(set) var isOpen = false

    /// Whether the producer is of no more use.
    private(set) var isSpent = false
    private var failedBefore = 0
    /// Whether records of the last transaction were given up. librdkafka 2.0.2 then may leave a gap in the sequence of
    /// its records, which the brokers hold against the next transaction: a new producer begins a new sequence.
    public var hasLostRecords: Bool { producer.failed > failedBefore }

    /// Takes the transactional id over: fences an earlier producer with it and ends what that left open. Retried until
    /// `timeoutMs` have passed.
    public init(_ producer: KafkaProducer, timeoutMs: Int) throws(SourceError) {
        // `KafkaEpochProducer` alone makes them, each of a producer it made with an id.
        precondition(producer.transactionalID != nil, "transactions need a producer with a transactional id")
        self.producer = producer
        try check(rd_kafka_init_transactions(producer.client.handle, Int32(clamping: timeoutMs)), "taking over")
    }

    /// Opens a transaction. Asks no broker.
    public func begin() throws(SourceError) {
        producer.forgetFailures()
        failedBefore = producer.failed
        try check(rd_kafka_begin_transaction(handle), "beginning")
        isOpen = true
    }

    /// The group's identity of this moment, to be taken when an assignment is accepted.
    public static func member(of consumer: KafkaConsumer) throws(SourceError) -> KafkaMember {
        KafkaMember(metadata: try consumer.groupMetadata(), id: consumer.memberID)
    }

    /// Adds the consumer's offsets to the transaction, fenced by the member's generation (KIP-447). A member without an
    /// id is refused: brokers do not fence it.
    public func sendOffsets(
        _ offsets: [PartitionID: CommittedOffset], of member: KafkaMember, timeoutMs: Int
    ) throws(SourceError) {
        guard member.id != nil else {
            throw SourceError(.fenced, "this process is not a member of the group (any more); the epoch is given up")
        }
        let list = KafkaPartitionList(capacity: offsets.count)
        for (id, committed) in offsets {
            list.add(id.topic, id.partition, offset: committed.offset, metadata: committed.metadata)
        }
        let error = list.lend { list in
            member.metadata.lend { metadata in
                rd_kafka_send_offsets_to_transaction(handle, list, metadata, Int32(clamping: timeoutMs))
            }
        }
        try check(error, "sending offsets to")
    }

    /// Waits until the fate of every record is known. Their reports must be served by us: librdkafka's own flush inside
    /// the commit cannot.
    public func flush(timeoutMs: Int) throws(SourceError) {
        do throws(SinkError) {
            try producer.flush(timeoutMs: timeoutMs)
        } catch {
            throw SourceError(error.isRetriable ? .timedOut : .other, error.description)
        }
    }

    /// Commits; aborts by itself where the commit failed for certain. Records and decision have `timeoutMs` each.
    public func commit(timeoutMs: Int) -> KafkaTransactionOutcome {
        // `KafkaCommitPoint.commit`, the one caller, has looked.
        precondition(isOpen, "there is no open transaction")
        do throws(SourceError) {
            try flush(timeoutMs: timeoutMs)
        } catch {
            return abort(because: error, timeoutMs: timeoutMs)
        }
        guard let error = rd_kafka_commit_transaction(handle, Int32(clamping: timeoutMs)) else {
            isOpen = false
            return .committed
        }
        defer { rd_kafka_error_destroy(error) }
        let reason = describe(error, "committing")
        if reason.kind == .notAuthorised {
            // Refused, so not applied; librdkafka takes that for the end of the producer.
            isOpen = false
            isSpent = true
            return .aborted(reason)
        }
        if rd_kafka_error_is_fatal(error) != 0 {
            isOpen = false
            return .fenced(reason)
        }
        if rd_kafka_error_txn_requires_abort(error) != 0 { return abort(because: reason, timeoutMs: timeoutMs) }
        isOpen = false
        return .unknown(reason)
    }

    /// Aborts the open transaction: nothing of it becomes visible.
    public func abort(because reason: SourceError, timeoutMs: Int) -> KafkaTransactionOutcome {
        producer.purge()
        isOpen = false
        guard let error = rd_kafka_abort_transaction(handle, Int32(clamping: timeoutMs)) else {
            return .aborted(reason)
        }
        defer { rd_kafka_error_destroy(error) }
        isSpent = true
        // Nobody has asked for it to be committed, so it never will be; a reason that lasts is to be told as it is.
        switch reason.kind {
        case .notAuthorised, .unknownTopic, .configuration, .dataLoss, .other: return .aborted(reason)
        case .unreachable, .timedOut, .fenced, .fatal: break
        }
        let failure = describe(error, "aborting (\(reason.description))")
        // This producer is of no use: the brokers end the transaction when it times out or a new producer with the same
        // id starts.
        return rd_kafka_error_is_fatal(error) != 0 ? .fenced(failure) : .unknown(failure)
    }

    private func check(_ error: OpaquePointer?, _ what: String) throws(SourceError) {
        guard let error else { return }
        defer { rd_kafka_error_destroy(error) }
        throw describe(error, what)
    }

    private func describe(_ error: OpaquePointer, _ what: String) -> SourceError {
        let code = rd_kafka_error_code(error)
        let text = String(cString: rd_kafka_error_string(error))
        let whole = "\(what) transaction \(producer.transactionalID ?? ""): \(text)"
        if KafkaErrors.isOfGroup(code) {
            return SourceError(.fenced, "\(whole); the group went on without this member, the epoch is given up")
        }
        if KafkaErrors.kind(code) == .fenced {
            return SourceError(.fenced, "\(whole); another process with this transactional id has taken over")
        }
        if code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE {
            return SourceError(.configuration, "\(whole); exactly-once needs Kafka 2.5 or later")
        }
        let isRefused = KafkaErrors.kind(code) == .notAuthorised
        if rd_kafka_error_is_fatal(error) != 0, !isRefused { return SourceError(.fatal, whole) }
        return KafkaErrors.error(code, "\(what) transaction \(producer.transactionalID ?? "")", detail: text)
    }
}

/// A member's identity in its group at one moment.
public struct KafkaMember {
    let metadata: KafkaGroupMetadata
    /// nil: not a member.
    public let id: String?

    /// Whether brokers compare it with the group's state. They do not where the generation is -1: the client has lost
    /// its place and not said so yet.
    func isFenced(groupID: String, instanceID: String?) throws(SourceError) -> Bool {
        guard let pointer = rd_kafka_consumer_group_metadata_new_with_genid(groupID, -1, id ?? "", instanceID) else {
            throw SourceError(.other, "librdkafka makes no group metadata")
        }
        let unfenced = KafkaGroupMetadata(pointer)
        return try metadata.bytes() != unfenced.bytes()
    }
}
