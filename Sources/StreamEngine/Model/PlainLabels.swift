import Glibc

/// Brings the texts of a new series into canonical form where nothing about them is unusual, without an allocation. What is
/// unusual (a label twice or without value, `__name__` among them, control bytes) it leaves to the caller's own way, which
/// knows what to say.
public struct PlainLabels {
    private struct Pair {
        var name: UnsafeBufferPointer<UInt8>
        var value: UnsafeBufferPointer<UInt8>
    }

    private var name = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    private var pairs: [Pair] = []
    private var isPlain = true
    /// The series as `SeriesLabels.packed` has it, after `pack` gave true.
    private(set) var packed: [UInt8] = []

    public init() {}

    /// Begins a new series.
    public mutating func begin() {
        pairs.removeAll(keepingCapacity: true)
        isPlain = true
    }

    /// Takes a label; its bytes stay where they are until the series is interned.
    public mutating func add(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
        guard !name.isEmpty, !value.isEmpty else {
            isPlain = false
            return
        }
        var place = pairs.count
        pairs.append(Pair(name: name, value: value))
        while place > 0 {
            let order = Self.order(pairs[place - 1].name, name)
            guard order >= 0 else { break }
            if order == 0 { isPlain = false }
            pairs.swapAt(place - 1, place)
            place -= 1
        }
    }

    /// Makes the series of this name and what was added, at most `maxLabels` labels; false where it takes a closer look.
    public mutating func pack(name: UnsafeBufferPointer<UInt8>, maxLabels: Int) -> Bool {
        guard isPlain, !name.isEmpty, pairs.count <= maxLabels else { return false }
        self.name = name
        packed.removeAll(keepingCapacity: true)
        Self.append(name, to: &packed)
        for pair in pairs {
            guard !Self.isNameLabel(pair.name) else { return false }
            Self.append(pair.name, to: &packed)
            Self.append(pair.value, to: &packed)
        }
        // Nothing but the ends of the texts may be what `OrderedText` escapes.
        var low = 0
        for byte in packed where byte <= OrderedText.escape { low += 1 }
        return low == 1 + 2 * pairs.count
    }

    /// The series `pack` made. An allocation.
    public var labels: SeriesLabels { SeriesLabels(packed: packed) }

    /// Lists where the texts stand within a spelling (`SeriesRecords`); false where one of them does not.
    func list(in start: UnsafePointer<UInt8>, _ length: Int, places: inout [UInt8]) -> Bool {
        var end = 0
        func append(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
            guard let base = text.baseAddress, base >= start, base + text.count <= start + length else { return false }
            SeriesRecords.appendPlace(base - start, text.count, to: &places, end: &end)
            return true
        }
        guard append(name) else { return false }
        for pair in pairs { guard append(pair.name), append(pair.value) else { return false } }
        return true
    }

    @inline(__always)
    private static func append(_ text: UnsafeBufferPointer<UInt8>, to packed: inout [UInt8]) {
        packed.append(contentsOf: text)
        packed.append(OrderedText.end)
    }

    private static func isNameLabel(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        name.count == 8 && name.elementsEqual("__name__".utf8)
    }

    private static func order(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
        guard let p = a.baseAddress, let q = b.baseAddress else { return a.count - b.count }
        let order = Int(memcmp(p, q, min(a.count, b.count)))
        return order != 0 ? order : a.count - b.count
    }
}
