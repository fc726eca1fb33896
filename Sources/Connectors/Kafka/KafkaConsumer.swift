import CRdkafka
import Glibc
import Platform
import StreamEngine

/// Membership of a consumer group.
public struct KafkaGroup: Sendable {
    public let id: String
    /// For static membership (KIP-345); nil: dynamic.
    public let instanceID: String?

    /// A group, and this member's static name in it.
    public init(id: String, instanceID: String? = nil) {
        self.id = id
        self.instanceID = instanceID
    }
}

/// The job's one consumer: a member of its group, reading the topics of all its (not broadcast) sources.
///
/// Rebalances are served by `poll`, on the thread that commits: that is what makes fencing sound (DESIGN §3). Each
/// partition is read from a queue of its own (`KafkaPartitionReader`).
public final class KafkaConsumer: LiveSource {
    public let description: String
    private let client: KafkaClient
    private let connection: KafkaConnection
    private let group: KafkaGroup
    private let owners: KafkaTopicOwners
    private let offsets: KafkaOffsets
    private let events: OpaquePointer
    private let wakeup: KafkaWakeup
    private let reachability = KafkaReachability()
    private let waker: KafkaFetchWaker
    private var readers: [PartitionID: KafkaPartitionReader] = [:]
    /// Assigned by the group, not started yet.
    private var waiting: Set<PartitionID> = []
    private var isClosed = false

    /// Joins the group. `excludedTopics` are those the job writes: patterns never match them. Returns at once, also
    /// when no broker is in reach; what happens comes as events.
    public init(
        _ connection: KafkaConnection, group: KafkaGroup, subscriptions: [KafkaSubscription],
        excludedTopics: [String] = [], log: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws(SourceError) {
        wakeup = try KafkaWakeup()
        var configuration = try KafkaConfiguration(.consumer, connection)
        configuration.set("group.id", group.id)
        if let instance = group.instanceID { configuration.set("group.instance.id", instance) }
        if !excludedTopics.isEmpty {
            // In a topic's name only the dot has a meaning in a regular expression.
            let patterns = excludedTopics.map { name in
                "^" + name.map { $0 == "." ? "\\." : String($0) }.joined() + "$"
            }
            configuration.set("topic.blacklist", patterns.joined(separator: ","))
        }
        owners = try KafkaTopicOwners(subscriptions, excluding: Set(excludedTopics))
        client = try KafkaClient(configuration, log: log)
        self.connection = connection
        self.group = group
        description = "kafka \(client.brokers) group \(group.id)"
        offsets = KafkaOffsets(handle: client.handle)
        rd_kafka_poll_set_consumer(client.handle)
        guard let events = rd_kafka_queue_get_consumer(client.handle) else {
            throw SourceError(.fatal, "librdkafka gives no consumer queue")
        }
        self.events = events
        wakeup.watch(events)
        waker = try KafkaFetchWaker(client)
        try subscribe(subscriptions)
    }

    deinit { close() }

    private func subscribe(_ subscriptions: [KafkaSubscription]) throws(SourceError) {
        let list = KafkaPartitionList()
        var seen: Set<String> = []
        for subscription in subscriptions {
            switch subscription.topics {
            case .topics(let names):
                for name in names where seen.insert(name).inserted {
                    _ = try owners.owner(of: name)
                    list.add(name, -1)
                }
            case .pattern(let pattern):
                if seen.insert(pattern).inserted { list.add(pattern, -1) }
            }
        }
        let code = list.lend { rd_kafka_subscribe(client.handle, $0) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaErrors.error(code, "subscribing to \(seen.sorted().joined(separator: ", "))")
        }
    }

    public func poll(untilNs deadlineNs: Int64) -> [SourceEvent] {
        var found = takeEvents()
        if found.isEmpty {
            wakeup.wait(untilNs: deadlineNs)
            found = takeEvents()
        }
        return found
    }

    private func takeEvents() -> [SourceEvent] {
        var found: [SourceEvent] = []
        while !isClosed, let event = rd_kafka_queue_poll(events, 0) {
            defer { rd_kafka_event_destroy(event) }
            switch rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_REBALANCE: found += takeRebalance(event)
            case RD_KAFKA_EVENT_OFFSET_COMMIT: found += takeCommitResult(event)
            default: found += client.meaning(of: event)
            }
        }
        reachability.isReachable = client.isReachable
        return found
    }

    private func takeRebalance(_ event: OpaquePointer) -> [SourceEvent] {
        let code = rd_kafka_event_error(event)
        let entries = rd_kafka_event_topic_partition_list(event).map { KafkaPartitionList.entries(of: $0) } ?? []
        var partitions: [PartitionID] = []
        for entry in entries {
            do throws(SourceError) {
                let owner = try owners.owner(of: entry.topic)
                partitions.append(PartitionID(source: owner.source, topic: entry.topic, partition: entry.partition))
            } catch {
                return [.failed(error)]
            }
        }
        partitions.sort()
        client.forgetWarnings()
        switch code {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
            waiting.formUnion(partitions)
            guard partitions.isEmpty else { return [.assigned(partitions)] }
            // A member beside a full house: the group waits for it to say that it takes nothing.
            do throws(SourceError) { try assign([:]) } catch { return [.failed(error)] }
            return [.assigned([])]
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            let isLost = rd_kafka_assignment_lost(client.handle) != 0
            return [isLost ? .lost(partitions) : .revoked(partitions)]
        default:
            return [.failed(KafkaErrors.error(code, "rebalance of group \(group.id)"))]
        }
    }

    private func takeCommitResult(_ event: OpaquePointer) -> [SourceEvent] {
        let code = rd_kafka_event_error(event)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR, code != RD_KAFKA_RESP_ERR__NO_OFFSET else { return [] }
        return [.failed(KafkaErrors.error(code, "committing offsets of group \(group.id)"))]
    }

    private var isCooperative: Bool {
        rd_kafka_rebalance_protocol(client.handle).map { String(cString: $0) } == "COOPERATIVE"
    }

    public func committed(
        _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: CommittedOffset] {
        try offsets.committed(partitions, timeoutMs: timeoutMs)
    }

    public func startingOffsets(
        _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: Int64] {
        try owners.startingOffsets(partitions, offsets, timeoutMs: timeoutMs)
    }

    public func start(_ offsets: [PartitionID: Int64]) throws(SourceError) -> [any PartitionReader] {
        for id in offsets.keys where !waiting.contains(id) {
            throw SourceError(.fenced, "\(id) is not assigned to this member (any more)", partition: id)
        }
        try check(offsets)
        var started: [KafkaPartitionReader] = []
        for (id, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            guard let queue = rd_kafka_queue_get_partition(client.handle, id.topic, id.partition) else {
                throw SourceError(.other, "librdkafka gives no queue for \(id)", partition: id)
            }
            rd_kafka_queue_forward(queue, nil)
            wakeup.watch(queue)
            started.append(
                KafkaPartitionReader(
                    id: id, queue: queue, nextOffset: offset, endOffset: nil, offsets: self.offsets,
                    reachability: reachability, waker: waker))
        }
        try assign(offsets)
        waiting.subtract(offsets.keys)
        for reader in started { readers[reader.id] = reader }
        return started
    }

    /// Fails where the log does not hold these offsets. A broker that does not answer is left to the fetching, which will
    /// find the same.
    private func check(_ starts: [PartitionID: Int64]) throws(SourceError) {
        let ids = starts.keys.sorted()
        let bounds: [PartitionID: (low: Int64, high: Int64)]
        do throws(SourceError) {
            bounds = try offsets.bounds(of: ids, timeoutMs: 3000)
        } catch {
            guard error.isRetriable else { throw error }
            return
        }
        for id in ids {
            guard let offset = starts[id], let (low, high) = bounds[id] else { continue }
            do throws(SourceError) {
                // Beyond the end of what is committed: of an open transaction, or beyond the end of the log.
                let high = offset > high ? try endOfLog(id) : high
                guard (low...max(low, high)).contains(offset) else {
                    throw KafkaOffsets.loss(of: id, at: offset, low: low, high: high)
                }
            } catch {
                guard error.isRetriable else { throw error }
                return
            }
        }
    }

    /// The offset of the next record to be written, transactions or not. A question for a client of its own, as this one
    /// is told of committed transactions only.
    private func endOfLog(_ id: PartitionID) throws(SourceError) -> Int64 {
        var configuration = try KafkaConfiguration(.consumer, connection)
        configuration.set("isolation.level", "read_uncommitted")
        let other = try KafkaClient(configuration) { _ in }
        return try KafkaOffsets(handle: other.handle).bounds(of: id, timeoutMs: 5000).high
    }

    private func assign(_ offsets: [PartitionID: Int64]) throws(SourceError) {
        let list = KafkaPartitionList(capacity: offsets.count)
        for (id, offset) in offsets { list.add(id.topic, id.partition, offset: offset) }
        if isCooperative {
            try check(list.lend { rd_kafka_incremental_assign(client.handle, $0) }, "taking over partitions")
        } else {
            let code = list.lend { rd_kafka_assign(client.handle, $0) }
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaErrors.error(code, "taking over partitions") }
        }
    }

    private func check(_ error: OpaquePointer?, _ what: String) throws(SourceError) {
        guard let error else { return }
        defer { rd_kafka_error_destroy(error) }
        throw KafkaErrors.error(
            rd_kafka_error_code(error), what, detail: String(cString: rd_kafka_error_string(error)))
    }

    public func seek(_ partition: PartitionID, to offset: Int64) throws(SourceError) {
        guard let reader = readers[partition] else {
            throw SourceError(.fenced, "\(partition) is not read by this member (any more)", partition: partition)
        }
        do throws(SourceError) {
            // librdkafka's own threads answer: only a machine that hardly gets to run them takes long.
            try offsets.seek(partition, to: offset, timeoutMs: 60_000)
        } catch {
            // librdkafka stops a partition whose offset was out of range, and can seek in started ones only.
            guard error.kind == .other else { throw error }
            try restart(partition, at: offset)
        }
        reader.moved(to: offset)
    }

    private func restart(_ partition: PartitionID, at offset: Int64) throws(SourceError) {
        if isCooperative {
            try check(
                KafkaPartitionList([partition]).lend { rd_kafka_incremental_unassign(client.handle, $0) },
                "giving \(partition) back")
            try assign([partition: offset])
        } else {
            // The eager protocol knows whole assignments only: the others go on where their readers are.
            try assign(readers.mapValues { $0.id == partition ? offset : $0.nextOffset })
        }
    }

    public func release(_ partitions: [PartitionID]) throws(SourceError) {
        for id in partitions {
            waiting.remove(id)
            readers.removeValue(forKey: id)?.close()
        }
        if isCooperative {
            try check(
                KafkaPartitionList(partitions).lend { rd_kafka_incremental_unassign(client.handle, $0) },
                "giving partitions back")
        } else {
            // The eager protocol takes everything at once.
            let code = rd_kafka_assign(client.handle, nil)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaErrors.error(code, "giving partitions back") }
        }
    }

    public func commit(_ offsets: [PartitionID: CommittedOffset], wait: Bool) throws(SourceError) {
        guard !offsets.isEmpty else { return }
        let list = KafkaPartitionList(capacity: offsets.count)
        for (id, committed) in offsets {
            list.add(id.topic, id.partition, offset: committed.offset, metadata: committed.metadata)
        }
        let what = "committing offsets of group \(group.id)"
        guard wait else {
            let code = list.lend { rd_kafka_commit_queue(client.handle, $0, events, nil, nil) }
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaErrors.error(code, what) }
            return
        }
        let code = list.lend { rd_kafka_commit(client.handle, $0, 0) }
        for entry in list.entries where entry.error != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw KafkaErrors.error(entry.error, "\(what): \(entry.topic)/\(entry.partition)@\(entry.offset)")
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaErrors.error(code, what) }
    }

    public func firstOffsets(
        _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: Int64] {
        try offsets.resolve(.earliest, partitions, timeoutMs: timeoutMs)
    }

    public func partitions(timeoutMs: Int) throws(SourceError) -> Set<PartitionID> {
        try owners.partitions(handle: client.handle, timeoutMs: timeoutMs)
    }

    public func memberCount(timeoutMs: Int) throws(SourceError) -> Int? {
        try KafkaGroupMembers(handle: client.handle).count(of: group.id, timeoutMs: timeoutMs)
    }

    public func bounds(of partition: PartitionID) -> (low: Int64, high: Int64)? { offsets.knownBounds(of: partition) }

    /// The group's name, and this member's static name in it.
    var groupID: String { group.id }
    var instanceID: String? { group.instanceID }

    /// Whether the group has gone on without this member, which the next `poll` will tell as `lost`.
    var isAssignmentLost: Bool { rd_kafka_assignment_lost(client.handle) != 0 }

    /// Commits offsets and waits for the answer, at most `timeoutMs`.
    func commit(_ offsets: [PartitionID: CommittedOffset], timeoutMs: Int) throws(SourceError) {
        guard !offsets.isEmpty else { return }
        let list = KafkaPartitionList(capacity: offsets.count)
        for (id, committed) in offsets {
            list.add(id.topic, id.partition, offset: committed.offset, metadata: committed.metadata)
        }
        try KafkaGroupCommit.commit(list, of: group.id, handle: client.handle, timeoutMs: timeoutMs)
    }

    /// This member's id in the group, once it has joined.
    public var memberID: String? {
        guard let text = rd_kafka_memberid(client.handle) else { return nil }
        defer { rd_kafka_mem_free(client.handle, text) }
        let id = String(cString: text)
        return id.isEmpty ? nil : id
    }

    /// The group's metadata for offsets sent within a transaction (KIP-447).
    func groupMetadata() throws(SourceError) -> KafkaGroupMetadata {
        guard let pointer = rd_kafka_consumer_group_metadata(client.handle) else {
            throw SourceError(.other, "librdkafka gives no group metadata")
        }
        return KafkaGroupMetadata(pointer)
    }

    public func close() {
        guard !isClosed else { return }
        isClosed = true
        for reader in readers.values { reader.close() }
        readers.removeAll()
        waker.stop()
        KafkaWakeup.ignore(events)
        rd_kafka_consumer_close(client.handle)
        rd_kafka_queue_destroy(events)
    }
}

/// Owns an `rd_kafka_consumer_group_metadata_t`: group, generation and member as of one moment.
final class KafkaGroupMetadata {
    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { rd_kafka_consumer_group_metadata_destroy(pointer) }

    /// librdkafka's own form of it: equal for equal identities.
    func bytes() throws(SourceError) -> [UInt8] {
        var buffer: UnsafeMutableRawPointer?
        var size = 0
        if let error = rd_kafka_consumer_group_metadata_write(pointer, &buffer, &size) {
            defer { rd_kafka_error_destroy(error) }
            throw SourceError(.other, "group metadata: \(String(cString: rd_kafka_error_string(error)))")
        }
        defer { free(buffer) }
        return Array(UnsafeRawBufferPointer(start: buffer, count: size))
    }

    /// Lends it to librdkafka for the length of a call.
    func lend<R>(_ body: (OpaquePointer) -> R) -> R { withExtendedLifetime(self) { body(pointer) } }
}
