import Glibc

/// Brings the texts of a new series into canonical form where nothing about them is unusual, without an allocation but
/// the result's. What is unusual (a label twice or without value, `__name__` among them, control bytes) it leaves to the
/// caller's own way, which knows what to say.
public struct PlainLabels {
    private struct Pair {
        var name: UnsafeBufferPointer<UInt8>
        var value: UnsafeBufferPointer<UInt8>
    }

    private var pairs: [Pair] = []
    private var isPlain = true

    public init() {}

    /// Begins a new series.
    public mutating func begin() {
        pairs.removeAll(keepingCapacity: true)
        isPlain = true
    }

    /// Takes a label; its bytes stay where they are until `labels(name:)`.
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

    /// The series of this name and what was added; nil where it takes a closer look. At most `maxLabels` labels.
    public func labels(name: UnsafeBufferPointer<UInt8>, maxLabels: Int) -> SeriesLabels? {
        guard isPlain, !name.isEmpty, pairs.count <= maxLabels else { return nil }
        var size = name.count + 1
        for pair in pairs { size += pair.name.count + pair.value.count + 2 }
        var plain = true
        let packed = [UInt8](unsafeUninitializedCapacity: size) { bytes, count in
            plain = Self.write(name, to: bytes, at: &count)
            for pair in pairs {
                guard !Self.isNameLabel(pair.name) else {
                    plain = false
                    break
                }
                plain = Self.write(pair.name, to: bytes, at: &count) && plain
                plain = Self.write(pair.value, to: bytes, at: &count) && plain
            }
        }
        return plain ? SeriesLabels(packed: packed) : nil
    }

    /// Copies a text and its end; false where it holds what `OrderedText` escapes.
    private static func write(
        _ text: UnsafeBufferPointer<UInt8>, to bytes: UnsafeMutableBufferPointer<UInt8>, at count: inout Int
    ) -> Bool {
        var isPlain = true
        for byte in text {
            if byte <= OrderedText.escape { isPlain = false }
            bytes[count] = byte
            count += 1
        }
        bytes[count] = OrderedText.end
        count += 1
        return isPlain
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
