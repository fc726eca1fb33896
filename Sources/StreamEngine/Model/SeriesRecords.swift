/// The texts of a partition's series, one record behind the other in one run of memory.
///
/// A record is a *spelling*, with the places of the series' name, label names and label values within it where each stands
/// there as it is (the usual case): then the series' labels need no bytes of their own. Otherwise, and for series read
/// from a checkpoint, labels have a record without spelling.
///
///     spelling   next (4 bytes) · series (4) · length (3) · size of the places (1) · bytes · places
///     labels     length / 2^24 (4) · series (4) · length mod 2^24 (3) · 255 (1) · packed bytes (`OrderedText`)
///
/// `next` is the record of the spelling that followed last time, 0 when none is known. Places are a `PlaceList`.
///
/// A record is known by its offset, counted in four bytes, so 16 GiB of them can be told apart. 0 is no record.
@usableFromInline
struct SeriesRecords: ~Copyable {
    private var run = GrowingRun<UInt8>()
    /// Bytes of records that are of no use any more.
    private var wasted = 0

    @usableFromInline static let header = 12
    @usableFromInline static let lengthMask: UInt32 = 0xFF_FFFF
    private static let labelsMark: UInt32 = 0xFF
    /// The longest spelling that is kept.
    static let maxSpelling = Int(lengthMask)
    /// More than two headers, their padding and a list of places take.
    private static let mostBeside = 512
    /// A record of nobody.
    static let nobody = UInt32.max

    init() { _ = run.extend(by: 4) }

    /// Where record 0 would begin.
    @usableFromInline var base: UnsafeMutableRawPointer {
        @inline(__always) get { UnsafeMutableRawPointer(run.base) }
    }

    /// Bytes taken.
    var byteCount: Int { run.byteCount }
    /// Whether half of the bytes are of no use.
    var isWasteful: Bool { wasted > 1 << 16 && wasted > run.count / 2 }

    /// Whether a spelling and labels that are so long together can have records that are told from all others.
    func hasRoom(_ bytes: Int) -> Bool { run.count + bytes + SeriesRecords.mostBeside < 1 << 34 }

    private func at(_ record: UInt32) -> UnsafeMutableRawPointer { base + Int(record) * 4 }

    private func word(_ record: UInt32) -> UInt32 { at(record).load(fromByteOffset: 8, as: UInt32.self) }

    // MARK: Writing

    /// Adds a spelling; the places of the labels in it are left out where it has none.
    mutating func add(
        spelling: UnsafePointer<UInt8>, length: Int, places: UnsafeBufferPointer<UInt8>, series: UInt32
    ) -> UInt32 {
        let record = makeRoom(length + places.count)
        let start = at(record)
        start.storeBytes(of: 0, as: UInt32.self)
        start.storeBytes(of: series, toByteOffset: 4, as: UInt32.self)
        start.storeBytes(
            of: UInt32(truncatingIfNeeded: length) | UInt32(truncatingIfNeeded: places.count) << 24, toByteOffset: 8,
            as: UInt32.self)
        (start + SeriesRecords.header).copyMemory(from: spelling, byteCount: length)
        if let from = places.baseAddress {
            (start + SeriesRecords.header + length).copyMemory(from: from, byteCount: places.count)
        }
        return record
    }

    /// Adds labels that stand in no spelling.
    mutating func add(packed: UnsafeBufferPointer<UInt8>, series: UInt32) -> UInt32 {
        let record = makeRoom(packed.count)
        let start = at(record)
        start.storeBytes(of: UInt32(truncatingIfNeeded: packed.count >> 24), as: UInt32.self)
        start.storeBytes(of: series, toByteOffset: 4, as: UInt32.self)
        start.storeBytes(
            of: UInt32(truncatingIfNeeded: packed.count) & SeriesRecords.lengthMask | SeriesRecords.labelsMark << 24,
            toByteOffset: 8, as: UInt32.self)
        if let from = packed.baseAddress {
            (start + SeriesRecords.header).copyMemory(from: from, byteCount: packed.count)
        }
        return record
    }

    private mutating func makeRoom(_ bytes: Int) -> UInt32 {
        let record = UInt32(truncatingIfNeeded: run.count / 4)
        _ = run.extend(by: (SeriesRecords.header + bytes + 3) & ~3)
        return record
    }

    /// A record is of no use any more.
    mutating func drop(_ record: UInt32) {
        at(record).storeBytes(of: SeriesRecords.nobody, toByteOffset: 4, as: UInt32.self)
        wasted += size(record)
    }

    /// Moves together what is of use: the spellings of series that `labelRecords` has a record for, and these records. Tells
    /// `labelRecords` and `spellings`, which is empty, where they went. No spelling is known to follow another any more.
    mutating func compact(labelRecords: borrowing GrowingRun<UInt32>, spellings: inout InternTable) {
        var from = 4
        var to = 4
        while from < run.count {
            let record = UInt32(from / 4)
            let size = size(record)
            let series = series(record)
            from += size
            guard series != SeriesRecords.nobody else { continue }
            let telling = labelRecords[Int(series)]
            guard telling != 0, telling == record || !isLabels(record) else { continue }
            (base + to).copyMemory(from: at(record), byteCount: size)
            let moved = UInt32(to / 4)
            to += size
            if telling == record { labelRecords[Int(series)] = moved }
            guard !isLabels(moved) else { continue }
            at(moved).storeBytes(of: 0, as: UInt32.self)
            let spelling = bytes(moved)
            if let start = spelling.baseAddress { spellings.insert(ByteHash.hash(start, spelling.count), moved) }
        }
        run.shorten(to: to)
        wasted = 0
    }

    // MARK: Reading

    /// Whether a record is labels without a spelling.
    func isLabels(_ record: UInt32) -> Bool { word(record) >> 24 == SeriesRecords.labelsMark }

    /// Whose record it is.
    @usableFromInline
    func series(_ record: UInt32) -> UInt32 { at(record).load(fromByteOffset: 4, as: UInt32.self) }

    /// The spelling of a record, or its packed labels.
    func bytes(_ record: UInt32) -> UnsafeBufferPointer<UInt8> {
        var length = Int(word(record) & SeriesRecords.lengthMask)
        if isLabels(record) { length |= Int(at(record).load(as: UInt32.self)) << 24 }
        let start = at(record) + SeriesRecords.header
        return UnsafeBufferPointer(start: start.assumingMemoryBound(to: UInt8.self), count: length)
    }

    private func size(_ record: UInt32) -> Int {
        let places = isLabels(record) ? 0 : Int(word(record) >> 24)
        return (SeriesRecords.header + bytes(record).count + places + 3) & ~3
    }

    /// Hands out the texts of a record of labels, packed but for their ends, in the order of `SeriesLabels.packed`: the
    /// metric name first, then each label's name and value; until `body` gives false.
    @inline(__always)
    func forEachText(_ record: UInt32, _ body: (UnsafeBufferPointer<UInt8>) -> Bool) {
        let all = bytes(record)
        guard let start = all.baseAddress else { return }
        if isLabels(record) {
            var at = 0
            while at < all.count {
                let length = OrderedText.length(start + at, all.count - at)
                guard body(UnsafeBufferPointer(start: start + at, count: length)) else { return }
                at += length + 1
            }
            return
        }
        var place = start + all.count
        let end = place + Int(word(record) >> 24)
        var at = 0
        while place < end {
            let gap = SeriesRecords.varint(&place)
            at += (gap >> 1) ^ -(gap & 1)
            let length = SeriesRecords.varint(&place)
            guard body(UnsafeBufferPointer(start: start + at, count: length)) else { return }
            at += length
        }
    }

    /// Whether a record stands for these packed labels.
    func isSame(_ record: UInt32, _ packed: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let other = packed.baseAddress else { return false }
        if isLabels(record) {
            let own = bytes(record)
            guard own.count == packed.count, let start = own.baseAddress else { return false }
            return ByteHash.equal(start, other, packed.count)
        }
        var at = 0
        var isSame = true
        forEachText(record) { text in
            guard let start = text.baseAddress, packed.count - at > text.count,
                ByteHash.equal(start, other + at, text.count), other[at + text.count] == OrderedText.end
            else {
                isSame = false
                return false
            }
            at += text.count + 1
            return true
        }
        return isSame && at == packed.count
    }

    /// The packed labels of a record.
    func packed(_ record: UInt32) -> [UInt8] {
        if isLabels(record) { return Array(bytes(record)) }
        var packed: [UInt8] = []
        packed.reserveCapacity(bytes(record).count)
        forEachText(record) { text in
            packed.append(contentsOf: text)
            packed.append(OrderedText.end)
            return true
        }
        return packed
    }

    @inline(__always)
    private static func varint(_ at: inout UnsafePointer<UInt8>) -> Int {
        var value = 0
        var shift = 0
        while true {
            let byte = Int(at.pointee)
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }
}
