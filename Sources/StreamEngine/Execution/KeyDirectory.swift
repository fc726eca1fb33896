import Glibc
import Platform

/// The group keys of a query over all its partitions, interned to dense indices that remember their order. Owned by the
/// coordinator.
///
/// The cells of a column (metric names, instances) are far fewer than keys. So a key is kept as the number of each of its
/// cells: keys are told apart and put in order by small numbers, and a row's key columns are those numbers.
struct KeyDirectory: ~Copyable {
    /// The cells of each column; with `without`, whose keys have no columns, whole keys.
    let columns: [KeyCells]
    private let isByColumn: Bool
    /// The cells of each key, one key after the other.
    private var cells = GrowingRun<UInt32>()
    private var byKey = InternTable()
    private(set) var count = 0
    /// Indices in key order, of the keys known when it was made.
    private var order: [UInt32] = []
    private var ranks: [UInt32] = []
    /// The newest window end in which a key was used, ms.
    private var lastUsedMs = GrowingRun<Int64>()
    /// The cells of the key that is looked up; kept for its memory.
    private var wanted: [UInt32]

    /// A directory of keys with so many columns; nil: of keys that have none.
    init(columnCount: Int?) {
        isByColumn = columnCount != nil
        columns = (0..<(columnCount ?? 1)).map { _ in KeyCells() }
        wanted = Array(repeating: 0, count: columns.count)
    }

    // MARK: Keys

    /// The index of a key, new or known.
    mutating func index(of key: GroupKey) -> UInt32 { key.packed.withUnsafeBufferPointer { index(ofPacked: $0) } }

    /// The index of a key by its packed bytes, new or known.
    mutating func index(ofPacked key: UnsafeBufferPointer<UInt8>) -> UInt32 {
        var at = 0
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
        for (column, known) in columns.enumerated() {
            let rest = UnsafeBufferPointer(rebasing: key[at...])
            let length = isByColumn ? GroupKey.cellLength(rest) : rest.count
            let cell = known.index(of: UnsafeBufferPointer(rebasing: rest[..<length]))
            wanted[column] = cell
            let mixed = (hash ^ UInt64(cell)).multipliedFullWidth(by: 0xA076_1D64_78BD_642F)
            hash = mixed.high ^ mixed.low
            at += length
        }
        let width = columns.count
        let found = byKey.find(hash) { index in
            let start = Int(index) * width
            for column in 0..<width where cells[start + column] != wanted[column] { return false }
            return true
        }
        if let found { return found }
        guard count < Int(UInt32.max) - 1 else {
            OutOfMemory.end(
                """
                a query holds 4,294,967,294 keys, as many as can be told apart; group by fewer labels, or let keys be \
                forgotten sooner (limits.keyTTL)
                """)
        }
        let index = UInt32(truncatingIfNeeded: count)
        byKey.insert(hash, index)
        for cell in wanted { cells.append(cell) }
        lastUsedMs.append(.min)
        count += 1
        return index
    }

    /// A key by its index.
    func key(_ index: UInt32) -> GroupKey {
        var packed: [UInt8] = []
        for column in columns.indices { packed.append(contentsOf: columns[column].bytes(cell(of: index, column))) }
        return GroupKey(packed: packed)
    }

    /// The cell that a key has in a column.
    @inline(__always)
    func cell(of index: UInt32, _ column: Int) -> UInt32 { cells[Int(index) * columns.count + column] }

    // MARK: Order

    /// The place of each key in key order. O(all) when keys have come since the last call, else O(1).
    mutating func currentRanks() -> [UInt32] {
        guard order.count < count else { return ranks }
        let cellRanks = columns.map { $0.currentRanks() }
        if (count - order.count) * 16 > count {
            order = sortedByCounting(cellRanks)
        } else {
            let width = columns.count
            let precedes = { [cells = cells.base] (a: UInt32, b: UInt32) -> Bool in
                for column in 0..<width {
                    let x = cellRanks[column][Int(cells[Int(a) * width + column])]
                    let y = cellRanks[column][Int(cells[Int(b) * width + column])]
                    if x != y { return x < y }
                }
                return false
            }
            var new = Array(UInt32(order.count)..<UInt32(count))
            new.sort(by: precedes)
            order = MergedOrder.merge(order, new, precedes)
        }
        ranks = MergedOrder.ranks(order)
        return ranks
    }

    /// All keys in order: by each column in turn, the last one first, each pass keeping the order of those before.
    private func sortedByCounting(_ cellRanks: [[UInt32]]) -> [UInt32] {
        let width = columns.count
        var order = Array(0..<UInt32(count))
        var target = [UInt32](repeating: 0, count: count)
        for column in columns.indices.reversed() {
            let ranks = cellRanks[column]
            var starts = [UInt32](repeating: 0, count: ranks.count + 1)
            for key in 0..<count { starts[Int(ranks[Int(cells[key * width + column])]) + 1] += 1 }
            for rank in ranks.indices { starts[rank + 1] += starts[rank] }
            for key in order {
                let rank = Int(ranks[Int(cells[Int(key) * width + column])])
                target[Int(starts[rank])] = key
                starts[rank] += 1
            }
            swap(&order, &target)
        }
        return order
    }

    // MARK: Age

    /// Notes that keys are used in a window that ends at `endMs`.
    func touch(_ used: [UInt32], endMs: Int64) {
        for key in used where lastUsedMs[Int(key)] < endMs { lastUsedMs[Int(key)] = endMs }
    }

    /// Forgets keys that were last used before `horizonMs`, when they are many. Then every index may change: gives the new
    /// index of each old one, `UInt32.max` for those gone. Nil when nothing was done.
    mutating func forget(before horizonMs: Int64) -> [UInt32]? {
        var gone = 0
        for index in 0..<count where lastUsedMs[index] < horizonMs { gone += 1 }
        guard gone > 256, gone > count / 4 else { return nil }
        var kept = KeyDirectory(columnCount: isByColumn ? columns.count : nil)
        var newIndex = [UInt32](repeating: .max, count: count)
        for index in 0..<count where lastUsedMs[index] >= horizonMs {
            newIndex[index] = kept.index(of: key(UInt32(index)))
            kept.touch([newIndex[index]], endMs: lastUsedMs[index])
        }
        self = kept
        return newIndex
    }
}

/// The different cells of one column of keys, packed as they stand there, interned to dense indices.
final class KeyCells {
    private var packed = ByteRuns()
    private var places = GrowingRun<UInt32>()
    private var byCell = InternTable()
    private var order: [UInt32] = []
    private var ranks: [UInt32] = []
    /// The cell that was looked up after each, the last time: keys come as their series were first seen, and names repeat
    /// from instance to instance.
    private var followers = GrowingRun<UInt32>()
    private var last: UInt32 = 0

    var count: Int { places.count }

    /// The bytes of a cell.
    @inline(__always)
    func bytes(_ cell: UInt32) -> UnsafeBufferPointer<UInt8> { packed.bytes(places[Int(cell)]) }

    /// The index of a cell, new or known.
    func index(of cell: UnsafeBufferPointer<UInt8>) -> UInt32 {
        if count > 0 {
            let guess = followers[Int(last)]
            if isSame(guess, cell) {
                last = guess
                return guess
            }
        }
        let index = found(cell)
        if count > 1 { followers[Int(last)] = index }
        last = index
        return index
    }

    private func found(_ cell: UnsafeBufferPointer<UInt8>) -> UInt32 {
        let hash = cell.baseAddress.map { ByteHash.hash($0, cell.count) } ?? 0
        if let known = byCell.find(hash, isSame: { isSame($0, cell) }) { return known }
        // Below 2^31: each cell has 8 bytes or more of 16 GiB.
        let index = UInt32(truncatingIfNeeded: count)
        byCell.insert(hash, index)
        guard let place = packed.add(cell) else {
            OutOfMemory.end(
                """
                the different values of one key column take 16 GiB, as much as can be told apart; group by fewer or shorter \
                labels, or let keys be forgotten sooner (limits.keyTTL); limits.maxStateBytes stops a job before it comes \
                to this
                """)
        }
        places.append(place)
        followers.append(index)
        return index
    }

    @inline(__always)
    private func isSame(_ index: UInt32, _ cell: UnsafeBufferPointer<UInt8>) -> Bool {
        let known = bytes(index)
        guard known.count == cell.count else { return false }
        guard let a = known.baseAddress, let b = cell.baseAddress else { return true }
        return ByteHash.equal(a, b, cell.count)
    }

    /// The place of each cell in their order. O(all) when cells have come since the last call, else O(1).
    func currentRanks() -> [UInt32] {
        guard order.count < count else { return ranks }
        var new = Array(UInt32(order.count)..<UInt32(count))
        PackedOrder.sort(&new) { bytes($0) }
        order = MergedOrder.merge(order, new) { PackedOrder.precedes(bytes($0), bytes($1)) }
        ranks = MergedOrder.ranks(order)
        return ranks
    }
}
