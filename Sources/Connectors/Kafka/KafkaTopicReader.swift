import CRdkafka
import Platform
import StreamEngine

/// Where the reading of a topic without a group ends.
public enum KafkaReadingEnd: Sendable, Equatable {
    /// Never: new records and new partitions are waited for.
    case never
    /// At what is there when a partition is started.
    case present
    /// Before the first record whose timestamp is this or later (ms); at what is there where there is none.
    case time(Int64)
}

/// Reads whole topics outside any group: for `replay` of topics, broadcast sources, and `delivery: none`. Nothing is
/// joined and nothing committed; read-only rights on the topics are enough.
public final class KafkaTopicReader: LiveSource {
    public let description: String
    private let client: KafkaClient
    private let subscriptions: [KafkaSubscription]
    private let owners: KafkaTopicOwners
    private let end: KafkaReadingEnd
    private let offsets: KafkaOffsets
    private let events: OpaquePointer
    private let wakeup: KafkaWakeup
    private let reachability = KafkaReachability()
    private let waker: KafkaFetchWaker
    private let clock: any Clock
    private var topics: [String: OpaquePointer] = [:]
    private var readers: [PartitionID: KafkaPartitionReader] = [:]
    private var known: Set<PartitionID> = []
    private var missing: Set<String> = []
    /// When topics are looked for next (monotonic).
    private var nextLookNs: Int64 = 0
    private var isClosed = false

    /// How often new topics of a pattern and new partitions are looked for.
    private static let lookIntervalNs: Int64 = 10_000_000_000
    private static let lookTimeoutMs = 2000

    /// A reader of the sources' topics. Returns at once; partitions come as `assigned` events of `poll`. Where an `end`
    /// is set, they come in one event, and a topic that does not exist is a failure.
    public init(
        _ connection: KafkaConnection, subscriptions: [KafkaSubscription], end: KafkaReadingEnd,
        excludedTopics: [String] = [], clock: any Clock = SystemClock(),
        log: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws(SourceError) {
        wakeup = try KafkaWakeup()
        owners = try KafkaTopicOwners(subscriptions, excluding: Set(excludedTopics))
        client = try KafkaClient(try KafkaConfiguration(.consumer, connection), log: log)
        self.subscriptions = subscriptions
        self.end = end
        self.clock = clock
        description = "kafka \(client.brokers)"
        offsets = KafkaOffsets(handle: client.handle)
        guard let events = rd_kafka_queue_get_main(client.handle) else {
            throw SourceError(.fatal, "librdkafka gives no main queue")
        }
        self.events = events
        wakeup.watch(events)
        waker = try KafkaFetchWaker(client)
    }

    deinit { close() }

    public func poll(untilNs deadlineNs: Int64) -> [SourceEvent] {
        var found = takeEvents() + look()
        if found.isEmpty {
            wakeup.wait(untilNs: min(deadlineNs, max(nextLookNs, clock.monotonicNs())))
            found = takeEvents()
        }
        return found
    }

    private func takeEvents() -> [SourceEvent] {
        var found: [SourceEvent] = []
        while !isClosed, let event = rd_kafka_queue_poll(events, 0) {
            found += client.meaning(of: event)
            rd_kafka_event_destroy(event)
        }
        reachability.isReachable = client.isReachable
        return found
    }

    /// Looks for partitions, when it is time to.
    private func look() -> [SourceEvent] {
        guard !isClosed, clock.monotonicNs() >= nextLookNs else { return [] }
        do throws(SourceError) {
            let found = try partitions()
            nextLookNs = end == .never ? clock.monotonicNs() + Self.lookIntervalNs : Int64.max
            known.formUnion(found.new)
            return found.warnings + (found.new.isEmpty ? [] : [.assigned(found.new)])
        } catch {
            // Brokers out of reach are told of by the client's own events; it is asked again soon.
            nextLookNs = clock.monotonicNs() + 200_000_000
            return error.isRetriable ? [] : [.failed(error)]
        }
    }

    private func partitions() throws(SourceError) -> (new: [PartitionID], warnings: [SourceEvent]) {
        let counts = try KafkaTopics(handle: client.handle).partitionCounts(timeoutMs: Self.lookTimeoutMs)
        var new: [PartitionID] = []
        var warnings: [SourceEvent] = []
        for subscription in subscriptions {
            if case .topics(let names) = subscription.topics {
                for name in names where counts[name] == nil && missing.insert(name).inserted {
                    let text = "topic \(name) does not exist on \(client.brokers), or may not be seen"
                    guard end == .never else {
                        throw SourceError(.unknownTopic, "\(text); mend its name in source \(subscription.source)")
                    }
                    warnings.append(.warning("\(text); waiting for it"))
                }
            }
            for (topic, count) in counts where owners.covers(subscription, topic) {
                missing.remove(topic)
                let source = try owners.owner(of: topic).source
                for number in 0..<count {
                    let id = PartitionID(source: source, topic: topic, partition: number)
                    if !known.contains(id) { new.append(id) }
                }
            }
        }
        if end != .never, new.isEmpty, known.isEmpty {
            throw SourceError(.unknownTopic, "no topic on \(client.brokers) matches the job's sources")
        }
        return (new.sorted(), warnings)
    }

    public func committed(
        _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: CommittedOffset] { [:] }

    public func startingOffsets(
        _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: Int64] {
        try owners.startingOffsets(partitions, offsets, timeoutMs: timeoutMs)
    }

    /// Offsets of the first records at or after a time, for `replay --from`; partitions without one are left out.
    public func offsets(
        at timestampMs: Int64, of partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: Int64] {
        try offsets.offsets(at: timestampMs, partitions, timeoutMs: timeoutMs)
    }

    public func start(_ starts: [PartitionID: Int64]) throws(SourceError) -> [any PartitionReader] {
        try start(starts, before: [:])
    }

    /// As `start`; no partition is read beyond its limit.
    func start(
        _ starts: [PartitionID: Int64], before limits: [PartitionID: Int64]
    ) throws(SourceError) -> [any PartitionReader] {
        let ids = starts.keys.sorted()
        let ends = try endOffsets(ids).merging(limits) { min($0, $1) }
        var started: [any PartitionReader] = []
        for id in ids {
            guard let start = starts[id], let queue = rd_kafka_queue_new(client.handle) else { continue }
            wakeup.watch(queue)
            let reader = KafkaPartitionReader(
                id: id, queue: queue, nextOffset: start, endOffset: ends[id], offsets: offsets,
                reachability: reachability,
                waker: waker)
            readers[id] = reader
            started.append(reader)
            // Nothing to read between here and the end: a broker need not be asked.
            if let end = ends[id], start >= end { continue }
            try fetch(reader, from: start)
        }
        return started
    }

    private func endOffsets(_ ids: [PartitionID]) throws(SourceError) -> [PartitionID: Int64] {
        guard end != .never else { return [:] }
        var ends: [PartitionID: Int64] = [:]
        if case .time(let timestampMs) = end { ends = try offsets.offsets(at: timestampMs, ids, timeoutMs: 30_000) }
        for id in ids where ends[id] == nil { ends[id] = try offsets.bounds(of: id, timeoutMs: 30_000).high }
        return ends
    }

    private func fetch(_ reader: KafkaPartitionReader, from offset: Int64) throws(SourceError) {
        let id = reader.id
        guard let topic = topics[id.topic] ?? rd_kafka_topic_new(client.handle, id.topic, nil) else {
            throw KafkaErrors.error(rd_kafka_last_error(), "opening topic \(id.topic)")
        }
        topics[id.topic] = topic
        guard rd_kafka_consume_start_queue(topic, id.partition, offset, reader.queue) == 0 else {
            throw KafkaErrors.error(rd_kafka_last_error(), "beginning to read \(id)@\(offset)", partition: id)
        }
        reader.isFetching = true
    }

    public func seek(_ partition: PartitionID, to offset: Int64) throws(SourceError) {
        guard let reader = readers[partition] else {
            throw SourceError(.other, "\(partition) is not being read", partition: partition)
        }
        stop(reader)
        try fetch(reader, from: offset)
        reader.moved(to: offset)
    }

    private func stop(_ reader: KafkaPartitionReader) {
        guard reader.isFetching, let topic = topics[reader.id.topic] else { return }
        reader.isFetching = false
        rd_kafka_consume_stop(topic, reader.id.partition)
    }

    public func release(_ partitions: [PartitionID]) throws(SourceError) {
        for id in partitions {
            guard let reader = readers.removeValue(forKey: id) else { continue }
            stop(reader)
            reader.close()
        }
    }

    public func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) throws(SourceError) {
        throw SourceError(.configuration, "\(description) is read without a group: there is nothing to commit to")
    }

    public func firstOffsets(
        _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: Int64] {
        try offsets.resolve(.earliest, partitions, timeoutMs: timeoutMs)
    }

    public func partitions(timeoutMs: Int) throws(SourceError) -> Set<PartitionID> {
        try owners.partitions(handle: client.handle, timeoutMs: timeoutMs)
    }

    public func memberCount(timeoutMs: Int) throws(SourceError) -> Int? { nil }

    /// First offset and the next one to be written, asked of the broker.
    func offsetBounds(of id: PartitionID, timeoutMs: Int) throws(SourceError) -> (low: Int64, high: Int64) {
        try offsets.bounds(of: id, timeoutMs: timeoutMs)
    }

    public func bounds(of partition: PartitionID) -> (low: Int64, high: Int64)? { offsets.knownBounds(of: partition) }

    public func close() {
        guard !isClosed else { return }
        isClosed = true
        for reader in readers.values {
            stop(reader)
            reader.close()
        }
        readers.removeAll()
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
        topics.removeAll()
        waker.stop()
        KafkaWakeup.ignore(events)
        rd_kafka_queue_destroy(events)
    }
}
