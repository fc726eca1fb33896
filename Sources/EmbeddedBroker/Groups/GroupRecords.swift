/// An offset a group has committed.
struct CommittedOffset: WireStruct, Equatable {
    var offset: Int64 = -1
    var leaderEpoch: Int32 = -1
    var metadata = ""
    /// When it was committed, milliseconds since 1970.
    var commitMs: Int64 = 0

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&offset)
        try c.field(&leaderEpoch)
        try c.field(&metadata)
        try c.field(&commitMs)
    }
}

/// A partition's committed offset.
struct OffsetItem: WireStruct {
    var partition = TopicPartition()
    var offset = CommittedOffset()

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try partition.code(&c)
        try offset.code(&c)
    }
}

/// Offsets of a group, as the journal has them.
struct OffsetsEntry: WireStruct {
    var groupId = ""
    /// Whose transaction they belong to; -1: none.
    var producerId: Int64 = -1
    var items: [OffsetItem] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&groupId)
        try c.field(&producerId)
        try c.field(&items)
    }
}

/// A way of assigning partitions that a member can take part in, with what it says for it.
struct GroupProtocol: WireStruct, Equatable {
    var name = ""
    var metadata: [UInt8] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&name)
        try c.bytes(&metadata)
    }
}

/// A member of a group, as the journal has it.
struct MemberEntry: WireStruct {
    var memberId = ""
    var instanceId: String?
    var clientId = ""
    var clientHost = ""
    var sessionTimeoutMs: Int32 = 0
    var rebalanceTimeoutMs: Int32 = 0
    var protocols: [GroupProtocol] = []
    var assignment: [UInt8] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&memberId)
        try c.field(&instanceId)
        try c.field(&clientId)
        try c.field(&clientHost)
        try c.field(&sessionTimeoutMs)
        try c.field(&rebalanceTimeoutMs)
        try c.field(&protocols)
        try c.bytes(&assignment)
    }
}

/// A group in a settled state (empty or stable), as the journal has it.
struct GroupEntry: WireStruct {
    var groupId = ""
    var generation: Int32 = 0
    var protocolType: String?
    var protocolName: String?
    var leader: String?
    /// When the last member left, milliseconds since 1970; -1: it has members or never had.
    var emptySinceMs: Int64 = -1
    var members: [MemberEntry] = []

    mutating func code(_ c: inout WireCodec) throws(WireError) {
        try c.field(&groupId)
        try c.field(&generation)
        try c.field(&protocolType)
        try c.field(&protocolName)
        try c.field(&leader)
        try c.field(&emptySinceMs)
        try c.field(&members)
    }
}
