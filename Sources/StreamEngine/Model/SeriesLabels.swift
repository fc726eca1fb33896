import Glibc

/// One label of a series.
public struct Label: Sendable, Hashable {
    /// The label's name.
    public let name: ByteString
    /// The label's value, never empty inside `SeriesLabels`.
    public let value: ByteString

    /// A label from its two texts.
    public init(_ name: ByteString, _ value: ByteString) {
        self.name = name
        self.value = value
    }
}

/// What identifies a series: a metric name and a set of labels.
///
/// Canonical form: labels sorted by name bytes, empty values left out (an empty value is the same as no label,
/// SEMANTICS §1), the metric name kept apart from the labels. Two spellings of one series are therefore equal.
///
/// Kept as one run of bytes: a single allocation, equality and order by `memcmp`.
public struct SeriesLabels: Sendable, Hashable, CustomStringConvertible {
    /// `OrderedText`: the name, then each label's name and value.
    let packed: [UInt8]

    /// Brings `labels` into canonical form. The caller has made sure that no name occurs twice.
    public init(name: ByteString, labels: [Label]) {
        var packed: [UInt8] = []
        OrderedText.append(name, to: &packed)
        for label in labels.filter({ !$0.value.isEmpty }).sorted(by: { $0.name < $1.name }) {
            OrderedText.append(label.name, to: &packed)
            OrderedText.append(label.value, to: &packed)
        }
        self.packed = packed
    }

    /// Takes bytes in the form of `packed`, in canonical order.
    init(packed: [UInt8]) { self.packed = packed }

    /// The metric name; empty when the series has none.
    public var name: ByteString {
        packed.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return .empty }
            return OrderedText.text(
                UnsafeBufferPointer(start: base, count: OrderedText.length(base, bytes.count)))
        }
    }

    /// Labels sorted by name, without `__name__` and without empty values.
    public var labels: [Label] {
        var found: [Label] = []
        forEachLabel { name, value in
            found.append(Label(OrderedText.text(name), OrderedText.text(value)))
            return true
        }
        return found
    }

    /// The value of a label, or nil where the series has none. O(number of labels).
    public func value(of name: ByteString) -> ByteString? {
        var found: ByteString?
        forEachLabel { labelName, value in
            guard OrderedText.isSame(labelName, name) else { return true }
            found = OrderedText.text(value)
            return false
        }
        return found
    }

    /// Hands out each label's packed name and value until `body` gives false.
    private func forEachLabel(_ body: (UnsafeBufferPointer<UInt8>, UnsafeBufferPointer<UInt8>) -> Bool) {
        packed.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            var at = OrderedText.length(base, bytes.count) + 1
            while at < bytes.count {
                let name = UnsafeBufferPointer(
                    start: base + at, count: OrderedText.length(base + at, bytes.count - at))
                at += name.count + 1
                let value = UnsafeBufferPointer(
                    start: base + at, count: OrderedText.length(base + at, bytes.count - at))
                at += value.count + 1
                guard body(name, value) else { return }
            }
        }
    }

    /// Lists where the texts stand within a spelling; false where one of them does not as it is, or the spelling or the list
    /// is a long one. Any place will do, for equal bytes are what counts; they are looked for in order, as most formats write
    /// them.
    func list(in start: UnsafePointer<UInt8>, _ length: Int, places: inout PlaceList) -> Bool {
        places.clear()
        guard length <= 1024 else { return false }
        return packed.withUnsafeBufferPointer { packed in
            guard let base = packed.baseAddress, memchr(base, Int32(OrderedText.escape), packed.count) == nil else {
                return false
            }
            var at = 0
            var end = 0
            while at < packed.count {
                let size = OrderedText.length(base + at, packed.count - at)
                guard
                    let place = Self.place(of: base + at, size, in: start, from: end, length)
                        ?? Self.place(of: base + at, size, in: start, from: 0, length)
                else { return false }
                guard places.append(place, size) else { return false }
                end = place + size
                at += size + 1
            }
            return true
        }
    }

    private static func place(
        of text: UnsafePointer<UInt8>, _ size: Int, in all: UnsafePointer<UInt8>, from first: Int, _ length: Int
    ) -> Int? {
        guard size > 0 else { return first }
        var at = first
        while at + size <= length, let found = memchr(all + at, Int32(text[0]), length - size + 1 - at) {
            at = UnsafeRawPointer(found) - UnsafeRawPointer(all)
            if ByteHash.equal(all + at, text, size) { return at }
            at += 1
        }
        return nil
    }

    /// A hash of the series, in memory only.
    public var hash64: UInt64 { ByteHash.hash(packed) }

    public static func == (a: SeriesLabels, b: SeriesLabels) -> Bool { ByteHash.equal(a.packed, b.packed) }

    public func hash(into hasher: inout Hasher) { hasher.combine(hash64) }

    /// The series as PromQL writes it.
    public var description: String {
        let labels = labels
        let name = name
        if labels.isEmpty { return name.isEmpty ? "{}" : name.description }
        let pairs = labels.map { "\($0.name)=\(quoted($0.value))" }
        return "\(name){\(pairs.joined(separator: ","))}"
    }

    private func quoted(_ text: ByteString) -> String {
        var out = "\""
        for scalar in text.description.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}

extension SeriesLabels: Comparable {
    /// Order by label bytes: metric name first, then label by label (name, then value).
    public static func < (a: SeriesLabels, b: SeriesLabels) -> Bool { OrderedText.precedes(a.packed, b.packed) }
}
