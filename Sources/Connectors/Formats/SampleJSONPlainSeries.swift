import StreamEngine

/// Reads the usual form of name and labels: ASCII without escapes, and no white space but blanks. What it reads is the series
/// that `SampleJSONSeries` gives; what is another form, or wrong, it leaves to that.
struct SampleJSONPlainSeries {
    /// The series, after a call that gave it.
    let found = PlainLabels()
    private let maxLabels: Int
    private var name = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// The name where it stands among the labels.
    private var nameLabel: UnsafeBufferPointer<UInt8>?

    init(maxLabels: Int) { self.maxLabels = maxLabels }

    /// Reads name and labels that follow each other, in either order; gives what comes after.
    @inline(__always)
    mutating func read(_ start: BytePointer, _ end: BytePointer, startsWithName: Bool) -> BytePointer? {
        var p = start
        found.begin()
        guard startsWithName ? readName(&p, end) : readLabels(&p, end) else { return nil }
        SampleJSONKey.skipSpaces(&p, end)
        guard p < end, p.pointee == UInt8(ascii: ",") else { return nil }
        p += 1
        SampleJSONKey.skipSpaces(&p, end)
        guard SampleJSONKey.scan(&p, end) == (startsWithName ? .labels : .name) else { return nil }
        SampleJSONKey.skipSpaces(&p, end)
        guard startsWithName ? readLabels(&p, end) : readName(&p, end), pack() else { return nil }
        return p
    }

    /// Reads a name and labels that stand anywhere.
    mutating func read(name: JSONValue, labels object: JSONValue) -> Bool {
        found.begin()
        var p = name.start
        var q = object.start
        return readName(&p, name.end) && readLabels(&q, object.end) && pack()
    }

    @inline(__always)
    private mutating func readName(_ at: inout BytePointer, _ end: BytePointer) -> Bool {
        guard let text = PlainText.scan(&at, end) else { return false }
        name = text
        return true
    }

    @inline(__always)
    private mutating func readLabels(_ at: inout BytePointer, _ end: BytePointer) -> Bool {
        guard at < end, at.pointee == UInt8(ascii: "{") else { return false }
        var p = at + 1
        nameLabel = nil
        SampleJSONKey.skipSpaces(&p, end)
        guard p < end else { return false }
        if p.pointee == UInt8(ascii: "}") {
            at = p + 1
            return true
        }
        while true {
            guard let label = PlainText.scan(&p, end) else { return false }
            SampleJSONKey.skipSpaces(&p, end)
            guard p < end, p.pointee == UInt8(ascii: ":") else { return false }
            p += 1
            SampleJSONKey.skipSpaces(&p, end)
            guard let value = PlainText.scan(&p, end) else { return false }
            if PlainLabels.isNameLabel(label) {
                guard nameLabel == nil else { return false }
                nameLabel = value
            } else {
                found.add(label, value)
            }
            SampleJSONKey.skipSpaces(&p, end)
            guard p < end else { return false }
            let byte = p.pointee
            p += 1
            if byte == UInt8(ascii: "}") { break }
            guard byte == UInt8(ascii: ",") else { return false }
            SampleJSONKey.skipSpaces(&p, end)
        }
        at = p
        return true
    }

    /// Packs what was read: false also where the name stands among the labels a second time, as the prometheus-kafka-adapter
    /// writes it, and is another.
    @inline(__always)
    private func pack() -> Bool {
        guard let nameLabel else { return found.pack(name: name, maxLabels: maxLabels) }
        guard let own = name.baseAddress, let other = nameLabel.baseAddress, name.count == nameLabel.count,
            ByteHash.equal(own, other, nameLabel.count)
        else { return false }
        // The one that stands in every spelling.
        return found.pack(name: nameLabel, maxLabels: maxLabels)
    }
}
