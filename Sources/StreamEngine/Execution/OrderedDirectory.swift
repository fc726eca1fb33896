/// Keys interned to dense indices that remember their order: the series that per-series functions see. Owned by the
/// coordinator.
struct OrderedDirectory<Key: InternedKey>: ~Copyable {
    private var byKey = InternTable()
    private(set) var keys: [Key] = []
    /// Indices in key order; all of them after `sort`.
    private(set) var order: [UInt32] = []
    private var ranks: [UInt32] = []
    /// The newest window end in which a key was used, ms.
    private var lastUsedMs: [Int64] = []

    /// The index of a key, new or known.
    mutating func index(of key: Key) -> UInt32 {
        let hash = key.hash64
        if let known = byKey.find(hash, isSame: { keys[Int($0)] == key }) { return known }
        let index = UInt32(keys.count)
        byKey.insert(hash, index)
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
        var new = Array(UInt32(order.count)..<UInt32(keys.count))
        new.sort { keys[Int($0)] < keys[Int($1)] }
        order = MergedOrder.merge(order, new) { keys[Int($0)] < keys[Int($1)] }
        ranks = MergedOrder.ranks(order)
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
        byKey.removeAll()
        for (index, key) in keys.enumerated() { byKey.insert(key.hash64, UInt32(index)) }
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
