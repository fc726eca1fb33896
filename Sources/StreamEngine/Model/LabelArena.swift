/// The labels of many series, one behind the other in one run of memory: their bytes and 12 more each, where an array each
/// would take 50.
///
/// What is taken away leaves its bytes until they are more than half; then the rest moves together.
struct LabelArena: ~Copyable {
    private var bytes: UnsafeMutablePointer<UInt8>
    private var used = 0
    private var capacity = 4096
    private var wasted = 0
    /// Where each index's labels stand, behind their length (4 bytes), plus 1; 0 for nobody.
    private var places: [UInt64] = []

    private static let head = 4

    init() {
        bytes = .allocate(capacity: capacity)
    }

    deinit {
        bytes.deallocate()
    }

    /// One more than the largest index.
    var count: Int { places.count }

    /// Whether an index stands for a series.
    func holds(_ index: Int) -> Bool { places[index] != 0 }

    /// The labels of an index; nil where it stands for nobody.
    func labels(_ index: Int) -> SeriesLabels? {
        guard places[index] != 0 else { return nil }
        return SeriesLabels(packed: Array(UnsafeBufferPointer(start: bytes + start(index), count: length(index))))
    }

    /// Whether an index stands for these labels.
    func isSame(_ index: Int, _ labels: SeriesLabels) -> Bool {
        guard places[index] != 0, length(index) == labels.packed.count else { return false }
        return labels.packed.withUnsafeBufferPointer { packed in
            guard let base = packed.baseAddress else { return true }
            return ByteHash.equal(bytes + start(index), base, packed.count)
        }
    }

    /// Makes one more index, for nobody.
    mutating func append() { places.append(0) }

    /// Gives an index that stands for nobody to a series.
    mutating func put(_ labels: SeriesLabels, at index: Int) {
        let length = labels.packed.count
        let size = Self.head + length
        if used + size > capacity {
            while capacity < used + size { capacity *= 2 }
            move()
        }
        UnsafeMutableRawPointer(bytes + used).storeBytes(of: UInt32(truncatingIfNeeded: length), as: UInt32.self)
        labels.packed.withUnsafeBufferPointer { packed in
            if let base = packed.baseAddress { (bytes + used + Self.head).update(from: base, count: length) }
        }
        places[index] = UInt64(used) + 1
        used += size
    }

    /// Leaves an index to nobody.
    mutating func remove(_ index: Int) {
        guard places[index] != 0 else { return }
        wasted += Self.head + length(index)
        places[index] = 0
        if wasted > 1 << 16, wasted > used / 2 { compact() }
    }

    private func start(_ index: Int) -> Int { Int(places[index]) - 1 + Self.head }

    private func length(_ index: Int) -> Int {
        Int(UnsafeRawPointer(bytes).loadUnaligned(fromByteOffset: Int(places[index]) - 1, as: UInt32.self))
    }

    private mutating func compact() {
        capacity = max(4096, (used - wasted) * 3 / 2)
        move()
    }

    /// Copies what is held into memory of `capacity` bytes.
    private mutating func move() {
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        var end = 0
        for index in places.indices where places[index] != 0 {
            let size = Self.head + length(index)
            (moved + end).update(from: bytes + Int(places[index]) - 1, count: size)
            places[index] = UInt64(end) + 1
            end += size
        }
        bytes.deallocate()
        bytes = moved
        used = end
        wasted = 0
    }
}
