/// A member of a group.
final class GroupMember {
    var entry: MemberEntry
    var joining: Reply<JoinGroupRequest>?
    var syncing: Reply<SyncGroupRequest>?
    /// Whether it has sent SyncGroup in this generation.
    var hasSynced = false
    /// When its session ends unless it is heard of, monotonic milliseconds.
    var sessionEndsMs: Int64 = 0

    init(_ entry: MemberEntry) { self.entry = entry }
}

/// A consumer group of the classic protocol: empty → preparing → completing → stable, as Kafka's `ClassicGroup`.
final class Group {
    /// Where the group stands; the names DescribeGroups gives.
    enum State: String {
        case empty = "Empty"
        case preparingRebalance = "PreparingRebalance"
        case completingRebalance = "CompletingRebalance"
        case stable = "Stable"
    }

    let id: String
    unowned let cluster: Cluster
    var state = State.empty
    var generation: Int32 = 0
    var protocolType: String?
    var protocolName: String?
    var leader: String?
    var emptySinceMs: Int64 = -1
    /// In order of joining.
    var members: [GroupMember] = []
    /// Ids given out with MEMBER_ID_REQUIRED and not yet used, with the end of their wait.
    var pendingMembers: [String: Timers.Timer] = [:]
    var rebalanceTimer: Timers.Timer?
    /// Whether the delay before a first rebalance is running, so that joins do not end it.
    var isGathering = false
    /// Committed offsets.
    var offsets: [TopicPartition: CommittedOffset] = [:]
    /// Offsets of undecided transactions, by producer.
    var pendingOffsets: [Int64: [TopicPartition: CommittedOffset]] = [:]

    init(_ id: String, _ cluster: Cluster) {
        self.id = id
        self.cluster = cluster
    }

    /// The member with this id.
    func member(_ memberId: String) -> GroupMember? { members.first { $0.entry.memberId == memberId } }

    /// The static member with this instance id.
    func member(instance: String) -> GroupMember? { members.first { $0.entry.instanceId == instance } }

    /// Finds a member for anything but JoinGroup.
    func find(_ memberId: String, instance: String?) throws(GroupRefusal) -> GroupMember {
        if let instance {
            guard let known = member(instance: instance) else { throw GroupRefusal(.unknownMemberId) }
            guard known.entry.memberId == memberId else { throw GroupRefusal(.fencedInstanceId) }
            return known
        }
        guard let known = member(memberId) else { throw GroupRefusal(.unknownMemberId) }
        return known
    }

    /// The state to put in the journal.
    var entry: GroupEntry {
        GroupEntry(
            groupId: id, generation: generation, protocolType: protocolType, protocolName: protocolName,
            leader: leader, emptySinceMs: emptySinceMs, members: members.map(\.entry))
    }

    /// Makes the group's state durable.
    @discardableResult
    func store() -> Bool { cluster.record(.group) { $0.group = entry } }

    /// Takes over committed offsets; one below zero takes the commit away, as in the journal.
    func put(_ items: [OffsetItem]) {
        for item in items { offsets[item.partition] = item.offset.offset < 0 ? nil : item.offset }
    }

    // MARK: Sessions

    /// The member has been heard of.
    func touch(_ member: GroupMember) {
        member.sessionEndsMs = cluster.monotonicMs + Int64(member.entry.sessionTimeoutMs)
    }

    /// Watches the member's session until it is removed. One timer each, re-armed when it fires too early.
    func watch(_ member: GroupMember) {
        cluster.timers.schedule(atMs: member.sessionEndsMs) { [weak self, weak member] in
            guard let self, let member, members.contains(where: { $0 === member }) else { return }
            // A member that waits for the others' joins cannot send heartbeats on that connection.
            if member.joining != nil { touch(member) }
            if member.sessionEndsMs > cluster.monotonicMs {
                watch(member)
            } else {
                remove(member)
            }
        }
    }

    /// Takes a member out and rebalances what is left.
    func remove(_ member: GroupMember, error: ErrorCode = .unknownMemberId) {
        members.removeAll { $0 === member }
        fail(member, error)
        if leader == member.entry.memberId { leader = members.first?.entry.memberId }
        switch state {
        case .empty: break
        case .stable, .completingRebalance: prepareRebalance()
        case .preparingRebalance: tryCompleteJoin()
        }
    }

    /// Answers what the member waits for with an error.
    func fail(_ member: GroupMember, _ error: ErrorCode) {
        if let reply = member.joining {
            reply(JoinGroupRequest.Response(error: error, memberId: member.entry.memberId))
        }
        if let reply = member.syncing { reply(SyncGroupRequest.Response(error: error)) }
        member.joining = nil
        member.syncing = nil
    }

    // MARK: Protocols

    /// Whether a member with these protocols can be part of the group.
    func accepts(protocolType: String, _ protocols: [GroupProtocol]) -> Bool {
        guard !protocolType.isEmpty, !protocols.isEmpty else { return false }
        guard !members.isEmpty else { return true }
        guard self.protocolType == protocolType else { return false }
        return protocols.contains { offered in
            members.allSatisfy { $0.entry.protocols.contains { $0.name == offered.name } }
        }
    }

    /// The protocol most members prefer among those all of them know.
    func selectProtocol() -> String? {
        guard let first = members.first else { return nil }
        let common = first.entry.protocols.map(\.name).filter { name in
            members.allSatisfy { $0.entry.protocols.contains { $0.name == name } }
        }
        var votes: [String: Int] = [:]
        for member in members {
            if let vote = member.entry.protocols.first(where: { common.contains($0.name) }) {
                votes[vote.name, default: 0] += 1
            }
        }
        return common.max { (votes[$0] ?? 0, $1) < (votes[$1] ?? 0, $0) }
    }
}

/// Why a group refuses a request.
struct GroupRefusal: Error, Equatable {
    let code: ErrorCode
    init(_ code: ErrorCode) { self.code = code }
}
