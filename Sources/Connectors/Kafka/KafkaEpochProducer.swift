import Platform
import StreamEngine

/// The one transactional producer of a process: every Kafka sink on the job's cluster sends through it, and the commit
/// point decides with it. It is renewed where librdkafka's cannot go on (fenced, or no answer to a commit); sinks see
/// the new one with their next record. Used by the coordinator's thread.
public final class KafkaEpochProducer {
    /// `<group>/<checkpoint id>/<slot>` (DESIGN §3).
    public let transactionalID: String
    private let connection: KafkaConnection
    private let transactionTimeoutMs: Int
    private let clock: any Clock
    private let log: @Sendable (KafkaLogLine) -> Void
    /// Partitioners by topic: what a new producer opens again.
    private var topics: [String: String] = [:]
    /// The producer of this moment.
    private(set) var producer: KafkaProducer
    private(set) var transactions: KafkaTransactions?
    /// Whether the producer of this moment is of no more use.
    private var isSpent = false

    /// A producer that has not taken its id over yet. Returns at once, also when no broker is in reach.
    public init(
        _ connection: KafkaConnection, transactionalID: String, transactionTimeoutMs: Int = 10_000,
        clock: any Clock = SystemClock(), log: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws(SourceError) {
        self.connection = connection
        self.transactionalID = transactionalID
        self.transactionTimeoutMs = transactionTimeoutMs
        self.clock = clock
        self.log = log
        producer = try KafkaProducer(
            connection, transactionalID: transactionalID, transactionTimeoutMs: transactionTimeoutMs,
            sendsAtFlush: true,
            clock: clock, log: log)
    }

    /// The producer of a job's member. Settings that its Kafka sinks have of their own apply to all of them, as they
    /// share it; sinks with `brokers` of their own do not count.
    public convenience init(
        _ job: JobDefinition, checkpointID: String, slot: String, transactionTimeoutMs: Int = 10_000,
        log: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws(SourceError) {
        var connection = job.kafka
        var owners: [String: (value: String, topic: String)] = [:]
        for sink in KafkaSources.sinks(job) where sink.options.text("brokers") == nil {
            let topic = sink.options.requiredText("topic")
            for setting in KafkaSinkFactory.settings(of: sink.options) {
                if let other = owners[setting.name], other.value != setting.value {
                    throw SourceError(
                        .configuration,
                        "the sinks of topics \(other.topic) and \(topic) set `\(setting.name)` to different values, but"
                            + " write in one transaction: give both the same, or use `delivery: atLeastOnce`")
                }
                owners[setting.name] = (setting.value, topic)
                connection.producerOptions.append(setting)
            }
        }
        try self.init(
            connection, transactionalID: "\(job.group)/\(checkpointID)/\(slot)",
            transactionTimeoutMs: transactionTimeoutMs, log: log)
    }

    /// Makes sure that a topic is there, as `KafkaProducer.open` does, now and for every producer to come.
    func open(
        topic: String, partitioner: String, create: (partitions: Int, replication: Int)?
    ) throws(SourceError) {
        if let other = topics[topic], other != partitioner {
            throw SourceError(
                .configuration,
                "two sinks of topic \(topic) have different partitioners (\(other), \(partitioner)), but write in one"
                    + " transaction: give both the same")
        }
        try producer.open(topic: topic, partitioner: partitioner, create: create)
        topics[topic] = partitioner
    }

    /// Whether transactions can begin.
    var isReady: Bool { transactions != nil && !isSpent }

    /// The producer cannot go on: `takeOver` makes a new one.
    func spend() { isSpent = true }

    /// Makes transactions possible: takes the id over, with a new producer where this one is spent. The brokers end what
    /// an earlier producer with the id left open before they answer. After a time-out call it again: it goes on waiting.
    func takeOver(timeoutMs: Int) throws(SourceError) {
        guard !isReady else { return }
        if isSpent { try replace() }
        do throws(SourceError) {
            let transactions = try KafkaTransactions(producer, timeoutMs: timeoutMs)
            // What the log says of the brokers is in the queue by now.
            producer.serve()
            if producer.client.versions.isTooOld {
                throw SourceError(
                    .configuration,
                    "the brokers at \(producer.client.brokers) are older than Kafka 2.5 and do not fence a transaction's"
                        + " offsets: exactly-once needs Kafka 2.5 or later; update them, or set `delivery: atLeastOnce`"
                )
            }
            self.transactions = transactions
        } catch {
            // A client that cannot go on at all is replaced at the next try.
            if error.kind == .fatal || error.kind == .fenced { isSpent = true }
            throw error
        }
    }

    private func replace() throws(SourceError) {
        transactions = nil
        producer.close()
        producer = try KafkaProducer(
            connection, transactionalID: transactionalID, transactionTimeoutMs: transactionTimeoutMs,
            sendsAtFlush: true,
            clock: clock, log: log)
        for (topic, partitioner) in topics { try producer.use(topic: topic, partitioner: partitioner) }
        isSpent = false
    }

    /// Ends what a process that is gone left open under `id`.
    func end(_ id: String, timeoutMs: Int) throws(SourceError) {
        let other = try KafkaProducer(connection, transactionalID: id, clock: clock, log: log)
        defer { other.close() }
        _ = try KafkaTransactions(other, timeoutMs: timeoutMs)
    }

    /// Frees everything. What is in an open transaction is given up.
    func close() {
        transactions = nil
        producer.close()
    }
}
