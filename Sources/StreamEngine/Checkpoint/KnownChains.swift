/// What a store knows of its files without looking: the chains of the partitions it wrote or loaded.
struct KnownChains {
    /// One section in a chain.
    struct Link {
        var parent: EpochToken?
        /// Bytes of the section in its epoch's file.
        var bytes: Int64
        /// Bytes of the snapshot made of the chain up to here; nil where there is none.
        var snapshotBytes: Int64?

        /// Whether the chain need not be followed any further.
        var isRoot: Bool { parent == nil || snapshotBytes != nil }
    }

    /// Whether the incarnation's directory has been made.
    var hasDirectory = false
    /// Discarded epochs whose files are still there.
    var undone: [EpochToken] = []
    /// Whether a discarded file was taken away and the directory not synced since.
    var hasUnsyncedRemoval = false
    /// Chains of partitions, by epoch.
    var links: [PartitionID: [EpochToken: Link]] = [:]
    /// Headers read lately: a takeover follows the chains of many partitions through the same files.
    private(set) var headers: [EpochToken: StateFileHeader] = [:]
    /// Paths of snapshots that were found damaged.
    var unusableSnapshots: Set<String> = []
    /// Partitions of which a snapshot is being made.
    var compacting: Set<PartitionID> = []
    var retention = Retention()

    private static let headersMax = 256

    mutating func keep(_ header: StateFileHeader) {
        if headers.count >= Self.headersMax { headers.removeAll() }
        headers[header.record.token] = header
    }

    mutating func forgetHeaders() { headers.removeAll() }

    mutating func wrote(_ header: StateFileHeader) {
        let token = header.record.token
        headers[token] = nil
        undone.removeAll { $0 == token }
        for section in header.sections {
            links[section.partition, default: [:]][token] = Link(parent: section.parent, bytes: section.count)
        }
        retention.wrote(header)
    }

    /// Forgets an epoch; returns whether its file is there.
    mutating func discarded(_ token: EpochToken) -> Bool {
        headers[token] = nil
        for partition in links.keys { links[partition]?[token] = nil }
        guard retention.discarded(token) || undone.contains(token) else { return false }
        if !undone.contains(token) { undone.append(token) }
        return true
    }

    func chainBytes(_ partition: PartitionID, at state: EpochToken) -> (snapshot: Int64, changes: Int64)? {
        guard let chain = links[partition] else { return nil }
        var changes: Int64 = 0
        var token = state
        while let link = chain[token] {
            if let snapshot = link.snapshotBytes { return (snapshot, changes) }
            guard let parent = link.parent else { return (link.bytes, changes) }
            changes += link.bytes
            token = parent
        }
        return nil
    }

    /// The tokens of a partition's chain, newest first, up to its root; nil where it is not all known.
    func chain(_ partition: PartitionID, at state: EpochToken) -> [EpochToken]? {
        guard let chain = links[partition] else { return nil }
        var tokens: [EpochToken] = []
        var token = state
        while let link = chain[token] {
            tokens.append(token)
            guard !link.isRoot, let parent = link.parent else { return tokens }
            token = parent
        }
        return nil
    }
}
