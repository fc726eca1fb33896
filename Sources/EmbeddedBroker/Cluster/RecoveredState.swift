/// The cluster's state as the journal tells it.
struct RecoveredState {
    private(set) var clusterId = Uuid.zero
    private(set) var nextProducerId: Int64 = 0
    private(set) var topics: [String: TopicEntry] = [:]
    private(set) var logStarts: [TopicPartition: Int64] = [:]
    private(set) var transactions: [String: TransactionState] = [:]
    private(set) var groups: [String: GroupEntry] = [:]
    /// Committed offsets, by group.
    private(set) var offsets: [String: [TopicPartition: CommittedOffset]] = [:]
    /// Offsets of undecided transactions, by group and producer.
    private(set) var pending: [String: [Int64: [TopicPartition: CommittedOffset]]] = [:]

    /// Takes in the next entry.
    mutating func apply(_ entry: JournalEntry) {
        guard let kind = JournalEntry.Kind(rawValue: entry.kind) else { return }
        switch kind {
        case .identity: clusterId = entry.clusterId
        case .producerIds: nextProducerId = entry.producerId
        case .topic: topics[entry.topic.name] = entry.topic
        case .topicDeleted:
            topics[entry.name] = nil
            logStarts = logStarts.filter { $0.key.topic != entry.name }
            for group in offsets.keys {
                offsets[group] = offsets[group]?.filter { $0.key.topic != entry.name }
            }
        case .logStart: logStarts[entry.logStart.partition] = entry.logStart.offset
        case .transaction: transactions[entry.transaction.transactionalId] = entry.transaction
        case .group: groups[entry.group.groupId] = entry.group
        case .groupDeleted:
            groups[entry.name] = nil
            offsets[entry.name] = nil
        case .offsets: merge(entry.offsets)
        case .pendingOffsets:
            var ofGroup = pending[entry.offsets.groupId] ?? [:]
            var ofProducer = ofGroup[entry.offsets.producerId] ?? [:]
            for item in entry.offsets.items { ofProducer[item.partition] = item.offset }
            ofGroup[entry.offsets.producerId] = ofProducer
            pending[entry.offsets.groupId] = ofGroup
        case .pendingDecided:
            // On commit the entry carries the offsets that came into force.
            merge(entry.offsets)
            pending[entry.offsets.groupId]?[entry.offsets.producerId] = nil
        }
    }

    private mutating func merge(_ entry: OffsetsEntry) {
        var ofGroup = offsets[entry.groupId] ?? [:]
        for item in entry.items {
            // An offset below zero takes the commit away.
            ofGroup[item.partition] = item.offset.offset < 0 ? nil : item.offset
        }
        offsets[entry.groupId] = ofGroup
    }
}
