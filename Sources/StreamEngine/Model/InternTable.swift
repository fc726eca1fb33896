import Glibc
import Platform

/// Finds dense indices by the hash of what they stand for: 8 bytes a slot, at most seven eighths of them taken.
///
/// The keys themselves stay with the owner, who compares them; a slot keeps half of the hash, so that a key is looked at
/// (a cache miss at high cardinality) only where it is most likely the one.
///
/// Open addressing with linear probing in the order of the hashes (Amble and Knuth, "Ordered hash tables", 1974): the
/// place an entry belongs to rises with its half of the hash, and so do the entries themselves. A look-up ends at the first
/// larger one, and the table grows, by a quarter, in one pass over neighbours: without order a table as full would take long
/// searches, and one that doubles is half empty.
public struct InternTable: ~Copyable {
    /// Hash in the upper half, index + 1 in the lower; 0 is free. The last slot always is.
    @usableFromInline var slots: UnsafeMutablePointer<UInt64>
    /// How many places hashes are spread over; entries pushed off the end stand in the slots behind.
    @usableFromInline var places = InternTable.fewestPlaces
    private var slotCount: Int
    /// How many indices are in.
    public private(set) var count = 0

    private static let fewestPlaces: UInt64 = 16

    /// A table without entries.
    public init() {
        slotCount = InternTable.slotCount(places)
        slots = InternTable.freeSlots(slotCount)
    }

    deinit { Glibc.free(slots) }

    /// Bytes held.
    public var byteCount: Int { slotCount * 8 }

    /// The index that was put in under this hash and that `isSame` takes for the one; nil without any.
    @inlinable
    @inline(__always)
    public func find(_ hash: UInt64, isSame: (UInt32) -> Bool) -> UInt32? {
        let tag = hash >> 32
        var slot = slots + Int(truncatingIfNeeded: (tag &* places) >> 32)
        while true {
            let entry = slot.pointee
            guard entry != 0, entry >> 32 <= tag else { return nil }
            if entry >> 32 == tag {
                let index = UInt32(truncatingIfNeeded: entry) &- 1
                if isSame(index) { return index }
            }
            slot += 1
        }
    }

    /// Puts an index in; the caller has made sure that what it stands for is new.
    public mutating func insert(_ hash: UInt64, _ index: UInt32) {
        if UInt64(count + 1) * 8 > places * 7 { grow() }
        let entry = (hash >> 32) << 32 | UInt64(index &+ 1)
        while !place(entry) { lengthen() }
        count += 1
    }

    /// Takes an index out that was put in under this hash.
    public mutating func remove(_ hash: UInt64, _ index: UInt32) {
        let entry = (hash >> 32) << 32 | UInt64(index &+ 1)
        var slot = home(entry)
        while slots[slot] != entry {
            guard slots[slot] != 0 else { return }
            slot += 1
        }
        count -= 1
        // What follows moves up, as far as it stands behind its own place.
        while slots[slot + 1] != 0, home(slots[slot + 1]) <= slot {
            slots[slot] = slots[slot + 1]
            slot += 1
        }
        slots[slot] = 0
    }

    /// Forgets everything.
    public mutating func removeAll() {
        slots.update(repeating: 0, count: slotCount)
        count = 0
    }

    @inline(__always)
    private func home(_ entry: UInt64) -> Int { Int(truncatingIfNeeded: ((entry >> 32) &* places) >> 32) }

    /// Puts an entry behind all that are not larger; false when the slots do not reach so far.
    @inline(__always)
    private func place(_ entry: UInt64) -> Bool {
        var slot = home(entry)
        while slots[slot] != 0, slots[slot] < entry { slot += 1 }
        var end = slot
        while slots[end] != 0 { end += 1 }
        guard end < slotCount - 1 else { return false }
        if end > slot { memmove(slots + slot + 1, slots + slot, (end - slot) * 8) }
        slots[slot] = entry
        return true
    }

    @inline(never)
    private mutating func grow() {
        let old = slots
        let oldCount = slotCount
        places = places < 1024 ? places * 2 : places + places / 4
        slotCount = InternTable.slotCount(places)
        slots = InternTable.freeSlots(slotCount)
        // In ascending order, so each goes to its place or right behind the one before.
        var next = 0
        for slot in 0..<oldCount where old[slot] != 0 {
            next = max(next, home(old[slot]))
            if next >= slotCount - 1 { lengthen() }
            slots[next] = old[slot]
            next += 1
        }
        Glibc.free(old)
    }

    /// More slots behind the places, for entries of which too many want to stand at the end.
    private mutating func lengthen() {
        let more = slotCount + slotCount / 2
        let longer = InternTable.freeSlots(more)
        longer.update(from: slots, count: slotCount)
        Glibc.free(slots)
        slots = longer
        slotCount = more
    }

    private static func slotCount(_ places: UInt64) -> Int { Int(places + min(places, 256)) + 1 }

    private static func freeSlots(_ count: Int) -> UnsafeMutablePointer<UInt64> {
        guard let slots = calloc(count, 8) else { OutOfMemory.end("a table of series or groups", bytes: count * 8) }
        return slots.bindMemory(to: UInt64.self, capacity: count)
    }
}
