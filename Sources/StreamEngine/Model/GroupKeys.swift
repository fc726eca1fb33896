import Platform

/// The keys of one partition's groups, interned to dense indices.
///
/// Where the key's columns are labels, a group's key is told by one of its series: it takes no bytes of its own as long as
/// the dictionary holds that series. Other keys, and those read from a checkpoint until one of their series turns up, have
/// theirs in one run of memory.
public struct GroupKeys: ~Copyable {
    private let series: SeriesDictionary
    /// The labels that are the key's columns, nil for the metric name; nil where some column is anything else.
    private let columns: [ByteString?]?
    /// What tells the key of each group: a series, or with `ownBit` a place in `own`; `nobody` for a free index.
    private var sources = GrowingRun<UInt32>()
    private var own = ByteRuns(most: GroupKeys.mostOwnBytes)
    private var byKey = InternTable()
    /// Kept for its memory.
    private var spare = GrowingRun<UInt8>()

    private static let ownBit: UInt32 = 1 << 31
    private static let nobody = UInt32.max
    /// 8 GiB, so that a place is below `ownBit` - 1. Series are fewer than that too: each has a record of 16 bytes or more of
    /// 16 GiB. So neither kind of source is taken for the other, or for `nobody`.
    private static let mostOwnBytes = 1 << 33

    /// Keys of groups of `series`; `columns` as `QueryPlan.keyLabels` gives them.
    public init(series: SeriesDictionary, columns: [ByteString?]?) {
        self.series = series
        self.columns = columns
    }

    /// One more than the largest index.
    public var bound: Int { sources.count }
    /// Bytes held.
    public var byteCount: Int { sources.byteCount + own.byteCount + byKey.byteCount }

    /// Whether an index stands for a group.
    public func holds(_ group: UInt32) -> Bool { sources[Int(group)] != GroupKeys.nobody }

    /// The key of a group; nil for a free index. An allocation.
    public mutating func key(of group: UInt32) -> GroupKey? {
        let source = sources[Int(group)]
        guard source != GroupKeys.nobody else { return nil }
        return GroupKey(packed: packed(source))
    }

    /// Adds the keys of groups to others.
    public mutating func write(_ groups: some Sequence<UInt32>, to keys: inout PackedKeys) {
        for group in groups where holds(group) {
            let source = sources[Int(group)]
            let isOwn = source & GroupKeys.ownBit != 0
            keys.append(group, isOwn ? own.bytes(source & ~GroupKeys.ownBit) : write(source))
        }
    }

    /// The group of a series by its labels: known, or new at `free` or, without that, at the end. The key's columns are
    /// labels.
    public mutating func group(ofSeries index: UInt32, free: UInt32?) -> (group: UInt32, isNew: Bool) {
        let key = write(index)
        let hash = ByteHash.hash(key)
        guard let known = find(hash, key) else { return (insert(hash, source: index, at: free), true) }
        let source = sources[Int(known)]
        if source & GroupKeys.ownBit != 0 {
            sources[Int(known)] = index
            drop(source)
        }
        return (known, false)
    }

    /// The group of a key: known, or new at `free` or, without that, at the end.
    public mutating func group(of key: GroupKey, free: UInt32?) -> (group: UInt32, isNew: Bool) {
        let hash = key.hash64
        if let known = key.packed.withUnsafeBufferPointer({ find(hash, $0) }) { return (known, false) }
        let place = keep(key.packed)
        return (insert(hash, source: place, at: free), true)
    }

    /// Makes free indices, until there are `bound`.
    public mutating func lengthen(to bound: Int) { sources.lengthen(to: bound, with: GroupKeys.nobody) }

    /// Gives a key the index it had in a checkpoint, which is nobody's.
    public mutating func restore(_ key: GroupKey, at group: UInt32) {
        let place = keep(key.packed)
        _ = insert(key.hash64, source: place, at: group)
    }

    /// Takes a key away; its index stands for nobody.
    public mutating func remove(_ group: UInt32) {
        let source = sources[Int(group)]
        guard source != GroupKeys.nobody else { return }
        let key = packed(source)
        byKey.remove(ByteHash.hash(key), group)
        sources[Int(group)] = GroupKeys.nobody
        drop(source)
    }

    /// A series is about to leave the dictionary: where it tells the key of its group, the key gets bytes of its own.
    public mutating func leave(_ index: UInt32, from group: UInt32) {
        guard Int(group) < sources.count, sources[Int(group)] == index else { return }
        let key = packed(index)
        let place = keep(key)
        sources[Int(group)] = place
    }

    private mutating func insert(_ hash: UInt64, source: UInt32, at free: UInt32?) -> UInt32 {
        let group = free ?? UInt32(sources.count)
        if free == nil { sources.append(source) } else { sources[Int(group)] = source }
        byKey.insert(hash, group)
        return group
    }

    /// The group of a packed key.
    private func find(_ hash: UInt64, _ key: UnsafeBufferPointer<UInt8>) -> UInt32? {
        byKey.find(hash) { group in
            let source = sources[Int(group)]
            guard source & GroupKeys.ownBit != 0 else { return isKey(key, of: source) }
            let bytes = own.bytes(source & ~GroupKeys.ownBit)
            guard bytes.count == key.count, let a = bytes.baseAddress, let b = key.baseAddress else {
                return bytes.count == key.count
            }
            return ByteHash.equal(a, b, key.count)
        }
    }

    /// Whether a series' labels make this key.
    private func isKey(_ key: UnsafeBufferPointer<UInt8>, of index: UInt32) -> Bool {
        guard let columns else { return false }
        return GroupKey.isKey(key, of: index, series, columns: columns)
    }

    private mutating func keep(_ packed: [UInt8]) -> UInt32 {
        guard let place = packed.withUnsafeBufferPointer({ own.add($0) }) else {
            OutOfMemory.end(
                """
                the keys of one partition's groups take 8 GiB, as much as can be told apart; group by fewer or shorter \
                labels, let keys be forgotten sooner (limits.keyTTL), or spread the input over more partitions; \
                limits.maxStateBytes stops a job before it comes to this
                """)
        }
        return place | GroupKeys.ownBit
    }

    private mutating func drop(_ source: UInt32) {
        guard source & GroupKeys.ownBit != 0 else { return }
        own.drop(source & ~GroupKeys.ownBit)
        if own.isWasteful { compact() }
    }

    /// The packed key that a source tells, in an array of its length.
    private mutating func packed(_ source: UInt32) -> [UInt8] {
        if source & GroupKeys.ownBit != 0 { return Array(own.bytes(source & ~GroupKeys.ownBit)) }
        return Array(write(source))
    }

    /// The packed key of a series; good until the next one.
    private mutating func write(_ index: UInt32) -> UnsafeBufferPointer<UInt8> {
        spare.clear()
        if let columns { GroupKey.write(index, of: series, columns: columns, to: &spare) }
        return UnsafeBufferPointer(start: spare.base, count: spare.count)
    }

    /// Moves the keys' own bytes together.
    private mutating func compact() {
        var kept = ByteRuns(most: GroupKeys.mostOwnBytes)
        for group in 0..<sources.count {
            let source = sources[group]
            guard source != GroupKeys.nobody, source & GroupKeys.ownBit != 0 else { continue }
            // They are some of those that had room.
            guard let place = kept.add(own.bytes(source & ~GroupKeys.ownBit)) else { preconditionFailure("no room") }
            sources[group] = place | GroupKeys.ownBit
        }
        own = kept
    }
}
