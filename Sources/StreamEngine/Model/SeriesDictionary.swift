/// The series one task has met: label sets interned to dense indices, and the raw spellings that lead to them.
///
/// A *spelling* is the run of raw bytes that names a series in a format, such as `up{job="api"}` up to the blank before
/// the value. A line's bytes up to its value repeat exactly from scrape to scrape, so one comparison with the spelling
/// that followed last time, or else one hash, finds the series without parsing its labels. Several spellings may lead
/// to one series (labels in another order).
///
/// Owned by one task. Indices of forgotten series are used again; `forget` tells which.
public final class SeriesDictionary {
    /// One known spelling; its bytes stand in `arena`.
    @usableFromInline
    struct Spelling {
        @usableFromInline var hash: UInt64
        @usableFromInline var start: UInt32
        @usableFromInline var length: UInt32
        @usableFromInline var series: UInt32
        /// The spelling that followed this one last time; -1 when none is known.
        @usableFromInline var next: Int32
    }

    @usableFromInline var spellings: UnsafeMutablePointer<Spelling>
    @usableFromInline var spellingCount = 0
    @usableFromInline var spellingCapacity = 64
    @usableFromInline var arena: UnsafeMutablePointer<UInt8>
    @usableFromInline var arenaCount = 0
    @usableFromInline var arenaCapacity = 4096
    /// Open addressing, power of two, -1 is free.
    @usableFromInline var table: UnsafeMutablePointer<Int32>
    @usableFromInline var tableMask = 127
    /// The spelling met last; -1 before the first.
    @usableFromInline var last: Int32 = -1

    /// Series by their labels.
    private var byLabels = InternTable()
    private(set) var labelArena = LabelArena()
    var freeIndices: [UInt32] = []
    /// What checkpoints know; nil where there are none.
    var saved: SavedSeries?
    /// Largest event time of each series; `Int64.min` before the first sample.
    public private(set) var lastSeenMs: UnsafeMutablePointer<Int64>
    private var lastSeenCapacity = 256

    /// The largest number of series held at once.
    public let maxSeries: Int
    /// Indices given to new series since `takeNewIndices`.
    var newIndices: [UInt32] = []
    /// How often a series was added.
    public private(set) var insertions = 0
    /// How often series were forgotten: indices found before may mean others since.
    public private(set) var generation = 0
    /// Called when a new series finds no room, before it is refused: the owner may forget old ones.
    public var onFull: (() -> Void)?
    /// The first series that found no room; names the metric that grew.
    public private(set) var refused: SeriesLabels?

    /// A dictionary that holds at most `maxSeries` series.
    public init(maxSeries: Int = 1_000_000) {
        self.maxSeries = maxSeries
        spellings = .allocate(capacity: spellingCapacity)
        arena = .allocate(capacity: arenaCapacity)
        table = .allocate(capacity: tableMask + 1)
        table.initialize(repeating: -1, count: tableMask + 1)
        lastSeenMs = .allocate(capacity: lastSeenCapacity)
        lastSeenMs.initialize(repeating: .min, count: lastSeenCapacity)
    }

    deinit {
        spellings.deallocate()
        arena.deallocate()
        table.deallocate()
        lastSeenMs.deallocate()
    }

    /// One more than the largest index in use.
    public var indexBound: Int { labelArena.count }
    /// How many series are held.
    public var seriesCount: Int { labelArena.count - freeIndices.count }

    /// The labels of a series held. An allocation: ask once a series, not once a sample.
    public func labels(of index: UInt32) -> SeriesLabels? { labelArena.labels(Int(index)) }

    /// Gives the indices that stand for new series since the last call, and forgets the list.
    public func takeNewIndices() -> [UInt32] {
        defer { newIndices.removeAll(keepingCapacity: true) }
        return newIndices
    }

    // MARK: Spellings

    /// If the bytes at `start` begin with the spelling that followed the last one last time, and a blank (0x20 or 0x09)
    /// comes right after, gives its length and series. Constant time but for the comparison.
    @inlinable
    @inline(__always)
    public func predict(
        _ start: UnsafePointer<UInt8>, available: Int
    ) -> (series: UInt32, length: Int)? {
        guard last >= 0 else { return nil }
        let guess = spellings[Int(last)].next
        guard guess >= 0 else { return nil }
        let length = Int(spellings[Int(guess)].length)
        guard length < available, start[length] == 0x20 || start[length] == 0x09,
            ByteHash.equal(arena + Int(spellings[Int(guess)].start), start, length)
        else { return nil }
        last = guess
        return (spellings[Int(guess)].series, length)
    }

    /// As `predict`, for spellings that end by themselves (a JSON string or object): whatever byte comes after will do.
    @inlinable
    @inline(__always)
    public func predictSelfDelimited(
        _ start: UnsafePointer<UInt8>, available: Int
    ) -> (series: UInt32, length: Int)? {
        guard last >= 0 else { return nil }
        let guess = spellings[Int(last)].next
        guard guess >= 0 else { return nil }
        let length = Int(spellings[Int(guess)].length)
        guard length <= available, ByteHash.equal(arena + Int(spellings[Int(guess)].start), start, length) else {
            return nil
        }
        last = guess
        return (spellings[Int(guess)].series, length)
    }

    /// Finds the series of a spelling met before; remembers that it followed the last one.
    @inlinable
    public func find(_ start: UnsafePointer<UInt8>, length: Int) -> UInt32? {
        let hash = ByteHash.hash(start, length)
        var slot = Int(truncatingIfNeeded: hash) & tableMask
        while table[slot] >= 0 {
            let candidate = Int(table[slot])
            if spellings[candidate].hash == hash, Int(spellings[candidate].length) == length,
                ByteHash.equal(arena + Int(spellings[candidate].start), start, length)
            {
                if last >= 0 { spellings[Int(last)].next = Int32(truncatingIfNeeded: candidate) }
                last = Int32(truncatingIfNeeded: candidate)
                return spellings[candidate].series
            }
            slot = (slot + 1) & tableMask
        }
        return nil
    }

    /// Whether yet another spelling of a series already known is worth its memory: up to four for each, and 1024 more.
    public var hasSpellingRoom: Bool { spellingCount < seriesCount * 4 + 1024 }

    /// Interns a series under a new spelling. Gives `SampleBatch.overLimit` when there is no room for another series
    /// (the spelling is then not kept). Nor is one kept beyond eight for each series (and 4096 more): a producer that
    /// writes labels in random order would otherwise grow memory without end. Nor beyond 4 GiB of them in all.
    public func insert(_ start: UnsafePointer<UInt8>, length: Int, labels: SeriesLabels) -> UInt32 {
        let index = self.index(of: labels)
        guard index != SampleBatch.overLimit, spellingCount < seriesCount * 8 + 4096,
            arenaCount + length <= Int(UInt32.max)
        else { return index }
        if arenaCount + length > arenaCapacity {
            while arenaCount + length > arenaCapacity { arenaCapacity *= 2 }
            let grown = UnsafeMutablePointer<UInt8>.allocate(capacity: arenaCapacity)
            grown.update(from: arena, count: arenaCount)
            arena.deallocate()
            arena = grown
        }
        if spellingCount == spellingCapacity {
            spellingCapacity *= 2
            let grown = UnsafeMutablePointer<Spelling>.allocate(capacity: spellingCapacity)
            grown.update(from: spellings, count: spellingCount)
            spellings.deallocate()
            spellings = grown
        }
        (arena + arenaCount).update(from: start, count: length)
        let spelling = spellingCount
        spellings[spelling] = Spelling(
            hash: ByteHash.hash(start, length), start: UInt32(arenaCount), length: UInt32(length), series: index,
            next: -1)
        arenaCount += length
        spellingCount += 1
        if spellingCount * 2 > tableMask { rebuildTable(capacity: (tableMask + 1) * 2) } else { place(spelling) }
        if last >= 0 { spellings[Int(last)].next = Int32(spelling) }
        last = Int32(spelling)
        return index
    }

    /// The index of a label set, new or known; `SampleBatch.overLimit` when there is no room for another series.
    public func index(of labels: SeriesLabels) -> UInt32 {
        let hash = labels.hash64
        if let known = known(labels, hash: hash) { return known }
        if seriesCount >= maxSeries { onFull?() }
        guard seriesCount < maxSeries else {
            refused = refused ?? labels
            return SampleBatch.overLimit
        }
        let index: UInt32
        if let free = freeIndices.popLast() {
            index = free
        } else {
            index = UInt32(labelArena.count)
            append()
        }
        labelArena.put(labels, at: Int(index))
        lastSeenMs[Int(index)] = .min
        saved?.add(index)
        byLabels.insert(hash, index)
        newIndices.append(index)
        insertions += 1
        return index
    }

    private func known(_ labels: SeriesLabels, hash: UInt64) -> UInt32? {
        byLabels.find(hash) { labelArena.isSame(Int($0), labels) }
    }

    /// Gives a label set the index it had; false where it has one already. For what a checkpoint held.
    func restore(_ labels: SeriesLabels, at index: UInt32) -> Bool {
        let hash = labels.hash64
        guard known(labels, hash: hash) == nil else { return false }
        labelArena.put(labels, at: Int(index))
        byLabels.insert(hash, index)
        return true
    }

    /// Takes a series away; its index stands for nobody.
    func remove(_ index: UInt32, _ labels: SeriesLabels) {
        byLabels.remove(labels.hash64, index)
        labelArena.remove(Int(index))
    }

    /// Makes the next index, for nobody yet.
    func append() {
        labelArena.append()
        guard labelArena.count > lastSeenCapacity else { return }
        let grown = UnsafeMutablePointer<Int64>.allocate(capacity: lastSeenCapacity * 2)
        grown.update(from: lastSeenMs, count: lastSeenCapacity)
        (grown + lastSeenCapacity).initialize(repeating: .min, count: lastSeenCapacity)
        lastSeenMs.deallocate()
        lastSeenMs = grown
        lastSeenCapacity *= 2
    }

    /// The time of the series that would be forgotten first; `Int64.max` when there is none. O(series).
    public var oldestSeenMs: Int64 {
        var oldest = Int64.max
        for index in 0..<labelArena.count where labelArena.holds(index) {
            oldest = min(oldest, lastSeenMs[index])
        }
        return oldest
    }

    /// Forgets every series whose last sample is older than `horizonMs`, with its spellings. O(series). Returns the
    /// indices set free; the caller forgets what it kept under them.
    public func forget(lastSeenBefore horizonMs: Int64) -> [UInt32] {
        var gone: [UInt32] = []
        for index in 0..<labelArena.count where lastSeenMs[index] < horizonMs {
            guard let labels = labelArena.labels(index) else { continue }
            remove(UInt32(index), labels)
            saved?.forget(UInt32(index))
            gone.append(UInt32(index))
        }
        guard !gone.isEmpty else { return gone }
        generation += 1
        freeIndices.append(contentsOf: gone)
        compactSpellings()
        return gone
    }

    private func compactSpellings() {
        var kept = 0
        var bytes = 0
        for i in 0..<spellingCount where labelArena.holds(Int(spellings[i].series)) {
            var spelling = spellings[i]
            (arena + bytes).update(from: arena + Int(spelling.start), count: Int(spelling.length))
            spelling.start = UInt32(bytes)
            spelling.next = -1
            bytes += Int(spelling.length)
            spellings[kept] = spelling
            kept += 1
        }
        spellingCount = kept
        arenaCount = bytes
        last = -1
        rebuildTable(capacity: tableMask + 1)
    }

    private func rebuildTable(capacity: Int) {
        table.deallocate()
        table = .allocate(capacity: capacity)
        table.initialize(repeating: -1, count: capacity)
        tableMask = capacity - 1
        for spelling in 0..<spellingCount { place(spelling) }
    }

    private func place(_ spelling: Int) {
        var slot = Int(truncatingIfNeeded: spellings[spelling].hash) & tableMask
        while table[slot] >= 0 { slot = (slot + 1) & tableMask }
        table[slot] = Int32(spelling)
    }
}
