/// Finds dense indices by the hash of what they stand for: open addressing with linear probing, 8 bytes a slot.
///
/// The keys themselves stay with the owner, who compares them; a slot keeps half of the hash, so that a key is looked at
/// (a cache miss at high cardinality) only where it is most likely the one. At most three quarters are taken.
public struct InternTable: ~Copyable {
    /// Hash in the upper half, index + 1 in the lower; 0 is free.
    private var slots: UnsafeMutablePointer<UInt64>
    private var mask: Int
    public private(set) var count = 0

    /// A table without entries.
    public init() {
        mask = 15
        slots = .allocate(capacity: 16)
        slots.initialize(repeating: 0, count: 16)
    }

    deinit {
        slots.deallocate()
    }

    /// The index that was put in under this hash and that `isSame` takes for the one; nil without any.
    @inline(__always)
    public func find(_ hash: UInt64, isSame: (UInt32) -> Bool) -> UInt32? {
        let tag = hash >> 32
        var slot = Int(truncatingIfNeeded: tag) & mask
        while slots[slot] != 0 {
            let entry = slots[slot]
            if entry >> 32 == tag {
                let index = UInt32(truncatingIfNeeded: entry) &- 1
                if isSame(index) { return index }
            }
            slot = (slot &+ 1) & mask
        }
        return nil
    }

    /// Puts an index in; the caller has made sure that what it stands for is new.
    public mutating func insert(_ hash: UInt64, _ index: UInt32) {
        if (count + 1) * 4 > (mask + 1) * 3 { grow() }
        place((hash & ~0xffff_ffff) | UInt64(index &+ 1))
        count += 1
    }

    /// Takes an index out that was put in under this hash.
    public mutating func remove(_ hash: UInt64, _ index: UInt32) {
        let entry = (hash & ~0xffff_ffff) | UInt64(index &+ 1)
        var hole = Int(truncatingIfNeeded: hash >> 32) & mask
        while slots[hole] != entry {
            guard slots[hole] != 0 else { return }
            hole = (hole &+ 1) & mask
        }
        count -= 1
        // What follows moves up unless it stands at or after its own place already (Knuth, TAOCP 3, 6.4, algorithm R).
        var next = (hole &+ 1) & mask
        while slots[next] != 0 {
            let home = Int(truncatingIfNeeded: slots[next] >> 32) & mask
            if (next &- home) & mask >= (next &- hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next &+ 1) & mask
        }
        slots[hole] = 0
    }

    /// Forgets everything.
    public mutating func removeAll() {
        slots.update(repeating: 0, count: mask + 1)
        count = 0
    }

    private mutating func grow() {
        let old = UnsafeMutableBufferPointer(start: slots, count: mask + 1)
        mask = (mask + 1) * 2 - 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
        for entry in old where entry != 0 { place(entry) }
        old.deallocate()
    }

    @inline(__always)
    private func place(_ entry: UInt64) {
        var slot = Int(truncatingIfNeeded: entry >> 32) & mask
        while slots[slot] != 0 { slot = (slot &+ 1) & mask }
        slots[slot] = entry
    }

    /// Bytes held.
    public var byteCount: Int { (mask + 1) * 8 }
}
