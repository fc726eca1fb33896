/// The series one task has met: label sets interned to dense indices, and the raw spellings that lead to them.
///
/// A *spelling* is the run of raw bytes that names a series in a format, such as `up{job="api"}` up to the blank before
/// the value. A line's bytes up to its value repeat exactly from scrape to scrape, so one comparison with the spelling
/// that followed last time, or else one hash, finds the series without parsing its labels. Several spellings may lead
/// to one series (labels in another order).
///
/// A series' text is kept once where it can be: its labels are told by where they stand in its first spelling
/// (`SeriesRecords`).
///
/// Owned by one task. Indices of forgotten series are used again; `forget` tells which.
public final class SeriesDictionary {
    @usableFromInline var records = SeriesRecords()
    /// Spellings by their bytes.
    @usableFromInline var bySpelling = InternTable()
    /// The spelling met last; 0 before the first.
    @usableFromInline var last: UInt32 = 0
    /// The one that followed it last time; 0 when none is known.
    @usableFromInline var foreseen: UInt32 = 0

    /// Series by their labels.
    private var byLabels = InternTable()
    /// The record that tells the labels of each index; 0 where it stands for nobody.
    private var labelRecords = GrowingRun<UInt32>()
    private var lastSeen = GrowingRun<Int64>()
    /// Where the labels of a new series stand; kept for its memory.
    private var places = PlaceList()
    var freeIndices: [UInt32] = []
    /// What checkpoints know; nil where there are none.
    var saved: SavedSeries?

    /// The largest number of series held at once.
    public let maxSeries: Int
    /// Indices given to new series since `takeNewIndices`.
    var newIndices: [UInt32] = []
    /// How often a series was added.
    public private(set) var insertions = 0
    /// How often a known series was given a spelling beyond the first one it had in this process.
    public private(set) var respellings = 0
    /// How often series were forgotten: indices found before may mean others since.
    public private(set) var generation = 0
    /// Called when a new series finds no room, before it is refused: the owner may forget old ones.
    public var onFull: (() -> Void)?
    /// The first series that found no room; names the metric that grew.
    public private(set) var refused: SeriesLabels?

    /// A dictionary that holds at most `maxSeries` series.
    public init(maxSeries: Int = 1_000_000) {
        self.maxSeries = maxSeries
    }

    /// One more than the largest index in use.
    public var indexBound: Int { labelRecords.count }
    /// How many series are held.
    public var seriesCount: Int { labelRecords.count - freeIndices.count }
    /// Largest event time of each series; `Int64.min` before the first sample. Another address after each new series.
    public var lastSeenMs: UnsafeMutablePointer<Int64> { lastSeen.base }
    /// Bytes held, but for what checkpoints know.
    public var byteCount: Int {
        records.byteCount + bySpelling.byteCount + byLabels.byteCount + labelRecords.byteCount + lastSeen.byteCount
            + freeIndices.capacity * 4
    }

    /// Whether an index stands for a series.
    func holds(_ index: Int) -> Bool { labelRecords[index] != 0 }

    /// The labels of a series held. An allocation: ask once a series, not once a sample.
    public func labels(of index: UInt32) -> SeriesLabels? {
        guard Int(index) < labelRecords.count, holds(Int(index)) else { return nil }
        return SeriesLabels(packed: records.packed(labelRecords[Int(index)]))
    }

    /// Hands out the texts of a series held, as `SeriesRecords` does.
    @inline(__always)
    func forEachText(of index: UInt32, _ body: (UnsafeBufferPointer<UInt8>) -> Bool) {
        guard Int(index) < labelRecords.count, holds(Int(index)) else { return }
        records.forEachText(labelRecords[Int(index)], body)
    }

    /// Gives the indices that stand for new series since the last call, and forgets the list.
    public func takeNewIndices() -> [UInt32] {
        // A restart, or the first scrape of very many, leaves a list that is not worth keeping.
        defer { newIndices.removeAll(keepingCapacity: newIndices.capacity <= 1 << 14) }
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
        let guess = foreseen
        guard guess != 0 else { return nil }
        let record = records.base + Int(guess) &* 4
        let length = Int(record.load(fromByteOffset: 8, as: UInt32.self) & SeriesRecords.lengthMask)
        guard length < available, start[length] == 0x20 || start[length] == 0x09,
            ByteHash.equal(
                (record + SeriesRecords.header).assumingMemoryBound(to: UInt8.self), start, length)
        else { return nil }
        last = guess
        foreseen = record.load(as: UInt32.self)
        return (record.load(fromByteOffset: 4, as: UInt32.self), length)
    }

    /// As `predict`, for spellings that end by themselves (a JSON string or object): whatever byte comes after will do.
    @inlinable
    @inline(__always)
    public func predictSelfDelimited(
        _ start: UnsafePointer<UInt8>, available: Int
    ) -> (series: UInt32, length: Int)? {
        let guess = foreseen
        guard guess != 0 else { return nil }
        let record = records.base + Int(guess) &* 4
        let length = Int(record.load(fromByteOffset: 8, as: UInt32.self) & SeriesRecords.lengthMask)
        guard length <= available,
            ByteHash.equal(
                (record + SeriesRecords.header).assumingMemoryBound(to: UInt8.self), start, length)
        else { return nil }
        last = guess
        foreseen = record.load(as: UInt32.self)
        return (record.load(fromByteOffset: 4, as: UInt32.self), length)
    }

    /// The spelling that followed the last one last time, for formats that compare it in their own way.
    @inlinable
    public var foreseenSpelling: ForeseenSpelling? {
        @inline(__always) get {
            let guess = foreseen
            guard guess != 0 else { return nil }
            let record = records.base + Int(guess) &* 4
            let word = record.load(fromByteOffset: 8, as: UInt32.self)
            let start = UnsafePointer((record + SeriesRecords.header).assumingMemoryBound(to: UInt8.self))
            let length = Int(word & SeriesRecords.lengthMask)
            // The first of the places; there are two bytes at least where there are any.
            let hasPlaces = word >> 24 != 0 && start[length] < 0x80 && start[length + 1] < 0x80
            return ForeseenSpelling(
                start: start, length: length, nameStart: hasPlaces ? Int(start[length] >> 1) : 0,
                nameLength: hasPlaces ? Int(start[length + 1]) : 0)
        }
    }

    /// `foreseenSpelling` came: gives its series.
    @inlinable
    @inline(__always)
    public func takeForeseen() -> UInt32 {
        let record = records.base + Int(foreseen) &* 4
        last = foreseen
        foreseen = record.load(as: UInt32.self)
        return record.load(fromByteOffset: 4, as: UInt32.self)
    }

    /// Finds the series of a spelling met before; remembers that it followed the last one.
    @inlinable
    public func find(_ start: UnsafePointer<UInt8>, length: Int) -> UInt32? {
        find(start, length: length, hash: ByteHash.hash(start, length))
    }

    /// The same where the spelling's `ByteHash` is known.
    @inlinable
    public func find(_ start: UnsafePointer<UInt8>, length: Int, hash: UInt64) -> UInt32? {
        let base = records.base
        let found = bySpelling.find(hash) { candidate in
            let record = base + Int(candidate) &* 4
            return Int(record.load(fromByteOffset: 8, as: UInt32.self) & SeriesRecords.lengthMask) == length
                && ByteHash.equal(
                    (record + SeriesRecords.header).assumingMemoryBound(to: UInt8.self), start, length)
        }
        guard let found else { return nil }
        follow(found)
        return (base + Int(found) &* 4).load(fromByteOffset: 4, as: UInt32.self)
    }

    /// A spelling followed the last one.
    @inlinable
    @inline(__always)
    func follow(_ record: UInt32) {
        let base = records.base
        if last != 0 { (base + Int(last) &* 4).storeBytes(of: record, as: UInt32.self) }
        last = record
        foreseen = (base + Int(record) &* 4).load(as: UInt32.self)
    }

    /// Whether yet another spelling of a series already known is worth its memory: up to four for each, and 1024 more.
    public var hasSpellingRoom: Bool { bySpelling.count < seriesCount * 4 + 1024 }

    /// Interns a series under a new spelling. Gives `SampleBatch.overLimit` when there is no room for another series
    /// (the spelling is then not kept). Nor is one kept beyond eight for each series (and 4096 more): a producer that
    /// writes labels in random order would otherwise grow memory without end. Nor beyond 16 GiB of them in all, or one of
    /// 16 MiB.
    public func insert(_ start: UnsafePointer<UInt8>, length: Int, labels: SeriesLabels) -> UInt32 {
        let stand = labels.list(in: start, length, places: &places)
        return labels.packed.withUnsafeBufferPointer { packed in
            intern(packed, spelling: Spelling(start: start, length: length, hash: nil, hasPlaces: stand))
        }
    }

    /// The same of a series that `PlainLabels.pack` made; `hash` is the spelling's `ByteHash` where it is known.
    public func insert(
        _ start: UnsafePointer<UInt8>, length: Int, hash: UInt64? = nil, plain: PlainLabels
    ) -> UInt32 {
        let stand = plain.list(in: start, length, places: &places)
        return intern(plain.packed, spelling: Spelling(start: start, length: length, hash: hash, hasPlaces: stand))
    }

    /// The index of a label set, new or known; `SampleBatch.overLimit` when there is no room for another series.
    public func index(of labels: SeriesLabels) -> UInt32 {
        labels.packed.withUnsafeBufferPointer { intern($0, spelling: nil) }
    }

    private struct Spelling {
        let start: UnsafePointer<UInt8>
        let length: Int
        let hash: UInt64?
        /// Whether `places` tells where the labels stand in it.
        let hasPlaces: Bool
    }

    /// The index of packed labels, and a spelling of theirs.
    private func intern(_ packed: UnsafeBufferPointer<UInt8>, spelling: Spelling?) -> UInt32 {
        let hash = ByteHash.hash(packed)
        let known = known(packed, hash: hash)
        if known == nil, seriesCount >= maxSeries { onFull?() }
        guard known != nil || (seriesCount < maxSeries && records.hasRoom(packed.count)) else {
            refused = refused ?? SeriesLabels(packed: Array(packed))
            return SampleBatch.overLimit
        }
        let index = known ?? newIndex()
        if known != nil, !records.isLabels(labelRecords[Int(index)]) { respellings += 1 }
        var record: UInt32?
        if let spelling, bySpelling.count < seriesCount * 8 + 4096, spelling.length <= SeriesRecords.maxSpelling,
            records.hasRoom(packed.count + spelling.length)
        {
            record = add(spelling, of: index)
        }
        if known == nil {
            if labelRecords[Int(index)] == 0 { labelRecords[Int(index)] = records.add(packed: packed, series: index) }
            saved?.add(index)
            byLabels.insert(hash, index)
            newIndices.append(index)
            insertions += 1
        }
        if record != nil, records.isWasteful { compact() }
        return index
    }

    /// Keeps a spelling of a series, whose labels it tells from then on where it has their places and no other has.
    private func add(_ spelling: Spelling, of index: UInt32) -> UInt32 {
        let old = labelRecords[Int(index)]
        let tellsLabels = spelling.hasPlaces && (old == 0 || records.isLabels(old))
        let record = records.add(
            spelling: spelling.start, length: spelling.length,
            places: tellsLabels ? places.bytes : UnsafeBufferPointer(start: nil, count: 0), series: index)
        if tellsLabels {
            if old != 0 { records.drop(old) }
            labelRecords[Int(index)] = record
        }
        bySpelling.insert(spelling.hash ?? ByteHash.hash(spelling.start, spelling.length), record)
        follow(record)
        return record
    }

    private func newIndex() -> UInt32 {
        if let free = freeIndices.popLast() {
            lastSeen[Int(free)] = .min
            return free
        }
        append()
        return UInt32(labelRecords.count - 1)
    }

    private func known(_ packed: UnsafeBufferPointer<UInt8>, hash: UInt64) -> UInt32? {
        byLabels.find(hash) { records.isSame(labelRecords[Int($0)], packed) }
    }

    /// Gives a label set the index it had; false where it has one already. For what a checkpoint held.
    func restore(_ labels: SeriesLabels, at index: UInt32) -> Bool {
        labels.packed.withUnsafeBufferPointer { packed in
            let hash = labels.hash64
            guard known(packed, hash: hash) == nil, records.hasRoom(packed.count) else { return false }
            labelRecords[Int(index)] = records.add(packed: packed, series: index)
            byLabels.insert(hash, index)
            return true
        }
    }

    /// Takes a series away; its index stands for nobody. Its spellings go when `compact` is called, which must be before
    /// the index is used again.
    func remove(_ index: UInt32, _ labels: SeriesLabels) {
        byLabels.remove(labels.hash64, index)
        records.drop(labelRecords[Int(index)])
        labelRecords[Int(index)] = 0
    }

    /// Makes the next index, for nobody yet.
    func append() {
        labelRecords.append(0)
        lastSeen.append(.min)
    }

    /// The time of the series that would be forgotten first; `Int64.max` when there is none. O(series).
    public var oldestSeenMs: Int64 {
        var oldest = Int64.max
        for index in 0..<indexBound where holds(index) { oldest = min(oldest, lastSeen[index]) }
        return oldest
    }

    /// The series whose last sample is older than `horizonMs`. O(series).
    public func indices(lastSeenBefore horizonMs: Int64) -> [UInt32] {
        var old: [UInt32] = []
        for index in 0..<indexBound where lastSeen[index] < horizonMs && holds(index) { old.append(UInt32(index)) }
        return old
    }

    /// Forgets series, with their spellings; the caller has forgotten what it kept under their indices. O(series).
    public func forget(_ gone: [UInt32]) {
        guard !gone.isEmpty else { return }
        for index in gone {
            guard let labels = labels(of: index) else { continue }
            remove(index, labels)
            saved?.forget(index)
            freeIndices.append(index)
        }
        generation += 1
        compact()
    }

    /// Moves together what is of use.
    func compact() {
        bySpelling.removeAll()
        last = 0
        foreseen = 0
        records.compact(labelRecords: labelRecords, spellings: &bySpelling)
    }

    /// Whether `compact` would give back half of the memory, or spellings of removed series may be there.
    var needsCompacting: Bool { records.isWasteful || bySpelling.count > 0 }
}

/// A spelling that is expected next.
public struct ForeseenSpelling {
    /// Its first byte; good until the dictionary changes.
    public let start: UnsafePointer<UInt8>
    public let length: Int
    /// Where the metric name stands in it, and its length in bytes; 0 where that is not told.
    public let nameStart: Int
    public let nameLength: Int

    @inlinable
    @inline(__always)
    init(start: UnsafePointer<UInt8>, length: Int, nameStart: Int, nameLength: Int) {
        self.start = start
        self.length = length
        self.nameStart = nameStart
        self.nameLength = nameLength
    }
}
