import Glibc

/// A key that directories intern and put in order.
protocol InternedKey: Hashable, Comparable {
    /// A hash in memory only; equal keys have equal ones.
    var hash64: UInt64 { get }
}

/// Sorts runs of bytes eight at a time.
///
/// Cells of one column share beginnings (`node-`): what all of a range share is skipped, the next
/// eight bytes are sorted as one number beside the index, and ranges of equal numbers go on behind them. Comparing
/// whole keys instead would follow two pointers and miss the cache for each of n log n comparisons.
enum PackedOrder {
    private struct Entry {
        var word: UInt64
        var index: UInt32
    }

    /// Sorts `indices` by the bytes each stands for; a run before every longer one that begins with it.
    static func sort(_ indices: inout [UInt32], bytes: (UInt32) -> UnsafeBufferPointer<UInt8>) {
        guard indices.count > 16 else {
            indices.sort { precedes(bytes($0), bytes($1)) }
            return
        }
        var entries = indices.map { Entry(word: 0, index: $0) }
        // Ranges still to be sorted, and how many bytes all of each share.
        var pending = [(range: entries.indices, shared: 0)]
        while let (range, known) = pending.popLast() {
            if range.count <= 16 {
                entries[range].sort { precedes(bytes($0.index), bytes($1.index)) }
                continue
            }
            let shared = commonLength(entries[range], from: known, bytes: bytes)
            for place in range { entries[place].word = word(bytes(entries[place].index), at: shared) }
            entries[range].sort { $0.word < $1.word }
            var start = range.lowerBound
            for place in range.dropFirst() where entries[place].word != entries[start].word {
                if place - start > 1 { pending.append((start..<place, shared)) }
                start = place
            }
            if range.upperBound - start > 1, start > range.lowerBound || hasMore(bytes(entries[start].index), shared) {
                pending.append((start..<range.upperBound, shared))
            }
        }
        for place in entries.indices { indices[place] = entries[place].index }
    }

    private static func hasMore(_ bytes: UnsafeBufferPointer<UInt8>, _ shared: Int) -> Bool { bytes.count > shared }

    /// How many bytes all of a range share, at least `known`.
    private static func commonLength(
        _ entries: ArraySlice<Entry>, from known: Int, bytes: (UInt32) -> UnsafeBufferPointer<UInt8>
    ) -> Int {
        guard let first = entries.first.map({ bytes($0.index) }) else { return known }
        var shared = first.count
        for entry in entries {
            let other = bytes(entry.index)
            let limit = min(shared, other.count)
            var length = known
            while length < limit, first[length] == other[length] { length += 1 }
            shared = length
            if shared == known { break }
        }
        return shared
    }

    /// Eight bytes as a number that orders as they do. Beyond the end come zeros: as packed runs are prefix-free but for
    /// whole cells, which begin above zero, a run that ends here comes first.
    private static func word(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> UInt64 {
        let raw = UnsafeRawBufferPointer(bytes)
        if start + 8 <= raw.count { return raw.loadUnaligned(fromByteOffset: start, as: UInt64.self).bigEndian }
        var word: UInt64 = 0
        var at = start
        while at < raw.count {
            word = word << 8 | UInt64(raw[at])
            at += 1
        }
        let missing = start + 8 - max(start, raw.count)
        return missing >= 8 ? 0 : word << UInt64(8 * missing)
    }

    /// Bytewise order, a run before every longer one that begins with it.
    static func precedes(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let p = a.baseAddress, let q = b.baseAddress else { return a.count < b.count }
        let order = memcmp(p, q, min(a.count, b.count))
        return order != 0 ? order < 0 : a.count < b.count
    }
}
