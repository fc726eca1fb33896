import Glibc
import StreamEngine

/// A spelling of a series that does not depend on the order of its labels: 0x01, the name, then keys and values as raw
/// JSON, sorted by key. No JSON text begins with that byte.
///
/// Producers that walk a hash map (goavro, which the prometheus-kafka-adapter can be told to use) write the labels of
/// one series in a new order each time. Such a series is found by this spelling, which costs a sort but no memory for
/// each order. It is made only once a series has turned up under a second spelling.
struct OrderedSpelling {
    private struct Member {
        let key: JSONValue
        let value: JSONValue
    }

    private var bytes: [UInt8] = []
    private var members: [Member] = []
    /// Whether any series was ever kept under such a spelling.
    private(set) var isInUse = false

    /// Spells a sample object; false where it cannot be spelled so (keys with escapes).
    mutating func set(_ fields: SampleJSONElement.Fields) -> Bool {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(1)
        if let name = fields.name { append(name) }
        guard let labels = fields.labels else { return true }
        members.removeAll(keepingCapacity: true)
        var isPlain = true
        var p = labels.start
        do throws(DecodeFault) {
            try JSONScanner.members(&p, labels.end) { (key, value) throws(DecodeFault) in
                if key.hasEscapes { isPlain = false }
                members.append(Member(key: key, value: value))
            }
        } catch {
            // The object was found well formed before it came here; one that is not has no spelling.
            return false
        }
        members.sort { Self.precedes($0.key, $1.key) }
        for member in members {
            append(member.key)
            append(member.value)
        }
        return isPlain
    }

    /// The series kept under what was set.
    func find(_ series: SeriesDictionary) -> UInt32? {
        bytes.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.flatMap { series.find($0, length: buffer.count) }
        }
    }

    /// Keeps a known series under what was set.
    mutating func insert(_ labels: SeriesLabels, _ series: SeriesDictionary) {
        isInUse = true
        bytes.withUnsafeBufferPointer { buffer in
            if let base = buffer.baseAddress { _ = series.insert(base, length: buffer.count, labels: labels) }
        }
    }

    private mutating func append(_ value: JSONValue) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: value.start, count: value.end - value.start))
    }

    /// Order of raw keys; any total order would do.
    private static func precedes(_ a: JSONValue, _ b: JSONValue) -> Bool {
        let x = a.end - a.start
        let y = b.end - b.start
        let order = memcmp(a.start, b.start, min(x, y))
        return order != 0 ? order < 0 : x < y
    }
}
