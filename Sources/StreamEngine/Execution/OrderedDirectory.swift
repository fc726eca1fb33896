/// Keys interned to dense indices that remember their order: group keys of a query over all its partitions, and the series
/// that per-series functions see. Owned by the coordinator.
struct OrderedDirectory<Key: Hashable & Comparable> {
    private var indexByKey: [Key: UInt32] = [:]
    private(set) var keys: [Key] = []
    /// Indices in key order; all of them after `sort`.
    private(set) var order: [UInt32] = []
    private var ranks: [UInt32] = []
    /// The newest window end in which a key was used, ms.
    private var lastUsedMs: [Int64] = []

    /// The index of a key, new or known.
    mutating func index(of key: Key) -> UInt32 {
        if let known = indexByKey[key] { return known }
        let index = UInt32(keys.count)
        indexByKey[key] = index
        keys.append(key)
        lastUsedMs.append(.min)
        return index
    }

    /// Notes that keys are used in a window that ends at `endMs`.
    mutating func touch(_ used: [UInt32], endMs: Int64) {
        for key in used where lastUsedMs[Int(key)] < endMs { lastUsedMs[Int(key)] = endMs }
    }

    /// The place of each key in key order. O(new · log new + all) when keys have come since the last call, else O(1).
    mutating func currentRanks() -> [UInt32] {
        guard order.count < keys.count else { return ranks }
        let new = (UInt32(order.count)..<UInt32(keys.count)).sorted { keys[Int($0)] < keys[Int($1)] }
        var merged: [UInt32] = []
        merged.reserveCapacity(keys.count)
        var next = 0
        for key in order {
            while next < new.count, keys[Int(new[next])] < keys[Int(key)] {
                merged.append(new[next])
                next += 1
            }
            merged.append(key)
        }
        merged.append(contentsOf: new[next...])
        order = merged
        ranks = [UInt32](repeating: 0, count: keys.count)
        for (rank, key) in order.enumerated() { ranks[Int(key)] = UInt32(rank) }
        return ranks
    }

    /// Forgets keys that were last used before `horizonMs`, when they are many. Then every index may change: gives the new
    /// index of each old one, `UInt32.max` for those gone. Nil when nothing was done.
    mutating func forget(before horizonMs: Int64) -> [UInt32]? {
        let gone = lastUsedMs.reduce(0) { $0 + ($1 < horizonMs ? 1 : 0) }
        guard gone > 256, gone > keys.count / 4 else { return nil }
        var newIndex = [UInt32](repeating: .max, count: keys.count)
        var kept = 0
        for index in keys.indices where lastUsedMs[index] >= horizonMs {
            newIndex[index] = UInt32(kept)
            keys[kept] = keys[index]
            lastUsedMs[kept] = lastUsedMs[index]
            kept += 1
        }
        keys.removeLast(keys.count - kept)
        lastUsedMs.removeLast(lastUsedMs.count - kept)
        indexByKey = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, UInt32($0)) })
        order = []
        ranks = []
        return newIndex
    }

    /// Replaces every key by `change`; those it gives nil for go. Gives the new index of each old one, as `forget`.
    mutating func rekey(_ change: (Key) -> Key?) -> [UInt32] {
        var changed = OrderedDirectory<Key>()
        var newIndex = [UInt32](repeating: .max, count: keys.count)
        for index in keys.indices {
            guard let key = change(keys[index]) else { continue }
            newIndex[index] = changed.index(of: key)
            changed.touch([newIndex[index]], endMs: lastUsedMs[index])
        }
        self = changed
        return newIndex
    }
}
