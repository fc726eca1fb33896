import Testing

@testable import EmbeddedBroker

@Suite struct GroupTests {
    private func joinRequest(
        _ member: String = "", instance: String? = nil, protocols: [String] = ["range"], metadata: UInt8 = 1
    ) -> JoinGroupRequest {
        JoinGroupRequest(
            groupId: "g", sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 20_000, memberId: member,
            instanceId: instance, protocolType: "consumer",
            protocols: protocols.map { GroupProtocol(name: $0, metadata: [metadata]) })
    }

    private func newId(_ kit: TestCluster) throws -> String {
        let answer = try #require(kit.ask(joinRequest()))
        #expect(answer.error == .memberIdRequired)
        return answer.memberId
    }

    private func sync(
        _ kit: TestCluster, _ member: String, _ generation: Int32, _ assignments: [String: UInt8] = [:]
    ) -> TestCluster.Pending<SyncGroupRequest> {
        kit.send(
            SyncGroupRequest(
                groupId: "g", generation: generation, memberId: member,
                assignments: assignments.map { .init(memberId: $0.key, assignment: [$0.value]) }))
    }

    private func heartbeat(_ kit: TestCluster, _ member: String, _ generation: Int32) -> ErrorCode? {
        kit.ask(HeartbeatRequest(groupId: "g", generation: generation, memberId: member))?.error
    }

    /// A settled group of two; the first is the leader.
    private func pair(_ kit: TestCluster) throws -> (leader: String, other: String, generation: Int32) {
        let leader = try newId(kit)
        let first = try #require(kit.ask(joinRequest(leader)))
        #expect(first.generation == 1 && first.leader == leader && first.members.count == 1)
        #expect(sync(kit, leader, 1, [leader: 1]).response?.assignment == [1])
        let other = try newId(kit)
        let joining = kit.send(joinRequest(other))
        #expect(!joining.isEnded, "the second waits for the first")
        #expect(heartbeat(kit, leader, 1) == .rebalanceInProgress)
        let again = try #require(kit.ask(joinRequest(leader)))
        #expect(again.generation == 2 && again.members.count == 2)
        #expect(joining.response?.generation == 2 && joining.response?.members.isEmpty == true)
        let waiting = sync(kit, other, 2)
        #expect(!waiting.isEnded, "assignments come from the leader")
        #expect(sync(kit, leader, 2, [leader: 1, other: 2]).response?.assignment == [1])
        #expect(waiting.response?.assignment == [2])
        return (leader, other, 2)
    }

    @Test func twoMembersShare() throws {
        let kit = try TestCluster()
        let group = try pair(kit)
        #expect(heartbeat(kit, group.leader, 2) == ErrorCode.none && heartbeat(kit, group.other, 2) == ErrorCode.none)
        #expect(heartbeat(kit, group.leader, 1) == .illegalGeneration)
        #expect(heartbeat(kit, "nobody", 2) == .unknownMemberId)
    }

    @Test func aSilentMemberIsRemoved() throws {
        let kit = try TestCluster()
        let group = try pair(kit)
        for _ in 0..<4 {
            kit.advance(ms: 4_000)
            _ = heartbeat(kit, group.leader, 2)
        }
        #expect(heartbeat(kit, group.other, 2) == .unknownMemberId)
        #expect(heartbeat(kit, group.leader, 2) == .rebalanceInProgress)
        let alone = try #require(kit.ask(joinRequest(group.leader)))
        #expect(alone.generation == 3 && alone.members.count == 1)
    }

    @Test func whoDoesNotRejoinIsLeftOut() throws {
        let kit = try TestCluster()
        let group = try pair(kit)
        let third = try newId(kit)
        let joining = kit.send(joinRequest(third))
        _ = kit.send(joinRequest(group.leader))
        // The other member keeps its session but does not join before the rebalance timeout.
        for _ in 0..<3 {
            kit.advance(ms: 7_000)
            _ = heartbeat(kit, group.other, 2)
        }
        #expect(joining.response?.generation == 3)
        #expect(heartbeat(kit, group.other, 3) == .unknownMemberId)
    }

    @Test func whoDoesNotSyncIsLeftOut() throws {
        let kit = try TestCluster()
        let group = try pair(kit)
        _ = kit.send(joinRequest(group.other, metadata: 9))
        let joined = try #require(kit.ask(joinRequest(group.leader)))
        let waiting = sync(kit, group.other, joined.generation)
        for _ in 0..<3 {
            kit.advance(ms: 7_000)
            _ = heartbeat(kit, group.leader, joined.generation)
            _ = heartbeat(kit, group.other, joined.generation)
        }
        #expect(waiting.response?.error == .rebalanceInProgress, "the leader brought no assignments")
        #expect(heartbeat(kit, group.leader, joined.generation) == .unknownMemberId)
    }

    @Test func leavingRebalances() throws {
        let kit = try TestCluster()
        let group = try pair(kit)
        let leave = LeaveGroupRequest(groupId: "g", members: [.init(memberId: group.leader), .init(memberId: "x")])
        #expect(kit.ask(leave)?.members.map(\.error) == [ErrorCode.none, .unknownMemberId])
        #expect(heartbeat(kit, group.other, 2) == .rebalanceInProgress)
        let alone = try #require(kit.ask(joinRequest(group.other)))
        #expect(alone.leader == group.other && alone.generation == 3)
    }

    @Test func staticMembersComeBackWithoutARebalance() throws {
        let kit = try TestCluster()
        let first = try #require(kit.join(instance: "one"))
        let again = try #require(kit.ask(joinRequest(instance: "one")))
        #expect(again.generation == first.generation && again.memberId != first.member && again.skipAssignment)
        let late = HeartbeatRequest(
            groupId: "g", generation: first.generation, memberId: first.member, instanceId: "one")
        #expect(kit.ask(late)?.error == .fencedInstanceId)
        #expect(sync(kit, again.memberId, again.generation).response?.assignment == [7])
    }

    @Test func protocolsMustFit() throws {
        let kit = try TestCluster()
        _ = try pair(kit)
        #expect(kit.ask(joinRequest(protocols: ["sticky"]))?.error == .inconsistentGroupProtocol)
        #expect(kit.ask(joinRequest(protocols: []))?.error == .inconsistentGroupProtocol)
        var other = joinRequest()
        other.protocolType = "connect"
        #expect(kit.ask(other)?.error == .inconsistentGroupProtocol)
        other = joinRequest()
        other.sessionTimeoutMs = 1
        #expect(kit.ask(other)?.error == .invalidSessionTimeout)
        other.groupId = ""
        #expect(kit.ask(other)?.error == .invalidGroupId)
    }

    @Test func commitsAreFencedByGeneration() throws {
        let kit = try TestCluster()
        kit.create("t")
        let group = try pair(kit)
        func commit(_ generation: Int32, _ member: String, offset: Int64 = 5) -> ErrorCode? {
            let partition = OffsetCommitRequest.PartitionRequest(index: 0, offset: offset)
            return kit.ask(
                OffsetCommitRequest(
                    groupId: "g", generation: generation, memberId: member,
                    topics: [.init(name: "t", partitions: [partition])]))?.topics.first?.partitions.first?.error
        }
        #expect(commit(2, group.leader) == ErrorCode.none)
        #expect(commit(1, group.leader) == .illegalGeneration)
        #expect(commit(2, "nobody") == .unknownMemberId)
        #expect(commit(-1, "") == .unknownMemberId, "a group with members takes no anonymous commits")
        #expect(kit.committed().offset == 5)
    }

    @Test(arguments: [true, false])
    func groupsAndOffsetsSurvive(_ isClean: Bool) throws {
        let folder = TemporaryFolder()
        let kit = try TestCluster(folder)
        kit.create("t")
        let member = try #require(kit.join())
        let partition = OffsetCommitRequest.PartitionRequest(index: 0, offset: 5, metadata: "note")
        let commit = OffsetCommitRequest(
            groupId: "g", generation: member.generation, memberId: member.member,
            topics: [.init(name: "t", partitions: [partition])])
        #expect(kit.ask(commit)?.topics.first?.partitions.first?.error == ErrorCode.none)
        if isClean { kit.cluster.close() }
        try kit.reopen()
        #expect(kit.committed().offset == 5 && kit.committed().metadata == "note")
        #expect(heartbeat(kit, member.member, member.generation) == ErrorCode.none)
        #expect(kit.ask(commit)?.topics.first?.partitions.first?.error == ErrorCode.none)
        kit.advance(ms: 11_000)
        #expect(heartbeat(kit, member.member, member.generation) == .unknownMemberId)
    }

    @Test func offsetsOfEmptyGroupsExpire() throws {
        let kit = try TestCluster { $0.offsetsRetentionMs = 100_000 }
        kit.create("t")
        let partition = OffsetCommitRequest.PartitionRequest(index: 0, offset: 5)
        _ = kit.ask(OffsetCommitRequest(groupId: "g", topics: [.init(name: "t", partitions: [partition])]))
        kit.advance(ms: 90_000)
        #expect(kit.committed().offset == 5)
        kit.advance(ms: 31_000)
        #expect(kit.committed().offset == -1 && kit.cluster.groups.group("g") == nil)
    }

    @Test func groupsAreListedDescribedDeleted() throws {
        let kit = try TestCluster()
        let group = try pair(kit)
        #expect(kit.ask(ListGroupsRequest(states: ["Stable"]))?.groups.map(\.groupId) == ["g"])
        #expect(kit.ask(ListGroupsRequest(states: ["Empty"]))?.groups.isEmpty == true)
        let described = try #require(kit.ask(DescribeGroupsRequest(groups: ["g", "none"])))
        #expect(described.groups.map(\.state) == ["Stable", "Dead"] && described.groups[0].members.count == 2)
        #expect(
            kit.ask(DeleteGroupsRequest(groups: ["g", "none"]))?.results.map(\.error) == [
                .nonEmptyGroup, .groupIdNotFound,
            ])
        let leave = LeaveGroupRequest(
            groupId: "g", members: [.init(memberId: group.leader), .init(memberId: group.other)])
        _ = kit.ask(leave)
        #expect(kit.ask(DeleteGroupsRequest(groups: ["g"]))?.results.map(\.error) == [ErrorCode.none])
    }
}
