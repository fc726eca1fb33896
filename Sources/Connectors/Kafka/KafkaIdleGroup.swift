import CRdkafka
import StreamEngine

/// A job's group while no member is in it: what it has committed, what its topics hold, and the committing of other offsets.
/// Joins nothing; brokers refuse a commit while the group has members.
public struct KafkaIdleGroup {
    public let description: String
    private let client: KafkaClient
    private let group: String
    private let owners: KafkaTopicOwners

    /// A client that knows the group's name. Returns at once, also when no broker is in reach.
    public init(
        _ job: JobDefinition, log: @escaping @Sendable (KafkaLogLine) -> Void
    ) throws(SourceError) {
        var configuration = try KafkaConfiguration(.consumer, job.kafka)
        configuration.set("group.id", job.group)
        owners = try KafkaTopicOwners(
            job.sources.filter { !$0.isBroadcast }.map { KafkaSubscription($0) },
            excluding: Set(KafkaSources.writtenTopics(job)))
        client = try KafkaClient(configuration, log: log)
        group = job.group
        description = "kafka \(client.brokers) group \(job.group)"
    }

    /// Every partition of the job's sources.
    public func partitions(timeoutMs: Int) throws(SourceError) -> Set<PartitionID> {
        try owners.partitions(handle: client.handle, timeoutMs: timeoutMs)
    }

    /// How many members the group has. A static one that has gone counts until its session ends.
    public func memberCount(timeoutMs: Int) throws(SourceError) -> Int {
        try KafkaGroupMembers(handle: client.handle).count(of: group, timeoutMs: timeoutMs)
    }

    /// What the group has committed; a partition missing from the answer has nothing.
    public func committed(
        _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: CommittedOffset] {
        try KafkaOffsets(handle: client.handle).committed(partitions, timeoutMs: timeoutMs)
    }

    /// The first offset of each partition that is there.
    public func firstOffsets(_ partitions: [PartitionID], timeoutMs: Int) throws(SourceError) -> [PartitionID: Int64] {
        try KafkaOffsets(handle: client.handle).resolve(.earliest, partitions, timeoutMs: timeoutMs)
    }

    /// The first offset of each partition whose record is of this time or later, by the records' Kafka times; the next one to
    /// be written where there is none.
    public func offsets(
        at timestampMs: Int64, _ partitions: [PartitionID], timeoutMs: Int
    ) throws(SourceError) -> [PartitionID: Int64] {
        try KafkaOffsets(handle: client.handle).resolve(.time(ms: timestampMs), partitions, timeoutMs: timeoutMs)
    }

    /// Commits for the group, in one request, and waits for the answer.
    public func commit(_ offsets: [PartitionID: CommittedOffset], timeoutMs: Int) throws(SourceError) {
        guard !offsets.isEmpty else { return }
        let list = KafkaPartitionList(capacity: offsets.count)
        for (id, committed) in offsets {
            list.add(id.topic, id.partition, offset: committed.offset, metadata: committed.metadata)
        }
        try KafkaGroupCommit.commit(list, of: group, handle: client.handle, timeoutMs: timeoutMs)
    }
}
