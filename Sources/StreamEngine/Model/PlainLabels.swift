import Glibc

/// Brings the texts of a new series into canonical form where nothing about them is unusual, without an allocation. What is
/// unusual (a label twice or without value, `__name__` among them, control bytes, very many labels) it leaves to the caller's own way, which
/// knows what to say.
///
/// Used by one thread; its memory is kept from series to series.
public final class PlainLabels {
    private struct Text {
        var start: UnsafePointer<UInt8>
        var length: Int
    }

    /// Label names and values in turn, by name.
    private var texts: UnsafeMutablePointer<Text>
    private var textCount = 0
    private var textCapacity = 64
    /// So many labels that the time to put them in order, which grows with the square, is still no matter: 256.
    private static let mostTexts = 512
    private var name: Text?
    private var isPlain = true
    private var bytes = GrowingRun<UInt8>()

    /// No series yet.
    public init() {
        texts = .allocate(capacity: textCapacity)
    }

    deinit { texts.deallocate() }

    /// Begins a new series.
    public func begin() {
        textCount = 0
        isPlain = true
    }

    /// Takes a label; its bytes stay where they are until the series is interned.
    @inline(__always)
    public func add(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
        guard let nameStart = name.baseAddress, let valueStart = value.baseAddress, !name.isEmpty, !value.isEmpty else {
            isPlain = false
            return
        }
        if textCount + 2 > textCapacity {
            guard textCapacity < PlainLabels.mostTexts else {
                isPlain = false
                return
            }
            grow()
        }
        let own = Text(start: nameStart, length: name.count)
        var place = textCount
        while place > 0 {
            let order = PlainLabels.order(texts[place - 2], own)
            guard order >= 0 else { break }
            if order == 0 { isPlain = false }
            texts[place] = texts[place - 2]
            texts[place + 1] = texts[place - 1]
            place -= 2
        }
        texts[place] = own
        texts[place + 1] = Text(start: valueStart, length: value.count)
        textCount += 2
    }

    /// Makes the series of this name and what was added, at most `maxLabels` labels; false where it takes a closer look.
    public func pack(name: UnsafeBufferPointer<UInt8>, maxLabels: Int) -> Bool {
        guard isPlain, let start = name.baseAddress, !name.isEmpty, textCount / 2 <= maxLabels else { return false }
        let own = Text(start: start, length: name.count)
        self.name = own
        var size = own.length + 1 + textCount
        for place in 0..<textCount { size += texts[place].length }
        bytes.clear()
        var to = bytes.extend(by: size)
        let first = to
        PlainLabels.append(own, at: &to)
        for place in 0..<textCount {
            if place & 1 == 0, PlainLabels.isNameLabel(texts[place].start, texts[place].length) { return false }
            PlainLabels.append(texts[place], at: &to)
        }
        // Nothing but the ends of the texts may be what `OrderedText` escapes.
        var low = 0
        for place in 0..<size where first[place] <= OrderedText.escape { low += 1 }
        return low == 1 + textCount
    }

    /// The series as `SeriesLabels.packed` has it, after `pack` gave true; good until the next one.
    var packed: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: bytes.base, count: bytes.count) }

    /// The series `pack` made. An allocation.
    public var labels: SeriesLabels { SeriesLabels(packed: Array(packed)) }

    /// Lists where the texts stand within a spelling; false where one of them does not, or the list is too long.
    func list(in start: UnsafePointer<UInt8>, _ length: Int, places: inout PlaceList) -> Bool {
        places.clear()
        guard let name, append(name, start, length, &places) else { return false }
        for place in 0..<textCount { guard append(texts[place], start, length, &places) else { return false } }
        return true
    }

    @inline(__always)
    private func append(
        _ text: Text, _ start: UnsafePointer<UInt8>, _ length: Int, _ places: inout PlaceList
    ) -> Bool {
        guard text.start >= start, text.start + text.length <= start + length else { return false }
        return places.append(text.start - start, text.length)
    }

    @inline(__always)
    private static func append(_ text: Text, at to: inout UnsafeMutablePointer<UInt8>) {
        ByteHash.copy(text.start, to: to, text.length)
        to += text.length
        to.pointee = OrderedText.end
        to += 1
    }

    @inline(never)
    private func grow() {
        let more = UnsafeMutablePointer<Text>.allocate(capacity: textCapacity * 2)
        more.initialize(from: texts, count: textCount)
        texts.deallocate()
        texts = more
        textCapacity *= 2
    }

    /// Whether a label's name is `__name__`.
    @inline(__always)
    public static func isNameLabel(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        name.baseAddress.map { isNameLabel($0, name.count) } ?? false
    }

    @inline(__always)
    private static func isNameLabel(_ start: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        // "__name__" as a number.
        length == 8 && UnsafeRawPointer(start).loadUnaligned(as: UInt64.self).littleEndian == 0x5F5F_656D_616E_5F5F
    }

    @inline(__always)
    private static func order(_ a: Text, _ b: Text) -> Int {
        let order = Int(memcmp(a.start, b.start, min(a.length, b.length)))
        return order != 0 ? order : a.length - b.length
    }
}
