import Platform

/// The keys one detector knows: dense indices, their order, and when each had its last row.
struct DetectorKeys {
    private(set) var keys: [GroupKey] = []
    private var indexByKey: [GroupKey: UInt32] = [:]
    /// Keys that had a row by now, in key order: those that have ticks.
    private(set) var order: [UInt32] = []
    /// The end of the last window with a row, ms; `Int64.min` before the first.
    private(set) var lastSeenMs: [Int64] = []

    var count: Int { keys.count }

    /// The index of a key, new or known.
    mutating func index(of key: GroupKey) -> UInt32 {
        if let known = indexByKey[key] { return known }
        let index = UInt32(keys.count)
        indexByKey[key] = index
        keys.append(key)
        lastSeenMs.append(.min)
        return index
    }

    /// Notes a row of a key in a window that ends at `endMs`.
    mutating func see(_ index: UInt32, endMs: Int64) { lastSeenMs[Int(index)] = endMs }

    /// Gives ticks from now on to those of `rows` (in key order) that have none yet. O(known) when there are any.
    mutating func admit(_ rows: [UInt32]) {
        let new = rows.filter { lastSeenMs[Int($0)] == .min }
        guard !new.isEmpty else { return }
        var merged: [UInt32] = []
        merged.reserveCapacity(order.count + new.count)
        var next = 0
        for index in order {
            while next < new.count, keys[Int(new[next])] < keys[Int(index)] {
                merged.append(new[next])
                next += 1
            }
            merged.append(index)
        }
        merged.append(contentsOf: new[next...])
        order = merged
    }

    /// The oldest time at which a known key had its last row; nil without keys. O(known).
    var oldestSeenMs: Int64? { order.lazy.map { lastSeenMs[Int($0)] }.min() }

    /// Forgets keys. Gives the new index of each old one, `UInt32.max` for those gone; the order of the others is kept.
    mutating func forget(_ gone: (Int) -> Bool) -> [UInt32] {
        var newIndex = [UInt32](repeating: .max, count: keys.count)
        var kept = 0
        for index in keys.indices where !gone(index) {
            newIndex[index] = UInt32(kept)
            keys[kept] = keys[index]
            lastSeenMs[kept] = lastSeenMs[index]
            kept += 1
        }
        keys.removeLast(keys.count - kept)
        lastSeenMs.removeLast(lastSeenMs.count - kept)
        indexByKey = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, UInt32($0)) })
        order = order.compactMap { newIndex[Int($0)] == .max ? nil : newIndex[Int($0)] }
        return newIndex
    }

    func encode(to writer: inout ByteWriter) {
        writer.writeCount(keys.count)
        for (key, seenMs) in zip(keys, lastSeenMs) {
            writer.write(key)
            writer.write(seenMs)
        }
    }

    init() {}

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let count = try reader.readCount(bytesEach: 9)
        for place in 0..<count {
            guard index(of: try reader.readGroupKey()) == UInt32(place) else {
                throw DecodingFailure("a key stands there twice")
            }
            lastSeenMs[place] = try reader.read()
        }
        let known = keys.indices.filter { lastSeenMs[$0] != .min }.map { UInt32($0) }
        order = known.sorted { keys[Int($0)] < keys[Int($1)] }
    }
}
