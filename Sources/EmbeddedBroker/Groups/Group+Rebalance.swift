extension Group {
    /// Handles JoinGroup; the reply may wait for the other members.
    func join(_ request: JoinGroupRequest, _ reply: Reply<JoinGroupRequest>) {
        guard accepts(request) else {
            return reply(request.failed(.inconsistentGroupProtocol))
        }
        if request.memberId.isEmpty { return joinNew(request, reply) }
        if let timer = pendingMembers.removeValue(forKey: request.memberId) {
            timer.cancel()
            return add(request, memberId: request.memberId, reply)
        }
        if let instance = request.instanceId, let known = member(instance: instance),
            known.entry.memberId != request.memberId
        {
            return reply(request.failed(.fencedInstanceId))
        }
        guard let member = member(request.memberId), state != .empty else {
            return reply(request.failed(.unknownMemberId))
        }
        joinAgain(member, request, reply)
    }

    private func accepts(_ request: JoinGroupRequest) -> Bool {
        accepts(protocolType: request.protocolType, request.protocols)
    }

    private func joinNew(_ request: JoinGroupRequest, _ reply: Reply<JoinGroupRequest>) {
        let prefix = request.instanceId ?? reply.exchange.clientId
        let memberId = prefix + "-" + cluster.randomText()
        if let instance = request.instanceId {
            guard let known = member(instance: instance) else { return add(request, memberId: memberId, reply) }
            return replace(known, by: memberId, request, reply)
        }
        // From v4 on a new member first learns its id, so that a lost answer leaves no ghost (KIP-394).
        guard reply.version >= 4 else { return add(request, memberId: memberId, reply) }
        pendingMembers[memberId] = cluster.timers.schedule(
            atMs: cluster.monotonicMs + Int64(request.sessionTimeoutMs)
        ) { [weak self] in
            self?.pendingMembers[memberId] = nil
            self?.tryCompleteJoin()
        }
        reply(JoinGroupRequest.Response(error: .memberIdRequired, memberId: memberId))
    }

    private func add(_ request: JoinGroupRequest, memberId: String, _ reply: Reply<JoinGroupRequest>) {
        let member = GroupMember(
            MemberEntry(
                memberId: memberId, instanceId: request.instanceId, clientId: reply.exchange.clientId,
                clientHost: reply.exchange.clientHost))
        if members.isEmpty { protocolType = request.protocolType }
        members.append(member)
        if leader == nil { leader = memberId }
        update(member, request, reply)
        touch(member)
        watch(member)
        prepareRebalance()
    }

    private func update(_ member: GroupMember, _ request: JoinGroupRequest, _ reply: Reply<JoinGroupRequest>) {
        member.entry.sessionTimeoutMs = request.sessionTimeoutMs
        member.entry.rebalanceTimeoutMs =
            request.rebalanceTimeoutMs >= 0 ? request.rebalanceTimeoutMs : request.sessionTimeoutMs
        member.entry.protocols = request.protocols
        member.joining = reply
    }

    private func joinAgain(_ member: GroupMember, _ request: JoinGroupRequest, _ reply: Reply<JoinGroupRequest>) {
        let isSame = member.entry.protocols == request.protocols
        let isLeader = leader == member.entry.memberId
        touch(member)
        switch state {
        case .completingRebalance where isSame, .stable where isSame && !isLeader:
            // It missed the answer, or is a follower with nothing new: the generation stands.
            reply(joinResponse(for: member))
        case .preparingRebalance:
            update(member, request, reply)
            tryCompleteJoin()
        case .completingRebalance, .stable:
            update(member, request, reply)
            prepareRebalance()
        case .empty: reply(request.failed(.unknownMemberId))
        }
    }

    /// A static member came back: it takes over its predecessor's place (KIP-345), without a rebalance if it can.
    private func replace(
        _ member: GroupMember, by memberId: String, _ request: JoinGroupRequest, _ reply: Reply<JoinGroupRequest>
    ) {
        fail(member, .fencedInstanceId)
        let oldId = member.entry.memberId
        let wasLeader = leader == oldId
        member.entry.memberId = memberId
        member.entry.clientId = reply.exchange.clientId
        member.entry.clientHost = reply.exchange.clientHost
        if wasLeader { leader = memberId }
        touch(member)
        update(member, request, reply)
        guard state == .stable, selectProtocol() == protocolName else {
            return state == .preparingRebalance ? tryCompleteJoin() : prepareRebalance()
        }
        member.joining = nil
        guard store() else { return reply(request.failed(.notCoordinator)) }
        var response = joinResponse(for: member)
        if wasLeader {
            // Without v9's flag the old leader id keeps the client from assigning anew.
            response.skipAssignment = reply.version >= 9
            if reply.version < 9 {
                response.leader = oldId
                response.members = []
            }
        }
        reply(response)
    }

    // MARK: Phases

    /// Starts a rebalance: members have until the longest rebalance timeout to join.
    func prepareRebalance() {
        if state == .completingRebalance {
            for member in members where member.syncing != nil { fail(member, .rebalanceInProgress) }
        }
        let delay = state == .empty ? cluster.configuration.groupInitialRebalanceDelayMs : 0
        let wasPreparing = state == .preparingRebalance
        state = .preparingRebalance
        if wasPreparing { return tryCompleteJoin() }
        isGathering = delay > 0
        schedule(afterMs: isGathering ? Int64(delay) : longestRebalanceTimeoutMs) { $0.completeJoin() }
        tryCompleteJoin()
    }

    private var longestRebalanceTimeoutMs: Int64 { Int64(members.map(\.entry.rebalanceTimeoutMs).max() ?? 0) }

    private func schedule(afterMs delay: Int64, _ action: @escaping (Group) -> Void) {
        rebalanceTimer?.cancel()
        rebalanceTimer = cluster.timers.schedule(atMs: cluster.monotonicMs + delay) { [weak self] in
            if let self { action(self) }
        }
    }

    /// Ends the joining phase when everybody is there.
    func tryCompleteJoin() {
        guard state == .preparingRebalance, !isGathering, pendingMembers.isEmpty,
            members.allSatisfy({ $0.joining != nil })
        else { return }
        completeJoin()
    }

    private func completeJoin() {
        rebalanceTimer?.cancel()
        isGathering = false
        // Who has not come is out; static members stay until their session ends.
        for member in members where member.joining == nil && member.entry.instanceId == nil {
            members.removeAll { $0 === member }
        }
        guard !members.isEmpty else { return becomeEmpty() }
        guard members.contains(where: { $0.joining != nil }) else {
            return schedule(afterMs: longestRebalanceTimeoutMs) { $0.completeJoin() }
        }
        if member(leader ?? "")?.joining == nil {
            leader = members.first { $0.joining != nil }?.entry.memberId
        }
        generation = generation == .max ? 1 : generation + 1
        protocolName = selectProtocol()
        state = .completingRebalance
        emptySinceMs = -1
        for member in members { member.hasSynced = false }
        for member in members {
            guard let reply = member.joining else { continue }
            member.joining = nil
            touch(member)
            reply(joinResponse(for: member))
        }
        let generation = generation
        schedule(afterMs: longestRebalanceTimeoutMs) { $0.expireUnsynced(generation) }
    }

    private func becomeEmpty() {
        generation = generation == .max ? 1 : generation + 1
        state = .empty
        protocolName = nil
        leader = nil
        emptySinceMs = cluster.wallMs
        store()
    }

    private func expireUnsynced(_ generation: Int32) {
        guard self.generation == generation, state == .completingRebalance else { return }
        for member in members where !member.hasSynced && member.entry.instanceId == nil {
            members.removeAll { $0 === member }
        }
        if member(leader ?? "") == nil { leader = members.first?.entry.memberId }
        prepareRebalance()
    }

    private func joinResponse(for member: GroupMember) -> JoinGroupRequest.Response {
        var response = JoinGroupRequest.Response(
            generation: generation, protocolType: protocolType, protocolName: protocolName ?? "",
            leader: leader ?? "", memberId: member.entry.memberId)
        guard leader == member.entry.memberId else { return response }
        response.members = members.map { member in
            JoinGroupRequest.Member(
                memberId: member.entry.memberId, instanceId: member.entry.instanceId,
                metadata: member.entry.protocols.first { $0.name == protocolName }?.metadata ?? [])
        }
        return response
    }

    /// Handles SyncGroup: the leader brings the assignments, everybody gets its own.
    func sync(_ request: SyncGroupRequest, _ reply: Reply<SyncGroupRequest>) throws(GroupRefusal) {
        let member = try find(request.memberId, instance: request.instanceId)
        guard request.generation == generation else { throw GroupRefusal(.illegalGeneration) }
        if let type = request.protocolType, type != protocolType { throw GroupRefusal(.inconsistentGroupProtocol) }
        if let name = request.protocolName, name != protocolName { throw GroupRefusal(.inconsistentGroupProtocol) }
        touch(member)
        switch state {
        case .empty: throw GroupRefusal(.unknownMemberId)
        case .preparingRebalance: throw GroupRefusal(.rebalanceInProgress)
        case .stable: reply(syncResponse(for: member))
        case .completingRebalance:
            member.hasSynced = true
            member.syncing = reply
            guard leader == member.entry.memberId else { return }
            let assignments = Dictionary(
                request.assignments.map { ($0.memberId, $0.assignment) }, uniquingKeysWith: { first, _ in first })
            for member in members { member.entry.assignment = assignments[member.entry.memberId] ?? [] }
            state = .stable
            guard store() else {
                state = .completingRebalance
                for member in members { fail(member, .notCoordinator) }
                return prepareRebalance()
            }
            for member in members {
                let syncing = member.syncing
                member.syncing = nil
                touch(member)
                syncing?(syncResponse(for: member))
            }
        }
    }

    private func syncResponse(for member: GroupMember) -> SyncGroupRequest.Response {
        SyncGroupRequest.Response(
            protocolType: protocolType, protocolName: protocolName, assignment: member.entry.assignment)
    }

    /// Handles Heartbeat.
    func heartbeat(_ request: HeartbeatRequest) throws(GroupRefusal) {
        let member = try find(request.memberId, instance: request.instanceId)
        guard request.generation == generation else { throw GroupRefusal(.illegalGeneration) }
        touch(member)
        switch state {
        case .empty: throw GroupRefusal(.unknownMemberId)
        case .preparingRebalance: throw GroupRefusal(.rebalanceInProgress)
        case .completingRebalance, .stable: return
        }
    }

    /// Handles one member of LeaveGroup.
    func leave(_ memberId: String, instance: String?) throws(GroupRefusal) {
        if let timer = pendingMembers.removeValue(forKey: memberId) {
            timer.cancel()
            return tryCompleteJoin()
        }
        if let instance, memberId.isEmpty {
            // Admin clients remove static members by instance id alone.
            guard let known = member(instance: instance) else { throw GroupRefusal(.unknownMemberId) }
            return remove(known)
        }
        remove(try find(memberId, instance: instance))
    }
}
