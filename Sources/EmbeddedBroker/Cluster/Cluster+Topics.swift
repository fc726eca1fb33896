extension Cluster {
    /// Partitions a topic may have; Kafka has no bound, but each of ours is an open file.
    static let maxPartitions: Int32 = 10_000

    private func partitionFolder(_ topic: String, _ index: Int32) throws(StorageError) -> LogStorage {
        try storage.folder("topics").folder("\(topic)-\(index)")
    }

    /// Opens the topics of the journal and removes folders of topics that were being deleted.
    func openTopics(_ entries: [String: TopicEntry]) throws(StorageError) {
        let known = Set(entries.values.flatMap { entry in (0..<entry.partitions).map { "\(entry.name)-\($0)" } })
        let folder = try storage.folder("topics")
        for name in try folder.names() where !known.contains(name) { try folder.folder(name).removeAll() }
        for entry in entries.values {
            let overrides = Dictionary(
                entry.config.compactMap { item in item.value.map { (item.name, $0) } }, uniquingKeysWith: { $1 })
            let config: TopicConfig
            do {
                config = try TopicConfig(overrides)
            } catch {
                BrokerLog.warn("topic \(entry.name): \(error.message); its defaults are in force")
                config = TopicConfig()
            }
            let topic = ClusterTopic(name: entry.name, id: entry.id, config: config)
            for partition in try openPartitions(topic, upTo: entry.partitions) { topic.add(partition) }
            topics[entry.name] = topic
            topicNames[entry.id] = entry.name
        }
    }

    /// Opens what a topic lacks up to `count` partitions; they are not the topic's yet.
    private func openPartitions(_ topic: ClusterTopic, upTo count: Int32) throws(StorageError) -> [Partition] {
        var opened: [Partition] = []
        for index in Int32(topic.partitions.count)..<max(count, Int32(topic.partitions.count)) {
            let log = try PartitionLog(
                storage: partitionFolder(topic.name, index), gate: gate, config: topic.config,
                startOffset: logStarts[TopicPartition(topic.name, index)] ?? 0, nowMs: wallMs)
            opened.append(Partition(topic: topic.name, index: index, log: log))
        }
        return opened
    }

    /// The partition, if it exists.
    func partition(_ topic: String, _ index: Int32) -> Partition? { topics[topic]?.partition(index) }

    /// Checks a new topic as Kafka does; the configuration it would have.
    func checkNewTopic(
        _ name: String, partitions: Int32, config: [String: String]
    ) throws(BatchRefusal) -> TopicConfig {
        if let reason = TopicName.refusal(name) { throw BatchRefusal(code: .invalidTopicException, message: reason) }
        guard topics[name] == nil else {
            throw BatchRefusal(code: .topicAlreadyExists, message: "Topic '\(name)' already exists.")
        }
        // Kafka's metrics cannot tell these two characters apart.
        let folded = String(name.map { $0 == "." ? "_" : $0 })
        if let other = topics.keys.first(where: { String($0.map { $0 == "." ? "_" : $0 }) == folded }) {
            throw BatchRefusal(
                code: .invalidTopicException, message: "Topic '\(name)' collides with existing topic: \(other)")
        }
        guard (1...Self.maxPartitions).contains(partitions) else {
            throw BatchRefusal(
                code: .invalidPartitions,
                message: "\(partitions) partitions; between 1 and \(Self.maxPartitions) are possible")
        }
        return try TopicConfig(config)
    }

    /// Makes a topic. Durable before it returns.
    func createTopic(_ name: String, partitions: Int32, config: [String: String]) throws(BatchRefusal) -> ClusterTopic {
        let topic = ClusterTopic(
            name: name, id: random.uuid(),
            config: try checkNewTopic(name, partitions: partitions, config: config))
        try open(topic, partitions: partitions)
        topics[name] = topic
        topicNames[topic.id] = name
        return topic
    }

    /// Adds partitions to a topic. Durable before it returns.
    func grow(_ topic: ClusterTopic, to count: Int32) throws(BatchRefusal) { try open(topic, partitions: count) }

    private func open(_ topic: ClusterTopic, partitions: Int32) throws(BatchRefusal) {
        // A killed broker touches nothing any more.
        guard !isCrashed else { return }
        // The files first: a folder the journal does not know is removed at the next start, while a topic of the journal
        // whose files cannot be made would be there for ever.
        let opened: [Partition]
        do throws(StorageError) {
            try removeLeftovers(topic, upTo: partitions)
            opened = try openPartitions(topic, upTo: partitions)
        } catch {
            throw BatchRefusal(code: .kafkaStorageError, message: error.description)
        }
        let isRecorded = record(.topic) {
            $0.topic = topic.entry
            $0.topic.partitions = partitions
        }
        guard isRecorded else { throw .journalRefused }
        for partition in opened { topic.add(partition) }
    }

    /// Clears the folders of partitions to be made: of a deleted topic of this name, or of an attempt that failed.
    private func removeLeftovers(_ topic: ClusterTopic, upTo count: Int32) throws(StorageError) {
        let folder = try storage.folder("topics")
        for index in Int32(topic.partitions.count)..<max(count, Int32(topic.partitions.count))
        where folder.contains("\(topic.name)-\(index)") { try partitionFolder(topic.name, index).removeAll() }
    }

    /// Puts a topic's configuration in force. Durable before it returns.
    func configure(_ topic: ClusterTopic, _ config: TopicConfig) throws(BatchRefusal) {
        let isRecorded = record(.topic) {
            $0.topic = topic.entry
            $0.topic.config = config.entries
        }
        guard isRecorded else { throw .journalRefused }
        topic.configure(config)
    }

    /// Deletes a topic with its data and the offsets committed for it.
    func delete(_ topic: ClusterTopic) -> ErrorCode {
        guard record(.topicDeleted, { $0.name = topic.name }) else { return .kafkaStorageError }
        topics[topic.name] = nil
        topicNames[topic.id] = nil
        logStarts = logStarts.filter { $0.key.topic != topic.name }
        groups.forget(topic: topic.name)
        for partition in topic.partitions {
            partition.changed(bytes: 0)
            guard !isCrashed else { break }
            do {
                try partitionFolder(topic.name, partition.index).removeAll()
            } catch {
                // The next start removes folders the journal does not know.
                BrokerLog.warn("\(error)")
            }
        }
        return .none
    }

    /// The topic a client names, made now if that is allowed.
    func topic(_ name: String, creating: Bool) -> (topic: ClusterTopic?, error: ErrorCode) {
        if let topic = topics[name] { return (topic, .none) }
        guard TopicName.refusal(name) == nil else { return (nil, .invalidTopicException) }
        guard creating && configuration.createsTopics else { return (nil, .unknownTopicOrPartition) }
        do {
            return (
                try createTopic(name, partitions: Int32(clamping: configuration.defaultPartitions), config: [:]), .none
            )
        } catch {
            return (nil, error.code)
        }
    }
}

extension ClusterTopic {
    /// The topic as the journal has it.
    var entry: TopicEntry {
        TopicEntry(
            name: name, id: id, partitions: Int32(partitions.count),
            config: config.entries)
    }
}

extension TopicConfig {
    /// What was set, as the journal has it.
    fileprivate var entries: [ConfigValue] {
        overrides.sorted { $0.key < $1.key }.map { ConfigValue(name: $0.key, value: $0.value) }
    }
}

extension BatchRefusal {
    /// A change that could not be made durable was not made.
    fileprivate static let journalRefused = BatchRefusal(
        code: .kafkaStorageError, message: "the journal cannot be written; the broker's standard error says why")
}
