/// The groups, their offsets, and what expires.
final class GroupCoordinator {
    private unowned let cluster: Cluster
    private(set) var groups: [String: Group] = [:]

    init(_ cluster: Cluster) { self.cluster = cluster }

    /// The group with this id.
    func group(_ id: String) -> Group? { groups[id] }

    /// The group with this id, made now if need be.
    func groupMade(_ id: String) -> Group {
        if let group = groups[id] { return group }
        let group = Group(id, cluster)
        groups[id] = group
        return group
    }

    // MARK: Offsets

    /// Whether a member may commit, as Kafka's `ClassicGroup.validateOffsetCommit`.
    func checkCommit(
        _ groupId: String, generation: Int32, memberId: String, instance: String?, isTransactional: Bool
    ) throws(GroupRefusal) {
        guard let group = groups[groupId] else {
            // Who names a generation of a group nobody knows is late; without one the group only stores offsets.
            guard generation < 0 else { throw GroupRefusal(.illegalGeneration) }
            return
        }
        if generation < 0 && group.state == .empty { return }
        if generation >= 0 || !memberId.isEmpty || instance != nil {
            let member = try group.find(memberId, instance: instance)
            guard generation == group.generation else { throw GroupRefusal(.illegalGeneration) }
            group.touch(member)
        } else if !isTransactional {
            throw GroupRefusal(.unknownMemberId)
        }
        if !isTransactional && group.state == .completingRebalance { throw GroupRefusal(.rebalanceInProgress) }
    }

    /// Commits offsets; durable before it returns true.
    func commit(_ groupId: String, _ items: [OffsetItem]) -> Bool {
        guard !items.isEmpty else { return true }
        guard cluster.record(.offsets, { $0.offsets = OffsetsEntry(groupId: groupId, items: items) }) else {
            return false
        }
        let group = groupMade(groupId)
        group.put(items)
        return true
    }

    /// Holds offsets until their producer's transaction is decided; durable before it returns true.
    func commitPending(_ groupId: String, producerId: Int64, _ items: [OffsetItem]) -> Bool {
        let entry = OffsetsEntry(groupId: groupId, producerId: producerId, items: items)
        guard cluster.record(.pendingOffsets, { $0.offsets = entry }) else { return false }
        let group = groupMade(groupId)
        for item in items { group.pendingOffsets[producerId, default: [:]][item.partition] = item.offset }
        return true
    }

    /// Ends a transaction's hold on the group's offsets; durable before it returns true.
    func decide(_ groupId: String, producerId: Int64, commits: Bool) -> Bool {
        let group = groupMade(groupId)
        let pending = group.pendingOffsets[producerId] ?? [:]
        var items: [OffsetItem] = []
        if commits {
            items = pending.map { OffsetItem(partition: $0.key, offset: $0.value) }
            items.sort { ($0.partition.topic, $0.partition.partition) < ($1.partition.topic, $1.partition.partition) }
        }
        let entry = OffsetsEntry(groupId: groupId, producerId: producerId, items: items)
        guard cluster.record(.pendingDecided, { $0.offsets = entry }) else { return false }
        group.pendingOffsets[producerId] = nil
        group.put(items)
        return true
    }

    /// Takes committed offsets away; durable before it returns true.
    func removeOffsets(_ group: Group, _ partitions: [TopicPartition]) -> Bool {
        let items = partitions.map { OffsetItem(partition: $0) }
        guard cluster.record(.offsets, { $0.offsets = OffsetsEntry(groupId: group.id, items: items) }) else {
            return false
        }
        group.put(items)
        return true
    }

    /// Removes a group; durable before it returns.
    func delete(_ groupId: String) -> ErrorCode {
        guard let group = groups[groupId] else { return .groupIdNotFound }
        guard group.state == .empty, group.pendingMembers.isEmpty else { return .nonEmptyGroup }
        guard cluster.record(.groupDeleted, { $0.name = groupId }) else { return .kafkaStorageError }
        groups[groupId] = nil
        return .none
    }

    /// A topic is gone, and with it (the journal's entry for the topic says so) its offsets.
    func forget(topic: String) {
        for group in groups.values {
            group.offsets = group.offsets.filter { $0.key.topic != topic }
            for producer in group.pendingOffsets.keys {
                group.pendingOffsets[producer] = group.pendingOffsets[producer]?.filter { $0.key.topic != topic }
            }
        }
    }

    /// Forgets offsets of groups that have been empty for the retention time, and groups with nothing left.
    func expireOffsets(nowMs: Int64) {
        let oldest = nowMs - cluster.configuration.offsetsRetentionMs
        for group in groups.values where group.state == .empty && group.pendingMembers.isEmpty {
            let expired = group.offsets.filter { max($0.value.commitMs, group.emptySinceMs) < oldest }
                .map(\.key).filter { partition in
                    !group.pendingOffsets.values.contains { $0[partition] != nil }
                }
            guard !expired.isEmpty else { continue }
            guard removeOffsets(group, expired) else { continue }
            if group.offsets.isEmpty && group.pendingOffsets.allSatisfy({ $0.value.isEmpty }) {
                _ = delete(group.id)
            }
        }
    }

    // MARK: Recovery

    /// Takes over what the journal holds. Members have their whole session timeout to be heard of again.
    func restore(_ state: RecoveredState) {
        for entry in state.groups.values {
            let group = groupMade(entry.groupId)
            group.generation = entry.generation
            group.protocolType = entry.protocolType
            group.protocolName = entry.protocolName
            group.leader = entry.leader
            group.emptySinceMs = entry.emptySinceMs
            group.state = entry.members.isEmpty ? .empty : .stable
            for member in entry.members.map(GroupMember.init) {
                member.hasSynced = true
                group.members.append(member)
                group.touch(member)
                group.watch(member)
            }
        }
        for (groupId, offsets) in state.offsets where !offsets.isEmpty { groupMade(groupId).offsets = offsets }
        for (groupId, pending) in state.pending where !pending.isEmpty {
            groupMade(groupId).pendingOffsets = pending
        }
    }

    /// Adds the journal entries that make up the present state. A group amid a rebalance is described with its members.
    func snapshot(_ add: (JournalEntry.Kind, (inout JournalEntry) -> Void) -> Void) {
        for group in groups.values {
            add(.group) { $0.group = group.entry }
            func entry(_ producerId: Int64, _ offsets: [TopicPartition: CommittedOffset]) -> OffsetsEntry {
                OffsetsEntry(
                    groupId: group.id, producerId: producerId,
                    items: offsets.map { OffsetItem(partition: $0.key, offset: $0.value) })
            }
            if !group.offsets.isEmpty { add(.offsets) { $0.offsets = entry(-1, group.offsets) } }
            for (producerId, offsets) in group.pendingOffsets {
                add(.pendingOffsets) { $0.offsets = entry(producerId, offsets) }
            }
        }
    }
}
