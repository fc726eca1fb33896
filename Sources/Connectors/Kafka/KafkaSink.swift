import StreamEngine

/// Rows and documents as Kafka records, one each.
///
/// What an epoch writes is kept until `prepare`, which sends it and returns when every record is acknowledged by all
/// in-sync replicas, or fails. Without a transaction a record is visible from then on: an epoch that is tried again
/// writes its records again (at least once). Within a transaction (the producer's), nothing is visible before that
/// commits.
public final class KafkaSink: Sink {
    public let description: String
    /// Whose producer it writes with.
    private enum Output {
        case own(KafkaProducer)
        /// Somebody else closes it.
        case lent(KafkaProducer)
        /// The epochs' transactions.
        case shared(KafkaEpochProducer)
    }

    private let output: Output
    private let topic: String
    private let encoder: (any RowEncoder)?
    private let flushTimeoutMs: Int
    private var rowKey = RowKey()
    /// The rows of one batch on their way to `records`.
    private var values = EncodedRows()
    /// What the epoch has written.
    private var records = KafkaRecordStore()

    /// A sink on a topic that `producer` has opened. `encoder` nil: documents only. The sink closes the producer
    /// if it `ownsProducer`.
    public init(
        producer: KafkaProducer, ownsProducer: Bool = true, topic: String, encoder: (any RowEncoder)?,
        flushTimeoutMs: Int = 120_000
    ) {
        output = ownsProducer ? .own(producer) : .lent(producer)
        self.topic = topic
        self.encoder = encoder
        self.flushTimeoutMs = flushTimeoutMs
        description = "kafka \(topic)"
    }

    /// A sink on a topic that `shared` has opened: it writes in the transaction that is open.
    init(
        through shared: KafkaEpochProducer, topic: String, encoder: (any RowEncoder)?, flushTimeoutMs: Int = 120_000
    ) {
        output = .shared(shared)
        self.topic = topic
        self.encoder = encoder
        self.flushTimeoutMs = flushTimeoutMs
        description = "kafka \(topic)"
    }

    private var producer: KafkaProducer {
        switch output {
        case .own(let producer), .lent(let producer): producer
        case .shared(let shared): shared.producer
        }
    }

    public var isTransactional: Bool {
        switch output {
        case .own, .lent: false
        case .shared: true
        }
    }

    public func write(_ rows: RowBatch, _ info: EmissionInfo) throws(SinkError) {
        // Made with an encoder wherever rows come (`JobSinks`: `SinkInput.rows`).
        guard let encoder else {
            preconditionFailure("a sink for documents was given rows; the plan says which is which")
        }
        encoder.encode(rows, into: &values)
        rowKey.withKeys(rows) { records.append(values, key: $0) }
        values.clear()
    }

    public func write(_ documents: DocumentBatch, _ info: EmissionInfo) throws(SinkError) {
        for (index, document) in documents.documents.enumerated() where !document.isEmpty {
            let key = index < documents.keys.count ? documents.keys[index] : []
            document.withUnsafeBytes { document in key.withUnsafeBytes { records.append(value: document, key: $0) } }
        }
    }

    public func prepare(_ epoch: EpochToken) throws(SinkError) {
        try producer.send(records, topic: topic)
        try producer.flush(timeoutMs: flushTimeoutMs)
        forget()
    }

    public func publish(_ epoch: EpochToken) throws(SinkError) {}

    public func discard(_ epoch: EpochToken) {
        forget()
        // What is in a transaction ends with it.
        if !isTransactional { producer.purge() }
    }

    /// What was sent belongs to a transaction that only its brokers know the end of.
    public func abandon(_ epoch: EpochToken) { forget() }

    private func forget() {
        // What is not delivered yet stays with the producer it was lent to.
        if records.isLent { records = KafkaRecordStore() } else { records.clear() }
    }

    public func close() throws(SinkError) {
        guard case .own(let producer) = output else { return }
        defer { producer.close() }
        try producer.flush(timeoutMs: flushTimeoutMs)
    }

    public var written: (files: Int, bytes: Int64)? { nil }
}
