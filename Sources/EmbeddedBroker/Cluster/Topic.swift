/// A topic and its partitions.
final class ClusterTopic {
    let name: String
    let id: Uuid
    private(set) var config: TopicConfig
    private(set) var partitions: [Partition] = []

    init(name: String, id: Uuid, config: TopicConfig) {
        self.name = name
        self.id = id
        self.config = config
    }

    /// Puts another configuration in force at once.
    func configure(_ config: TopicConfig) {
        self.config = config
        for partition in partitions { partition.log.config = config }
    }

    /// Adds the next partition.
    func add(_ partition: Partition) { partitions.append(partition) }

    /// The partition with this number.
    func partition(_ index: Int32) -> Partition? {
        index >= 0 && index < partitions.count ? partitions[Int(index)] : nil
    }

    /// Whether it is one of Kafka's own.
    var isInternal: Bool { name == "__consumer_offsets" || name == "__transaction_state" }
}

/// A partition: its log and the Fetch requests that wait for it.
final class Partition {
    let topic: String
    let index: Int32
    let log: PartitionLog
    private var waiters: [PendingFetch] = []
    /// Set by a fault: nothing is stored or read until it is thawed.
    var isFrozen = false

    init(topic: String, index: Int32, log: PartitionLog) {
        self.topic = topic
        self.index = index
        self.log = log
    }

    /// Asks that `fetch` be looked at after each change.
    func wait(_ fetch: PendingFetch) { waiters.append(fetch) }

    /// Drops the fetches that have been answered.
    func forgetAnswered() { waiters.removeAll { $0.isAnswered } }

    /// Tells the waiting fetches that `bytes` more can be read, or that something else has changed.
    func changed(bytes: Int) {
        guard !waiters.isEmpty else { return }
        let waiting = waiters
        for fetch in waiting { fetch.partitionChanged(bytes: bytes) }
        waiters.removeAll { $0.isAnswered }
    }
}

/// A partition by name.
struct TopicPartition: Hashable, WireStruct, Sendable {
    var topic = ""
    var partition: Int32 = 0

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&topic)
        try c.field(&partition)
    }
}

extension TopicPartition {
    /// Partition `partition` of `topic`.
    init(_ topic: String, _ partition: Int32) {
        self.init()
        self.topic = topic
        self.partition = partition
    }
}
